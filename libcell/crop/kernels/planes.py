"""Objects in depth: which planes they lie in, and which planes a crop shows."""

from collections.abc import Iterable

import numpy as np

SHOWN = ("max", "mean", "centre")


def depths(found: np.ndarray, planes: Iterable[np.ndarray]) -> np.ndarray:
    """(n,3) float64 for the labels `found` (n,), ascending: centroid's plane, first plane, one
    past the last. `planes` are the label images (Y,X) in order."""
    total, volume = np.zeros(len(found)), np.zeros(len(found))
    first, last = np.full(len(found), np.inf), np.zeros(len(found))
    for z, plane in enumerate(planes):
        labels, counts = np.unique(plane[plane > 0], return_counts=True)
        rows = np.searchsorted(found, labels)
        total[rows] += z * counts
        volume[rows] += counts
        first[rows] = np.minimum(first[rows], z)
        last[rows] = z + 1
    return np.column_stack([total / volume, first, last])


def ranges(depth: np.ndarray, shown: str, around: int) -> np.ndarray:
    """Planes (k,n,2) int64 that the k images of each of n crops show: first, one past the last.

    `depth` (n,3) as `depths` gives it. `max` and `mean` go over the planes of the object;
    `centre` is the centroid's plane alone, or with `around` planes on either side, k = 2 *
    around + 1, each an image of its own.
    """
    if shown != "centre":
        return depth[None, :, 1:].astype(np.int64)
    middle = np.floor(depth[:, 0] + 0.5).astype(np.int64)
    first = middle + np.arange(-around, around + 1)[:, None]
    return np.stack([first, first + 1], axis=-1)


def names(channels: list[str], around: int) -> list[str]:
    """What the images of a crop are called: `DNA`, or `DNA_z-1`, `DNA_z+0`, `DNA_z+1`."""
    if not around:
        return channels
    return [f"{c}_z{k:+d}" for c in channels for k in range(-around, around + 1)]
