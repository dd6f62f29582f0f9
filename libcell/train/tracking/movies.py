"""Movies as training reads them: frames prepared once, mapped from disk; cells and their tracks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from libcell.data import labels
from libcell.data import open as opening
from libcell.data.images import Source
from libcell.errors import DataError
from libcell.nn.tracker.cells import Cells, as_balls, balls
from libcell.train.segmentation import fields
from libcell.train.segmentation.fields import Reading
from libcell.train.tracking.annotation import Annotation

WITHIN_PIXEL = 1 / 12  # variance of a pixel's own extent
REACH = 3.0  # px: an annotated point may lie so far beside its mask


@dataclass(frozen=True)
class Frame:
    """One frame: image (C,Z,Y,X) float16 and mask (Z,Y,X) uint8, mapped from disk (no mask: None);
    its cells, and the track of each (n,) int64, 0 where nobody annotated it."""

    image: np.ndarray
    mask: np.ndarray | None
    cells: Cells
    track: np.ndarray


@dataclass(frozen=True)
class Movie:
    """A field of view: its frames from number `first` on, and which track came of which.

    complete  every cell is annotated, so that one without a track to go on with is gone
    """

    frames: list[Frame]
    first: int
    parents: dict[int, int]
    complete: bool


def prepare(
    image: Source, truth: Source | None, compartment: str, t: int, reading: Reading,
    folder: Path,
) -> dict[str, int]:
    """One frame, written to `folder`: its image with contrast stretched and, of a label image,
    the mask and the cells. Returns how many cells it has."""
    picture = opening.image(image)
    pixels = np.stack([fields.stretched(picture, c, t, reading) for c in reading.channels])
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "image.npy", pixels.astype(np.float16))
    if truth is None:
        return {"cells": 0}
    found = labels.open_labels(truth, compartment)
    labels.require_fit(found.about, picture.about)
    masks = found.read(t=t)
    np.save(folder / "mask.npy", (masks > 0).astype(np.uint8))
    names, sums = moments(masks)
    np.savez(folder / "cells.npz", names=names, sums=sums)
    return {"cells": len(names)}


def moments(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) of a label image (Z,Y,X), and sums (n, 10) over their voxels: 1, z, y, x, zz,
    zy, zx, yy, yx, xx."""
    where = np.nonzero(masks)
    names, row = np.unique(masks[where], return_inverse=True)
    z, y, x = (w.astype(np.float64) for w in where)
    columns = (np.ones_like(z), z, y, x, z * z, z * y, z * x, y * y, y * x, x * x)
    sums = np.stack([np.bincount(row, c, minlength=names.size) for c in columns], axis=1)
    return names.astype(np.int64), sums


def cells_of(sums: np.ndarray, spacing: np.ndarray) -> Cells:
    """Cells of their voxels' sums; `spacing` (3,) z, y, x, or (2,) for single planes."""
    size = sums[:, 0]
    centres = sums[:, 1:4] / np.maximum(size, 1)[:, None]
    second = sums[:, 4:][:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)
    spreads = second / np.maximum(size, 1)[:, None, None]
    spreads = spreads - centres[:, :, None] * centres[:, None, :] + np.eye(3) * WITHIN_PIXEL
    axes = slice(3 - spacing.size, 3)
    return Cells(centres[:, axes] * spacing,
                 spreads[:, axes, axes] * spacing[:, None] * spacing, size, spacing)


def load(
    folders: list[Path], first: int, found: Annotation, spacing: np.ndarray, shaped: bool,
    sparse: bool | None,
) -> Movie:
    """A movie of what `prepare` left in the folders of its frames.

    spacing  (d,) of a voxel in x pixels
    shaped   cells are as their masks are; False: balls
    sparse   some cells are not annotated; None: found out
    """
    frames = []
    for t, folder in enumerate(folders, start=first):
        image = np.load(folder / "image.npy", mmap_mode="r")
        masked = (folder / "mask.npy").exists()
        mask = np.load(folder / "mask.npy", mmap_mode="r") if masked else None
        cells, track = _cells(folder, found, t, spacing, masked)
        frames.append(Frame(image, mask, cells if shaped else as_balls(cells), track))
    masked = all(f.mask is not None for f in frames)
    missing = sum(int((f.track == 0).sum()) for f in frames)
    complete = (masked and not missing) if sparse is None else not sparse
    return Movie(frames, first, found.parents, complete)


def _cells(
    folder: Path, found: Annotation, t: int, spacing: np.ndarray, masked: bool
) -> tuple[Cells, np.ndarray]:
    """Cells of a frame, and their tracks: by label where the annotation has any, else by place."""
    rows = found.frame(t)
    places = found.places[rows][:, 3 - spacing.size :] * spacing
    if not masked:
        return balls(places, _radius(found, places, found.radius[rows]), spacing), found.track[rows]
    saved = np.load(folder / "cells.npz")
    names, cells = saved["names"], cells_of(saved["sums"], spacing)
    track = np.zeros(len(names), np.int64)
    if not len(names):
        return cells, track
    row = np.searchsorted(names, found.label[rows]).clip(max=len(names) - 1)
    named = found.label[rows] > 0
    unknown = named & (names[row] != found.label[rows])
    if unknown.any():
        raise DataError(f"frame {t}: the tracks name label {found.label[rows][unknown][0]}, which "
                        "the label image does not have; give the labels that were tracked")
    if not named.all():
        mask = np.load(folder / "mask.npy", mmap_mode="r")
        row = np.where(named, row, _under(places, cells, mask))
    track[row[row >= 0]] = found.track[rows][row >= 0]
    return cells, track


def _under(places: np.ndarray, cells: Cells, mask: np.ndarray) -> np.ndarray:
    """(m,) the cell within whose ellipse, or nearest to it, each place lies; -1 for none."""
    if not len(places):
        return np.zeros(0, np.int64)
    count = min(4, len(cells))
    near = cKDTree(cells.centres).query(places, k=np.arange(1, count + 1))[1]
    off = places[:, None] - cells.centres[near]
    far = np.linalg.norm(np.linalg.solve(cells.roots[near], off[..., None])[..., 0], axis=2)
    best = far.argmin(axis=1)
    chosen = near[np.arange(len(near)), best]
    return np.where(far[np.arange(len(near)), best] <= REACH, chosen, -1)


def _radius(found: Annotation, places: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Radii (m,) in px: as told, else half of the median distance to the next annotated cell."""
    if np.isfinite(told).all() and len(told):
        return told
    usual = 5.0
    if len(places) > 1:
        apart = cKDTree(places).query(places, k=[2])[0]
        usual = float(np.median(apart)) / 2
    return np.where(np.isfinite(told), told, usual)
