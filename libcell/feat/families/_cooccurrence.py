"""Haralick's statistics of how often two grey levels lie side by side in an object."""

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._runs import ZERO, Runs, heights, most, widths

NAMES = (
    "AngularSecondMoment", "Contrast", "Correlation", "Variance", "InverseDifferenceMoment",
    "SumAverage", "SumVariance", "SumEntropy", "Entropy", "DifferenceVariance",
    "DifferenceEntropy", "InfoMeas1", "InfoMeas2", "Dissimilarity", "Energy",
)
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))  # y, x: 00 to 03 in CellProfiler's names
LEVELS = 256
LOG2 = np.log2(np.maximum(np.arange(4096), 1))


def statistics(
    runs: Runs, values: np.ndarray, low: float, high: float, levels: int, scales: tuple[int, ...]
) -> np.ndarray:
    """Statistics NAMES of all objects from their pixels' values (p,), float64 (scales,4,15,n).

    Values from `low` to `high` span the levels 0 to `levels` - 1 (at most 255); where `high` is
    not above `low`, to each object's own largest value. Pixels of level 0 do not count, nor do
    values that are not finite. NaN where an object has no pair in a direction.
    """
    found = np.full((len(scales), len(DIRECTIONS), len(runs.area), len(NAMES)), np.nan)
    steps = np.array(scales, np.int64)[:, None, None] * np.array(DIRECTIONS)
    margin = max(scales)
    largest = most((heights(runs) + margin) * (widths(runs) + 2 * margin))
    count, touched = np.zeros((2, LEVELS * LEVELS), np.int32)
    _statistics(runs, values, (low, high, levels), steps, margin, np.empty(largest, np.uint8),
                count, touched, np.zeros((3, 2 * LEVELS), np.int64), LOG2, found)
    return np.ascontiguousarray(np.moveaxis(found, 2, 3))


@compiled
def _statistics(
    runs: Runs, values: np.ndarray, span: tuple[float, float, int], steps: np.ndarray,
    margin: int, scratch: np.ndarray, count: np.ndarray, touched: np.ndarray, sums: np.ndarray,
    log2: np.ndarray, found: np.ndarray,
) -> None:
    """`count` is by level and level, `touched` which of it are not 0, `sums` by level, by sum and
    by difference of two; all of them 0 before and after."""
    start = ZERO
    for i in range(runs.area.size):
        height = runs.box[i, 2] - runs.box[i, 0]
        width = runs.box[i, 3] - runs.box[i, 1] + 2 * margin
        drawn = scratch[: (height + margin) * width].reshape(height + margin, width)
        highest = _draw(runs, i, start, values, span, margin, drawn)
        start += runs.area[i]
        for s in range(steps.shape[0]):
            for d in range(steps.shape[1]):
                kinds = _pairs(runs, i, drawn, margin, steps[s, d], count, touched)
                if kinds:
                    _describe(count, touched, kinds, highest, sums, log2, found[s, d, i])


@compiled
def _draw(
    runs: Runs, i: int, start: int, values: np.ndarray, span: tuple[float, float, int],
    margin: int, drawn: np.ndarray,
) -> int:
    """An object's levels in its box, with a margin of 0 where pairs may reach; the highest."""
    drawn[:] = 0
    low, high, levels = span
    if not high > low:
        high = low
        for k in range(start, start + runs.area[i]):
            if np.isfinite(values[k]):
                high = max(high, values[k])
    highest, k = 0, start
    for r in range(runs.first[i], runs.first[i + 1]):
        y = runs.y[r] - runs.box[i, 0]
        for x in range(runs.x0[r] - runs.box[i, 1], runs.x1[r] - runs.box[i, 1]):
            level = _level(values[k], low, high, levels)
            drawn[y, x + margin] = level
            highest = max(highest, level)
            k += 1
    return highest


@compiled
def _level(value: float, low: float, high: float, levels: int) -> int:
    """CellProfiler's: to 0 .. 255 by rounding, then to fewer levels by cutting off."""
    if not np.isfinite(value) or value <= low:
        return 0
    byte = np.rint(min((value - low) / (high - low), 1.0) * 255)
    return int(byte) if levels == LEVELS else int(byte / 255 * (levels - 1))


@compiled
def _pairs(
    runs: Runs, i: int, drawn: np.ndarray, margin: int, step: np.ndarray, count: np.ndarray,
    touched: np.ndarray,
) -> int:
    """Count unordered pairs of levels a step (y, x) apart; how many kinds there are."""
    kinds, dy, dx = ZERO, step[0], step[1]
    left = margin - runs.box[i, 1]
    for r in range(runs.first[i], runs.first[i + 1]):
        y, x0, x1 = runs.y[r] - runs.box[i, 0], runs.x0[r] + left, runs.x1[r] + left
        here, there = drawn[y, x0:x1], drawn[y + dy, x0 + dx : x1 + dx]
        for k in range(x1 - x0):
            a, b = np.int64(here[k]), np.int64(there[k])
            if a and b:
                pair = LEVELS * min(a, b) + max(a, b)
                if count[pair] == 0:
                    touched[kinds] = pair
                    kinds += 1
                count[pair] += 1
    return kinds


@compiled
def _describe(
    count: np.ndarray, touched: np.ndarray, kinds: int, top: int, sums: np.ndarray,
    log2: np.ndarray, found: np.ndarray,
) -> None:
    """The statistics of one symmetric matrix; sets all counts back to 0.

    In cost of the pairs there are and of the levels they span; in whole numbers up to the end.
    """
    total = ZERO
    for k in range(kinds):
        total += 2 * count[touched[k]]
    whole, lowest, highest = np.log2(float(total)), LEVELS, 0
    square, entropy, times, cells = 0.0, 0.0, ZERO, 0
    for k in range(kinds):
        a, b = touched[k] // LEVELS, touched[k] % LEVELS
        times, cells = count[touched[k]], 2
        if a == b:
            times, cells = 2 * times, 1
        count[touched[k]] = 0
        part = times / total
        square += cells * part * part
        entropy += cells * part * (whole - _log2(times, log2))
        sums[0, a] += times
        if a != b:
            sums[0, b] += times
        sums[1, a + b] += cells * times
        sums[2, b - a] += cells * times
        lowest, highest = min(lowest, a), max(highest, b)
    own, variance, _ = _moments(sums[0], lowest, highest + 1, total, log2)
    sum_entropy, sum_variance, average = _moments(sums[1], 2 * lowest, 2 * highest + 1, total, log2)
    _differences(sums[2], highest - lowest + 1, top, total, log2, found)
    found[0], found[3], found[5], found[6], found[7] = (
        square, variance, average, sum_variance, sum_entropy)
    # the variance of a sum is twice the variance and twice the covariance
    found[2] = (sum_variance / 2 - variance) / variance if variance > 0 else 1.0
    found[8] = entropy
    found[11] = (entropy - 2 * own) / own if own > 0 else 0.0
    found[12] = np.sqrt(max(0.0, 1 - np.exp(-2 * (2 * own - entropy))))
    found[14] = np.sqrt(square)


@compiled
def _moments(
    times: np.ndarray, start: int, stop: int, total: int, log2: np.ndarray
) -> tuple[float, float, float]:
    """Entropy, variance and mean of a distribution given as counts, which are set back to 0."""
    whole, entropy, first = np.log2(float(total)), 0.0, ZERO
    for k in range(start, stop):
        if times[k]:
            first += k * times[k]
            entropy += times[k] / total * (whole - _log2(times[k], log2))
    mean, variance = first / total, 0.0
    for k in range(start, stop):
        if times[k]:
            variance += (k - mean) * (k - mean) * times[k]
            times[k] = 0
    return entropy, variance / total, mean


@compiled
def _differences(
    times: np.ndarray, stop: int, top: int, total: int, log2: np.ndarray, found: np.ndarray
) -> None:
    """What rests on the difference of two levels.

    DifferenceVariance is that of the probabilities of the differences 0 to `top` (mahotas).
    """
    whole, entropy, inverse, square = np.log2(float(total)), 0.0, 0.0, 0.0
    first, second = ZERO, ZERO
    for k in range(stop):
        if times[k]:
            part = times[k] / total
            first, second = first + k * times[k], second + k * k * times[k]
            inverse += part / (1 + k * k)
            square += part * part
            entropy += part * (whole - _log2(times[k], log2))
            times[k] = 0
    found[1], found[4], found[10], found[13] = second / total, inverse, entropy, first / total
    found[9] = square / (top + 1) - 1.0 / ((top + 1) * (top + 1))


@compiled
def _log2(times: int, log2: np.ndarray) -> float:
    return log2[times] if times < log2.size else np.log2(float(times))
