"""How one field of view of a round lies on another's: found on a channel, applied to all."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from libcell.align.kernels import depth, resample, translation
from libcell.align.kernels.coarse import binned, binning_to
from libcell.align.kernels.maps import Kind, Warp, to_binned
from libcell.align.kernels.resample import Region
from libcell.data.image import About

DEPTH_PX = 512  # planes are compared on images binned to this


@dataclass(frozen=True)
class Search:
    """What kind of map is looked for, and how far."""

    model: str
    max_rotation_deg: float
    max_shift_px: float | None


@dataclass(frozen=True)
class Move:
    """How the moving round is brought onto the reference.

    matrix  (2,3), positions (y, x) of the moving round to the reference, px
    region  (y, x) slices of the reference that both rounds have seen
    planes  those of the reference, and of the moving round, that both have seen
    """

    matrix: np.ndarray
    region: Region
    planes: tuple[slice, slice]
    order: int

    def apply(self, planes: Any, like: About, whole: bool = False) -> Any:
        """Shared planes (Z,Y,X) of the moving round in the region of the reference `like`, or in
        its whole frame."""
        moved = _apply(planes, self.matrix, self.order, (like.shape[3], like.shape[4]))
        return moved if whole else moved[:, self.region[0], self.region[1]]


@dataclass(frozen=True)
class Fit:
    """The row of table `transforms`, the pictures (Y,X) that were compared, and how to move;
    `move` is None for a pair that does not match."""

    row: dict[str, Any]
    seen: tuple[np.ndarray, np.ndarray]
    move: Move | None


def fit(still: np.ndarray, moving: np.ndarray, about: About, search: Search, order: int) -> Fit:
    """Fit one channel (Z,Y,X) of the moving round onto the reference's, by their maxima.

    Stacks are matched in depth as well, by whole planes, and then compared by the planes that
    both have.
    """
    planes = slice(0, len(still)), slice(0, len(moving))
    seen = still.max(axis=0), moving.max(axis=0)
    found = _find(*seen, search)
    dz = 0
    if found.matched and len(still) > 1:
        dz = _plane_offset(still, moving, found.matrix)
        ours, theirs = depth.shared_planes(len(still), len(moving), dz)
        if (ours, theirs) != planes:
            planes = ours, theirs
            seen = still[ours].max(axis=0), moving[theirs].max(axis=0)
            found = _find(*seen, search)
    row = _row(about, found, search.model) | ({"dz": dz} if len(still) > 1 else {})
    if not found.matched:
        return Fit(row, seen, None)
    shape, theirs_shape = still.shape[1:], moving.shape[1:]
    if _is_translation(found.matrix):
        region = resample.valid_region(shape, theirs_shape, tuple(found.matrix[:, 2]), order)
    else:
        region = resample.shared_rectangle(
            (shape[0], shape[1]), (theirs_shape[0], theirs_shape[1]), found.matrix, order)
    return Fit(row, seen, Move(found.matrix, region, planes, order))


def _find(still: np.ndarray, moving: np.ndarray, search: Search) -> Warp:
    if search.model != "translation":
        # here, because it brings numba, which takes as long to import as a pair to register
        from libcell.align.kernels.warp import find_warp

        kind: Kind = "rigid" if search.model == "rigid" else "affine"
        return find_warp(still, moving, kind, search.max_rotation_deg, search.max_shift_px)
    found = translation.find_shift(still, moving, search.max_shift_px)
    matrix = np.array([[1.0, 0.0, found.dy], [0.0, 1.0, found.dx]])
    return Warp(matrix, found.quality, found.correlation_before, found.correlation_after,
                     found.matched, found.reason)


def _apply(planes: np.ndarray, matrix: np.ndarray, order: int, shape: tuple[int, int]) -> Any:
    if _is_translation(matrix):
        return resample.apply_shift(planes, tuple(matrix[:, 2]), order, shape)[0]
    return resample.apply_matrix(planes, matrix, order, shape)[0]


def _is_translation(matrix: np.ndarray) -> bool:
    return bool((matrix[:, :2] == np.eye(2)).all())


def _plane_offset(still: np.ndarray, moving: np.ndarray, matrix: np.ndarray) -> int:
    n = binning_to(DEPTH_PX, still[0], moving[0])
    a, b = (np.stack([binned(p.astype(np.float32), n) for p in s]) for s in (still, moving))
    small = to_binned(matrix, n)
    moved, region = resample.apply_matrix(b, small, 1, (a.shape[1], a.shape[2]))
    return depth.plane_offset(a[:, region[0], region[1]], moved[:, region[0], region[1]])


def _row(about: About, found: Warp, model: str) -> dict[str, Any]:
    """A row of the table `transforms`; figures that do not exist are null."""

    def figure(value: float, known: bool = True) -> float | None:
        return float(value) if known and math.isfinite(value) else None

    row = {
        "Metadata_Image": about.group or about.name, "Metadata_T": 0,
        "dy": figure(found.matrix[0, 2], found.matched),
        "dx": figure(found.matrix[1, 2], found.matched),
        "quality": figure(found.quality),
        "correlation_before": figure(found.correlation_before),
        "correlation_after": figure(found.correlation_after),
        "matched": bool(found.matched), "reason": found.reason or None,
    }
    if model == "translation":
        return row
    entries = {f"matrix_{a}{b}": figure(found.matrix[i, j], found.matched)
               for i, a in enumerate("yx") for j, b in enumerate("yx")}
    return row | entries | {"rotation_deg": figure(found.rotation_deg, found.matched)}
