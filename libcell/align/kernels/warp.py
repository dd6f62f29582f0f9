"""Registering one imaging round onto another by a rotation or an affine map, as far as it fits."""

import math

import numpy as np

from libcell.align.kernels.agreement import scarce
from libcell.align.kernels.coarse import MIN_LEAD, flatten
from libcell.align.kernels.ecc import refine_warp
from libcell.align.kernels.maps import Kind, Warp, to_binned
from libcell.align.kernels.resample import apply_matrix
from libcell.align.kernels.translation import as_float, correlation
from libcell.align.kernels.turn import Turn, find_turn
from libcell.errors import UsageFault

KEPT = 0.9  # of the turn's correlation, at least so much is the exact map's
MOST_STRETCH = 1.25  # larger or smaller than that is no deformation of one sample


def find_warp(
    reference: np.ndarray, moving: np.ndarray, kind: Kind, max_rotation_deg: float = 15.0,
    max_shift_px: float | None = None,
) -> Warp:
    """The map of `moving` onto `reference`, (Y, X) of any real dtype and of any two sizes.

    Both must show the same thing bright. Rotations up to `max_rotation_deg` either way are
    tried; `max_shift_px` limits how far the moving image's centre may go along an axis.
    """
    if not 0 <= max_rotation_deg <= 180:
        raise UsageFault(f"max_rotation_deg must be 0 to 180, not {max_rotation_deg}")
    a, b = as_float(reference, "reference"), as_float(moving, "moving")
    before = correlation(a, b, (0.0, 0.0))
    stay = np.eye(2, 3)
    for name, image in (("reference", a), ("moving", b)):
        if image.min() == image.max():
            return Warp(stay, 0.0, before, before, False, f"the {name} image is constant")
    turn = find_turn(a, b, math.radians(max_rotation_deg), max_shift_px)
    if turn is None:
        return Warp(stay, 0.0, before, before, False, "no allowed shift has enough overlap")
    found = _refined(a, b, turn.matrix, turn.peak.binning, kind)
    matrix = turn.matrix if found is None else found
    after = _correlation(a, b, matrix)
    reason = _doubt(turn.peak.lead, after) or _astray(a, b, turn, found)
    reason = reason or _too_far(matrix, b.shape, max_rotation_deg, max_shift_px)
    return Warp(matrix, turn.peak.lead, before, after, not reason, reason)


def _refined(
    a: np.ndarray, b: np.ndarray, matrix: np.ndarray, binning: int, kind: Kind
) -> np.ndarray | None:
    """An affine map is sought from the best rotation of the coarse images: few unknowns find
    the right hill."""
    if kind == "rigid":
        return refine_warp(a, b, matrix, binning, "rigid")
    start = refine_warp(a, b, matrix, binning, "rigid", down_to=binning)
    return None if start is None else refine_warp(a, b, start, binning, "affine")


def _correlation(a: np.ndarray, b: np.ndarray, matrix: np.ndarray) -> float:
    """Pearson correlation over a rectangle that both see, the moving image linearly."""
    moved, region = apply_matrix(b, matrix, 1, (a.shape[0], a.shape[1]))
    return correlation(a[region], moved[region], (0.0, 0.0))


def _doubt(lead: float, after: float) -> str:
    """Why the map should not be used; empty if it may."""
    if lead < MIN_LEAD:
        return (f"the best rotation and shift are only {lead:.1f} spreads better than the next "
                f"({MIN_LEAD:g} needed): unrelated, periodic or too little overlap")
    if not after > 0:
        return f"the pixels do not correlate after the map ({after:.2f})"
    return ""


def _astray(a: np.ndarray, b: np.ndarray, turn: Turn, found: np.ndarray | None) -> str:
    """Whether the search for the exact map has left what the turn has in common, or that is little.

    That is judged where the turn is exact enough, on the coarse images that it was found on.
    """
    n = turn.peak.binning
    still, moving = flatten(a, n), flatten(b, n)
    there = [-math.inf if m is None else _correlation(still, moving, to_binned(m, n))
             for m in (turn.matrix, found)]
    if found is None or not there[1] >= KEPT * there[0]:
        return "the search for the exact map went astray: too little in common"
    moved, region = apply_matrix(moving, to_binned(found, n), 1, (still.shape[0], still.shape[1]))
    return scarce(still[region], moved[region], (0.0, 0.0))


def _too_far(
    matrix: np.ndarray, shape: tuple[int, ...], max_rotation_deg: float,
    max_shift_px: float | None,
) -> str:
    stretch = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if stretch[0] > MOST_STRETCH or stretch[1] < 1 / MOST_STRETCH:
        return f"the best map stretches to {stretch[1]:.2f} and {stretch[0]:.2f} of the size"
    turned = abs(Warp(matrix, 0, 0, 0, True).rotation_deg)
    if turned > max_rotation_deg + 1:
        return f"the best map turns by {turned:.1f} degrees, more than {max_rotation_deg:g}"
    centre = (np.array(shape) - 1) / 2
    shift = np.abs(matrix[:, :2] @ centre + matrix[:, 2] - centre).max()
    if max_shift_px is not None and shift > max_shift_px + 0.5:
        return f"the best map moves the centre by {shift:.1f} px, more than {max_shift_px:g}"
    return ""
