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
    _statistics(runs, values, edge, kept[0], kept[1], np.empty((2, room), np.int64),
                np.empty((2, room), np.uint64), np.empty(256, np.int64), found)
    return found


@compiled
def _statistics(
    runs: Runs, values: np.ndarray, edge: np.ndarray, kept: np.ndarray, rim: np.ndarray,
    where: np.ndarray, keys: np.ndarray, bytes_: np.ndarray, found: np.ndarray,
) -> None:
    start = ZERO
    for i in range(runs.area.size):
        count, outer = _gather(runs, i, start, values, edge, kept, where, rim)
        start += runs.area[i]
        if count:
            _spread(kept, count, found[SUM:EDGE_SUM], i)
            _places(kept, where, count, runs.box[i, 0], runs.box[i, 1], found, i)
            sort(kept, count, keys, bytes_)
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


@compiled
def _gather(
    runs: Runs, i: int, start: int, values: np.ndarray, edge: np.ndarray, kept: np.ndarray,
    where: np.ndarray, rim: np.ndarray,
) -> tuple[int, int]:
    """An object's finite values, their places from the box's corner, and those at its edge; how
    many of each."""
    count, outer, k = ZERO, ZERO, start
    for r in range(runs.first[i], runs.first[i + 1]):
        y = runs.y[r] - runs.box[i, 0]
        for x in range(runs.x0[r] - runs.box[i, 1], runs.x1[r] - runs.box[i, 1]):
            value = values[k]
            if np.isfinite(value):
                kept[count], where[0, count], where[1, count] = value, y, x
                count += 1
                if edge[k]:
                    rim[outer] = value
                    outer += 1
            k += 1
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
    values: np.ndarray, where: np.ndarray, n: int, top: int, left: int, found: np.ndarray, i: int
) -> None:
    """Centre of mass, its distance from the centroid of the same pixels, and brightest pixel."""
    y, x, brightest = 0.0, 0.0, 0
    for k in range(n):
        y, x = y + where[0, k], x + where[1, k]
        if values[k] > values[brightest]:
            brightest = k
    y, x, dy, dx = y / n, x / n, 0.0, 0.0
    found[TOP_Y, i], found[TOP_X, i] = top + where[0, brightest], left + where[1, brightest]
    if found[SUM, i] == 0:
        return
    for k in range(n):  # from the centroid, so that an even image gives 0 and not rounding
        dy, dx = dy + (where[0, k] - y) * values[k], dx + (where[1, k] - x) * values[k]
    dy, dx = dy / found[SUM, i], dx / found[SUM, i]
    found[SHIFT, i] = np.sqrt(dy * dy + dx * dx)
    found[MASS_Y, i], found[MASS_X, i] = top + y + dy, left + x + dx
