"""Registering one imaging round onto another by a translation, and saying when it does not fit.

Sign: (dy, dx) in px is added to the moving image's coordinates to lie on the reference,
reference(y, x) ~ moving(y - dy, x - dx).
"""

import math
from dataclasses import dataclass

import numpy as np

from libcell.align.kernels.agreement import scarce
from libcell.align.kernels.coarse import (
    CLEAR,
    MIN_LEAD,
    MIN_OVERLAP,
    Peak,
    binned,
    coarse_shift,
    flatten,
)
from libcell.align.kernels.refine import refine_shift
from libcell.align.kernels.resample import Region, apply_shift, common_region
from libcell.errors import DataError, UsageFault

__all__ = ["Region", "Shift", "apply_shift", "common_region", "find_shift"]

STRIDE = 8  # from one binning to the next while refining; the first may be off by some percent
LEVELS_PX = (128, 256, 512, 1024)  # the finer, slower ones where the coarser does not decide
COARSE_PX = 256  # up to this level a peak is CLEAR or does not count
MIN_SIDE_PX = 16


@dataclass(frozen=True)
class Shift:
    """How a moving image lies on its reference.

    dy, dx              px, added to the moving image's coordinates; where `matched` is False
                        the best candidate, for information only (0 without one)
    quality             by how many robust standard deviations of the correlation surface its
                        peak exceeds every other place; `matched` needs MIN_LEAD
    correlation_before  Pearson correlation of the pixels at equal coordinates
    correlation_after   of the pixels that correspond after the shift, linearly interpolated;
                        both nan where nothing varies or nothing overlaps
    matched             False: do not use the shift
    reason              why not; empty if matched
    """

    dy: float
    dx: float
    quality: float
    correlation_before: float
    correlation_after: float
    matched: bool
    reason: str = ""


def find_shift(
    reference: np.ndarray, moving: np.ndarray, max_shift_px: float | None = None,
    related: bool = False,
) -> Shift:
    """Translation of `moving` onto `reference`, (Y, X) of any real dtype and of any two sizes.

    Both must show the same thing bright: a channel and its negative do not match. Shifts
    larger than `max_shift_px` along an axis, or sharing less than a tenth of the smaller image,
    are not considered. `related` says that both are known to show the same cells, so that one or
    two of them are enough.
    """
    if max_shift_px is not None and not max_shift_px >= 0:
        raise UsageFault(f"max_shift_px must be >= 0, not {max_shift_px}")
    a, b = as_float(reference, "reference"), as_float(moving, "moving")
    before = correlation(a, b, (0.0, 0.0))
    for name, image in (("reference", a), ("moving", b)):
        if image.min() == image.max():
            return Shift(0.0, 0.0, 0.0, before, before, False, f"the {name} image is constant")
    peak = _confident_peak(a, b, max_shift_px)
    if peak is None:
        reason = f"no shift up to {max_shift_px} px shares {MIN_OVERLAP:.0%} of the smaller image"
        return Shift(0.0, 0.0, 0.0, before, before, False, reason)
    dy, dx = _refined(a, b, peak)
    after = correlation(a, b, (dy, dx))
    reason = _doubt(peak, (dy, dx), after, max_shift_px)
    if not reason and not related:
        n = peak.binning
        reason = scarce(flatten(a, n), flatten(b, n), (peak.dy / n, peak.dx / n))
    return Shift(dy, dx, peak.lead, before, after, not reason, reason)


def as_float(image: np.ndarray, name: str) -> np.ndarray:
    """As float32 around 0; DataError if it is no finite (Y, X) image of usable size."""
    if image.ndim != 2 or min(image.shape) < MIN_SIDE_PX:
        raise DataError(
            f"{name}: (Y, X) of at least {MIN_SIDE_PX} x {MIN_SIDE_PX} px is needed, "
            f"not shape {image.shape}"
        )
    mean = float(image.mean(dtype=np.float64))
    if not math.isfinite(mean):
        raise DataError(f"{name}: the image has values that are not finite")
    # the mean goes first where float32 would round the contrast of a bright image away
    exact = np.float32 if image.dtype in (np.uint8, np.uint16, np.float32) else np.float64
    return np.subtract(image, mean, dtype=exact).astype(np.float32, copy=False)


def _confident_peak(a: np.ndarray, b: np.ndarray, max_shift_px: float | None) -> Peak | None:
    """The peak of the first level that decides, otherwise the one with the larger lead.

    On the coarse levels a peak is clear or it does not count.
    """
    best: Peak | None = None
    for level in LEVELS_PX:
        peak = coarse_shift(a, b, level, max_shift_px)
        if peak is None:
            break
        is_coarse = level <= COARSE_PX and peak.binning > 1
        if not is_coarse and (best is None or peak.lead > best.lead):
            best = peak
        if peak.lead >= (CLEAR if is_coarse else MIN_LEAD):
            return peak
        if peak.binning == 1:
            break
    return best


def _refined(a: np.ndarray, b: np.ndarray, peak: Peak) -> tuple[float, float]:
    """(dy, dx) to about 0.001 px on equal contents: first on binned images, last on all px."""
    dy, dx = float(peak.dy), float(peak.dx)
    for n in _binnings(peak.binning):
        dy, dx = refine_shift(binned(a, n), binned(b, n), (dy / n, dx / n), reach_px=1)
        dy, dx = dy * n, dx * n
    return dy, dx


def _binnings(n: int) -> list[int]:
    """From n down to 1, at least two: what is left after one is within a pixel of the next."""
    steps = [n]
    while steps[-1] > STRIDE:
        steps.append(steps[-1] // STRIDE + 1)
    return [*steps, 1]


def _doubt(peak: Peak, shift: tuple[float, float], after: float, max_shift_px: float | None) -> str:
    """Why the shift should not be used; empty if it may."""
    if peak.lead < MIN_LEAD:
        return (
            f"the best shift is only {peak.lead:.1f} spreads better than the next one "
            f"({MIN_LEAD:g} needed): unrelated, periodic or too little overlap"
        )
    if not after > 0:
        return f"the pixels do not correlate after the shift ({after:.2f})"
    # a tenth of a pixel, because the limit is about pixels and the shift about fractions
    if max_shift_px is not None and max(map(abs, shift)) > max_shift_px + 0.1:
        return f"the best shift ({shift[0]:.1f}, {shift[1]:.1f}) exceeds {max_shift_px:g} px"
    return ""


def correlation(a: np.ndarray, b: np.ndarray, shift: tuple[float, float]) -> float:
    """Pearson correlation over what both (Y, X) float32 images see; nan if empty or constant."""
    whole = (math.floor(shift[0]), math.floor(shift[1]))
    ours, theirs = common_region(_shape(a), _shape(b), whole)
    seen, moved = a[ours], b[theirs]
    for axis, fraction in enumerate((shift[0] - whole[0], shift[1] - whole[1])):
        if fraction > 0:
            seen, moved = _between(seen, moved, np.float32(fraction), axis)
    if not seen.size:
        return math.nan
    products = np.array([[np.vdot(p, q) for q in (seen, moved)] for p in (seen, moved)], np.float64)
    means = np.array([seen.mean(dtype=np.float64), moved.mean(dtype=np.float64)])
    covariance = products / seen.size - np.outer(means, means)
    energy = covariance[0, 0] * covariance[1, 1]
    return float(covariance[0, 1] / math.sqrt(energy)) if energy > 0 else math.nan


def _between(
    seen: np.ndarray, moved: np.ndarray, fraction: np.float32, axis: int
) -> tuple[np.ndarray, np.ndarray]:
    """`moved` later by a fraction of a pixel along an axis, linearly; one pixel is lost."""
    later = (slice(None),) * axis + (slice(1, None),)
    earlier = (slice(None),) * axis + (slice(None, -1),)
    mixed = moved[later] * (1 - fraction)
    mixed += moved[earlier] * fraction
    return seen[later], mixed


def _shape(image: np.ndarray) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
