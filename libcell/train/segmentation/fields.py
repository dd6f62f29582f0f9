"""Fields of view as training reads them: prepared once, then mapped from disk, crop by crop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from libcell.data import grey, labels
from libcell.data import open as opening
from libcell.data.image import Image
from libcell.data.images import Source
from libcell.errors import DataError
from libcell.nn.segmenter import contrast
from libcell.train.segmentation.directions import directions


@dataclass(frozen=True)
class Reading:
    """How images become what the network sees: channels in order, percentiles, `invert` as in
    `contrast.levels`."""

    channels: tuple[str, ...]
    pmin: float
    pmax: float
    invert: str


@dataclass(frozen=True)
class Prepared:
    """One frame of a field, memory-mapped.

    image    (C,Z,Y,X) float16, contrast stretched
    cell     (Z,Y,X) uint8, 1 where there is a cell
    ways     (ndim,Z,Y,X) int8, near (Z,Y,X) uint8: see `directions`
    objects  (n, 4) float32, the middles of the cells' boxes, z, y, x, and their pixels
    """

    image: np.ndarray
    cell: np.ndarray
    ways: np.ndarray
    near: np.ndarray
    objects: np.ndarray

    @classmethod
    def load(cls, folder: Path) -> "Prepared":
        """Map what `prepare` left in a folder."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r")
                     for name in cls.__dataclass_fields__))

    def save(self, folder: Path) -> None:
        """Write each array to a file of its name."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.__dataclass_fields__:
            np.save(folder / f"{name}.npy", getattr(self, name))


def prepare(
    image: Source, truth: Source, compartment: str, t: int, reading: Reading, ndim: int,
    folder: Path,
) -> dict[str, Any]:
    """One frame of a field with its labels, written to `folder`.

    Returns how many objects it has, the median of their diameters and the longest side of
    their boxes in rows and columns (px; 0 without any).
    """
    picture = opening.image(image)
    found = labels.open_labels(truth, compartment)
    labels.require_fit(found.about, picture.about)
    masks = found.read(t=t)
    if ndim == 2 and masks.shape[0] > 1:
        raise DataError(f"{picture.about.where}: has {masks.shape[0]} planes, others have one; "
                        "train on stacks or on planes (cell-extract images --project max)")
    pixels = np.stack([stretched(picture, c, t, reading) for c in reading.channels])
    ways, near = directions(masks[0] if ndim == 2 else masks)
    flat = masks.shape
    boxes = [place for place in ndimage.find_objects(_dense(masks)) if place is not None]
    areas = np.bincount(_dense(masks).ravel())[1:]
    objects = np.array([[*((s.start + s.stop - 1) / 2 for s in place), area]
                        for place, area in zip(boxes, areas)], np.float32).reshape(-1, 4)
    Prepared(pixels.astype(np.float16), (masks > 0).astype(np.uint8),
             ways.reshape(ndim, *flat), near.reshape(flat), objects).save(folder)
    size = float(np.median((areas * (4 / np.pi if ndim == 2 else 6 / np.pi)) ** (1 / ndim))
                 ) if areas.size else 0.0
    longest = max((max(s.stop - s.start for s in place[1:]) for place in boxes), default=0)
    return {"objects": len(boxes), "diameter_px": size, "longest_px": longest}


def _dense(masks: np.ndarray) -> np.ndarray:
    """Labels 0..N without gaps, background 0."""
    ids, dense = np.unique(masks, return_inverse=True)
    return np.asarray(dense.reshape(masks.shape)) + (0 if ids.size and ids[0] == 0 else 1)


def stretched(picture: Image, channel: str, t: int, reading: Reading) -> np.ndarray:
    """One channel of one frame (Z,Y,X) float32, as the network sees it."""
    pixels = grey.read(picture, channel, t=t)
    try:
        return contrast.whole(pixels, reading.pmin, reading.pmax, reading.invert)
    except ValueError as error:
        raise DataError(f"{picture.about.where}: {error}") from error
