"""Intensity statistics of objects from the values of their pixels."""

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._order import at, deviation, sort
from libcell.feat.families._runs import ZERO, Runs, most

# columns of what `statistics` returns
(SUM, MEAN, STD, SAMPLE_STD, LOW, HIGH, LOWER, MIDDLE, UPPER, MAD, EDGE_SUM, EDGE_MEAN, EDGE_STD,
 EDGE_LOW, EDGE_HIGH, SHIFT, MASS_Y, MASS_X, TOP_Y, TOP_X) = range(20)


def statistics(runs: Runs, values: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Statistics of all objects, float64 (20,n), from the values and edges (p,) of the pixels.

    Values that are not finite are left out; NaN for what is then not defined.
    """
    found = np.full((20, len(runs.area)), np.nan)
    room = most(runs.area)
    kept = np.empty((2, room))
    _statistics(runs, values, edge, kept[0], kept[1], np.empty((2, room), np.uint64),
                np.zeros(2**16, np.int64), found)
    return found


@compiled
def _statistics(
    runs: Runs, values: np.ndarray, edge: np.ndarray, kept: np.ndarray, rim: np.ndarray,
    keys: np.ndarray, times: np.ndarray, found: np.ndarray,
) -> None:
    start = ZERO
    for i in range(runs.area.size):
        stop = start + runs.area[i]
        count, outer = _gather(values, edge, start, stop, kept, rim)
        if count:
            _spread(kept, count, found[SUM:EDGE_SUM], i)
            _places(runs, i, values, start, count, found)
            sort(kept, count, keys, times)
            found[LOW, i], found[HIGH, i] = kept[0], kept[count - 1]
            found[LOWER, i] = at(kept, count, count * 0.25)
            found[MIDDLE, i] = at(kept, count, count * 0.5)
            found[UPPER, i] = at(kept, count, count * 0.75)
            found[MAD, i] = deviation(kept, count, found[MIDDLE, i], count * 0.5)
            if count > 1:
                found[SAMPLE_STD, i] = found[STD, i] * np.sqrt(count / (count - 1.0))
        if outer:
            _spread(rim, outer, found[EDGE_SUM:], i)
            low, high = rim[0], rim[0]
            for k in range(outer):
                low, high = min(low, rim[k]), max(high, rim[k])
            found[EDGE_LOW, i], found[EDGE_HIGH, i] = low, high
        start = stop


@compiled
def _gather(
    values: np.ndarray, edge: np.ndarray, start: int, stop: int, kept: np.ndarray, rim: np.ndarray
) -> tuple[int, int]:
    """Finite values of pixels start to stop, and those of them at the edge; how many of each."""
    count, outer = ZERO, ZERO
    for k in range(start, stop):
        if np.isfinite(values[k]):
            kept[count] = values[k]
            count += 1
            if edge[k]:
                rim[outer] = values[k]
                outer += 1
    return count, outer


@compiled
def _spread(values: np.ndarray, n: int, found: np.ndarray, i: int) -> None:
    """Sum, mean and standard deviation of the first n values, in the first three rows."""
    total = 0.0
    for k in range(n):
        total += values[k]
    mean, square = total / n, 0.0
    for k in range(n):  # around the mean: a difference of large squares would lose the digits
        square += (values[k] - mean) * (values[k] - mean)
    found[0, i], found[1, i], found[2, i] = total, mean, np.sqrt(square / n)


@compiled
def _places(
    runs: Runs, i: int, values: np.ndarray, start: int, n: int, found: np.ndarray
) -> None:
    """Centre of mass, its distance from the centroid of the same pixels, and brightest pixel."""
    y, x, highest, k = 0.0, 0.0, -np.inf, start
    for r in range(runs.first[i], runs.first[i + 1]):
        down = runs.y[r] - runs.box[i, 0]
        for right in range(runs.x0[r] - runs.box[i, 1], runs.x1[r] - runs.box[i, 1]):
            if np.isfinite(values[k]):
                y, x = y + down, x + right
                if values[k] > highest:
                    highest = values[k]
                    found[TOP_Y, i], found[TOP_X, i] = runs.y[r], runs.box[i, 1] + right
            k += 1
    if found[SUM, i] == 0:
        return
    y, x, dy, dx, k = y / n, x / n, 0.0, 0.0, start
    for r in range(runs.first[i], runs.first[i + 1]):
        down = runs.y[r] - runs.box[i, 0] - y
        for right in range(runs.x0[r] - runs.box[i, 1], runs.x1[r] - runs.box[i, 1]):
            if np.isfinite(values[k]):  # from the centroid: an even image gives 0, not rounding
                dy, dx = dy + down * values[k], dx + (right - x) * values[k]
            k += 1
    dy, dx = dy / found[SUM, i], dx / found[SUM, i]
    found[SHIFT, i] = np.sqrt(dy * dy + dx * dx)
    found[MASS_Y, i] = runs.box[i, 0] + y + dy
    found[MASS_X, i] = runs.box[i, 1] + x + dx
