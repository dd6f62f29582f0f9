"""Exact Euclidean distance to the background, clipped, in integers.

scipy's transform is exact too, but its floats depend on which of several equally near
background pixels it meets, and it needs about 50 bytes per pixel. Clipping makes the separable
minimum of parabolas (Felzenszwalb and Huttenlocher 2012) a short loop over shifts.
"""

import math
from collections.abc import Sequence

import numpy as np

STRIP = 1 << 17  # pixels per strip: two uint16 copies stay in the second-level cache
ANISOTROPIC_SCALE = 16  # squared axis ratios are rounded to sixteenths, so that sums stay exact


def axis_weights(ratios: Sequence[float]) -> tuple[tuple[int, ...], int]:
    """Integer weights of the squared steps along each axis, and their common scale."""
    if all(r == 1 for r in ratios):
        return (1,) * len(ratios), 1
    return tuple(round(ANISOTROPIC_SCALE * r * r) for r in ratios), ANISOTROPIC_SCALE


def clipped_distance(
    mask: np.ndarray, max_distance_px: float, ratios: Sequence[float]
) -> np.ndarray:
    """Distance (float32, finest-axis pixels) of every pixel of `mask` to the nearest pixel outside.

    At most `max_distance_px`. What lies beyond the array counts as inside. A pixel is exact if
    the array reaches `max_distance_px` beyond it.
    """
    weights, scale = axis_weights(ratios)
    cap = math.ceil(scale * max_distance_px**2)
    dtype = np.uint16 if 2 * cap < 1 << 16 else np.uint32
    squared = np.where(mask, dtype(cap), dtype(0))
    for axis in reversed(range(mask.ndim)):
        lines = np.moveaxis(squared, axis, 0)
        step = max(1, STRIP * lines.shape[1] // max(lines.size, 1))
        for start in range(0, lines.shape[1], step):
            strip = lines[:, start : start + step]
            strip[...] = _lower_parabolas(np.ascontiguousarray(strip), weights[axis])
    distance = squared.astype(np.float32)
    distance /= scale
    return np.sqrt(distance, out=distance)


def _lower_parabolas(squared: np.ndarray, weight: int) -> np.ndarray:
    """min over d of squared[i + d] + weight * d * d along axis 0."""
    lowest = squared.copy()
    raised = np.empty_like(squared)
    for shift in range(1, len(squared)):
        rise = weight * shift * shift
        if rise >= lowest.max(initial=0):
            break
        np.add(squared, squared.dtype.type(rise), out=raised)
        np.minimum(lowest[shift:], raised[:-shift], out=lowest[shift:])
        np.minimum(lowest[:-shift], raised[shift:], out=lowest[:-shift])
    return lowest
