"""Global thresholds from an integer histogram, which tiles can add up in any order.

The order of summation cannot matter because all that is summed is integer counts.
"""

import numpy as np
from skimage.filters import threshold_otsu

from libcell.segment.kernels.params import ThresholdParams

BINS = 4096


def value_range(signal: np.ndarray) -> tuple[float, float]:
    """Lowest and highest value; (inf, -inf) of nothing, so that tiles merge by min and max."""
    if not signal.size:
        return float("inf"), float("-inf")
    return float(signal.min()), float(signal.max())


def histogram(signal: np.ndarray, lo: float, hi: float, bins: int = BINS) -> np.ndarray:
    """Counts (bins,) int64 of `signal` in equal bins from lo to hi; tiles merge by addition.

    A flat image (hi <= lo) counts into bin 0.
    """
    if not hi > lo:
        return np.bincount([0], [signal.size], minlength=bins).astype(np.int64)
    # float64: float32 would lose neighbouring bins where the range is narrow and far from zero
    place = np.subtract(signal, lo, dtype=np.float64)
    place *= bins / (hi - lo)
    index = np.clip(place, 0, bins - 1, out=place).astype(np.intp).ravel()
    return np.bincount(index, minlength=bins)


def _centers(counts: np.ndarray, lo: float, hi: float) -> np.ndarray:
    return lo + (np.arange(counts.size) + 0.5) * ((hi - lo) / counts.size)


def otsu(counts: np.ndarray, lo: float, hi: float) -> float:
    """Otsu's threshold (a bin centre); foreground is above it. Needs hi > lo."""
    return float(threshold_otsu(hist=(counts, _centers(counts, lo, hi))))


def li(counts: np.ndarray, lo: float, hi: float) -> float:
    """Li's minimum cross-entropy threshold by Li and Tam's iteration (1998), on bin centres."""
    values = _centers(counts, 0.0, hi - lo)
    mass = np.cumsum(counts * values)
    number = np.cumsum(counts)
    threshold = mass[-1] / number[-1]
    for _ in range(counts.size):
        below = min(int(np.searchsorted(values, threshold, side="right")), counts.size - 1)
        below = max(below, int(np.flatnonzero(counts)[0]) + 1)
        back = mass[below - 1] / number[below - 1]
        fore = (mass[-1] - mass[below - 1]) / max(number[-1] - number[below - 1], 1)
        if fore <= back:
            break
        new = (fore - back) / (np.log(fore) - np.log(back))
        if abs(new - threshold) < (hi - lo) / counts.size / 2:
            break
        threshold = new
    return float(lo + threshold)


def triangle(counts: np.ndarray, lo: float, hi: float) -> float:
    """Zack's triangle threshold (1977): the bin farthest below the line from peak to long tail."""
    used = np.flatnonzero(counts)
    first, last, peak = int(used[0]), int(used[-1]), int(np.argmax(counts))
    step = -1 if peak - first > last - peak else 1
    end = first if step < 0 else last
    if end == peak:
        return float(_centers(counts, lo, hi)[peak])
    steps = np.arange(abs(end - peak) + 1)
    height = counts[peak + step * steps] / counts[peak]
    # distance to the chord from (0, 1) to (1, height[-1]), up to a constant factor
    gap = (1 - (1 - height[-1]) * steps / steps[-1]) - height
    return float(_centers(counts, lo, hi)[peak + step * int(np.argmax(gap))])


def contrast(counts: np.ndarray, lo: float, hi: float, threshold: float, bright: bool) -> float:
    """Distance of the two class means in standard deviations of the background class."""
    values = _centers(counts, lo, hi)
    fore = (values > threshold) == bright
    if not counts[fore].sum() or not counts[~fore].sum():
        return 0.0
    mean_fore = np.average(values[fore], weights=counts[fore])
    mean_back = np.average(values[~fore], weights=counts[~fore])
    spread = np.sqrt(np.average((values[~fore] - mean_back) ** 2, weights=counts[~fore]))
    # the width of a bin is the least spread that the histogram can tell from none
    return float(abs(mean_fore - mean_back) / max(spread, (hi - lo) / counts.size))


def global_threshold(counts: np.ndarray, lo: float, hi: float, params: ThresholdParams) -> float:
    """The number that `foreground` compares with, `offset` included.

    A flat image, and one whose classes lie closer than `min_contrast`, gets the far end of
    its range, beyond which no pixel lies: no objects.
    """
    strict = params.offset if params.bright else -params.offset
    if not isinstance(params.method, str):
        return float(params.method) + strict
    nothing = hi if params.bright else lo
    if not hi > lo:
        return nothing
    rule = {"li": li, "triangle": triangle}.get(params.method, otsu)
    threshold = rule(counts, lo, hi)
    if contrast(counts, lo, hi, threshold, params.bright) < params.min_contrast:
        return nothing
    return threshold + strict
