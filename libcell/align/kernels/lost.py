"""Cells that were there in one round and are not, or not wholly, in the next."""

from collections.abc import Sequence

import numpy as np
from skimage.filters import threshold_otsu


def together(masks: Sequence[np.ndarray]) -> np.ndarray | None:
    """The label images (Z,Y,X) of several compartments in one, where each pixel has the number
    of what it belongs to; None where they have different numbers for one pixel."""
    whole = np.zeros_like(masks[0])
    for one in masks:
        if ((whole > 0) & (one > 0) & (whole != one)).any():
            return None
        whole = np.where(whole > 0, whole, one)
    return whole


def cut_labels(labels: np.ndarray, part: tuple[slice, slice, slice]) -> np.ndarray:
    """Ids of labels (Z,Y,X) that reach out of `part`: what both rounds have seen."""
    outside = np.ones(labels.shape, bool)
    outside[part] = False
    found = np.unique(labels[outside])
    return found[found > 0]


def kept_fractions(
    labels: np.ndarray, still: np.ndarray, moved: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ids of `labels`, and how much of each one's stained area is stained in the moved round.

    All are (Z,Y,X) of one shape. Stained is what exceeds the image's own Otsu threshold; nan
    for a cell that has no stained pixel in the first round, of which nothing can be said.
    """
    ids, place = np.unique(labels, return_inverse=True)
    areas = [np.bincount(place.ravel(), weights=_stained(image).ravel(), minlength=ids.size)
             for image in (still, moved)]
    fractions = np.divide(areas[1], areas[0], out=np.full(ids.size, np.nan), where=areas[0] > 0)
    real = ids > 0
    return ids[real], fractions[real]


def _stained(image: np.ndarray) -> np.ndarray:
    if image.min() == image.max():
        return np.zeros(image.shape, bool)
    found: np.ndarray = image > threshold_otsu(image)
    return found
