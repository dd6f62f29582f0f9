"""Colocalisation of two channels over the pixels of each object, compiled.

Values are float64 (p,), those of one object side by side; `starts` and `stops` (n,) say where.
Loops are written out and handed their scratch, which takes half of the time to compile.
"""

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._order import sort
from libcell.feat.families._runs import ZERO

FEATURES = 11
SOME = 3  # pixels that a correlation must rest on in Costes' search
ROUNDING = 8 * np.finfo(np.float64).eps


def ranks(values: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Rank of each value among its object's, from 0, equal values alike; int64 (p,).

    The values must be finite.
    """
    found = np.empty(values.size, np.int64)
    largest = int((stops - starts).max(initial=0))
    _ranks(values, starts, stops, np.empty(largest), np.empty((2, largest), np.uint64),
           np.zeros(max(256, 4 * largest), np.int64), found)
    return found


def correlate(
    a: np.ndarray, b: np.ndarray, rank_a: np.ndarray, rank_b: np.ndarray, starts: np.ndarray,
    stops: np.ndarray, part: float, top: float, steps: float,
) -> np.ndarray:
    """Correlation, Slope, Overlap, then K, Manders, RWC and Costes there and back; (n,11).

    `part` of the object's largest value is the threshold of all but the first two and Costes;
    Costes' values are divided by `top` (0: the object's largest) and searched in `steps`.
    """
    found = np.full((starts.size, FEATURES), np.nan)
    largest = int((stops - starts).max(initial=0))
    _correlate(a, b, rank_a, rank_b, starts, stops, float(part), float(top), float(steps),
               np.empty((2, largest)), np.empty(8), found)
    return found


@compiled
def _ranks(
    values: np.ndarray, starts: np.ndarray, stops: np.ndarray, scratch: np.ndarray,
    keys: np.ndarray, count: np.ndarray, found: np.ndarray,
) -> None:
    for i in range(starts.size):
        n = stops[i] - starts[i]
        for k in range(n):
            scratch[k] = values[starts[i] + k]
        sort(scratch, n, keys, count)
        levels = min(n, 1)
        for k in range(1, n):
            if scratch[k] != scratch[levels - 1]:
                scratch[levels] = scratch[k]
                levels += 1
        for k in range(starts[i], stops[i]):
            low, high = 0, levels - 1
            while low < high:
                middle = (low + high) // 2
                if scratch[middle] < values[k]:
                    low = middle + 1
                else:
                    high = middle
            found[k] = low


@compiled
def _correlate(
    a: np.ndarray, b: np.ndarray, rank_a: np.ndarray, rank_b: np.ndarray, starts: np.ndarray,
    stops: np.ndarray, part: float, top: float, steps: float, scaled: np.ndarray,
    told: np.ndarray, found: np.ndarray,
) -> None:
    for i in range(starts.size):
        start, stop, row = starts[i], stops[i], found[i]
        if start == stop:
            continue
        n, xy, xx, yy = _second_moments(a, b, start, stop, np.inf, np.inf, told)
        if xx > 0 and yy > 0:
            row[0] = min(1.0, max(-1.0, xy / np.sqrt(xx) / np.sqrt(yy)))
        if xx > 0:
            row[1] = xy / xx
        high_x, high_y = told[3], told[5]
        _above(a, b, rank_a, rank_b, start, stop, part * high_x, part * high_y, row)
        scale = top if top > 0 else max(high_x, high_y)
        # values outside 0 to 1 have no place on the grid
        if n >= SOME and scale > 0 and min(told[2], told[4]) >= 0 and max(high_x, high_y) <= scale:
            for k in range(n):
                scaled[0, k], scaled[1, k] = a[start + k] / scale, b[start + k] / scale
            _costes(scaled[0], scaled[1], n, steps, told, row)


@compiled
def _second_moments(
    x: np.ndarray, y: np.ndarray, start: int, stop: int, low_x: float, low_y: float,
    told: np.ndarray,
) -> tuple[int, float, float, float]:
    """Of the pixels below either threshold: their number, the sums of products and of squares
    around the means, exactly 0 for what is constant.

    `told` gets the means of x and y, and the smallest and largest of x, then of y.
    """
    n = 0
    mean_x = mean_y = 0.0
    least_x = least_y = np.inf
    most_x = most_y = -np.inf
    for k in range(start, stop):
        if x[k] < low_x or y[k] < low_y:
            n += 1
            mean_x += x[k]
            mean_y += y[k]
            least_x, most_x = min(least_x, x[k]), max(most_x, x[k])
            least_y, most_y = min(least_y, y[k]), max(most_y, y[k])
    told[2], told[3], told[4], told[5] = least_x, most_x, least_y, most_y
    if n == 0:
        return n, 0.0, 0.0, 0.0
    mean_x, mean_y = mean_x / n, mean_y / n
    told[0], told[1] = mean_x, mean_y
    xy = xx = yy = 0.0
    for k in range(start, stop):
        if x[k] < low_x or y[k] < low_y:
            xy += (x[k] - mean_x) * (y[k] - mean_y)
            xx += (x[k] - mean_x) * (x[k] - mean_x)
            yy += (y[k] - mean_y) * (y[k] - mean_y)
    return n, xy, xx if most_x > least_x else 0.0, yy if most_y > least_y else 0.0


@compiled
def _above(
    x: np.ndarray, y: np.ndarray, rank_x: np.ndarray, rank_y: np.ndarray, start: int, stop: int,
    low_x: float, low_y: float, found: np.ndarray,
) -> None:
    """Overlap, K, Manders and RWC into found[2:9]; 0 where no pixel is above both thresholds."""
    levels, some = 0, False
    for k in range(start, stop):
        levels = max(levels, rank_x[k] + 1, rank_y[k] + 1)
    xx = yy = xy = all_x = all_y = both_x = both_y = near_x = near_y = 0.0
    for k in range(start, stop):
        u, v = x[k], y[k]
        if u >= low_x:
            all_x += u
        if v >= low_y:
            all_y += v
        if u >= low_x and v >= low_y:
            some = True
            weight = (levels - abs(rank_x[k] - rank_y[k])) / levels
            xx += u * u
            yy += v * v
            xy += u * v
            both_x += u
            both_y += v
            near_x += u * weight
            near_y += v * weight
    if not some:
        for k in range(2, 9):
            found[k] = 0.0
        return
    if xx > 0 and yy > 0:
        found[2] = xy / np.sqrt(xx * yy)
    if xx > 0:
        found[3] = xy / xx
    if yy > 0:
        found[4] = xy / yy
    if all_x != 0:
        found[5], found[7] = both_x / all_x, near_x / all_x
    if all_y != 0:
        found[6], found[8] = both_y / all_y, near_y / all_y


@compiled
def _costes(
    x: np.ndarray, y: np.ndarray, n: int, steps: float, told: np.ndarray, found: np.ndarray
) -> None:
    """Parts of x and y above both thresholds into found[9:11]; left as it is without thresholds."""
    slope, offset = _regression(x, y, n, told)
    if not (np.isfinite(slope) and np.isfinite(offset)):
        return
    low_x = _search(x, y, n, slope, offset, steps, told)
    low_y = slope * low_x + offset
    if np.isnan(low_x) or np.isnan(_background(x, y, n, low_x, low_y, told)):
        return
    all_x = all_y = both_x = both_y = 0.0
    for k in range(n):
        if x[k] >= low_x:
            all_x += x[k]
        if y[k] >= low_y:
            all_y += y[k]
        if x[k] > low_x and y[k] > low_y:
            both_x += x[k]
            both_y += y[k]
    if all_x > 0 and all_y > 0:
        found[9], found[10] = both_x / all_x, both_y / all_y


@compiled
def _regression(x: np.ndarray, y: np.ndarray, n: int, told: np.ndarray) -> tuple[float, float]:
    """Orthogonal regression over the pixels that are not 0 in both channels; NaN without one."""
    # 0 in both is neither above 0 nor, the signs turned, below 0
    for k in range(n):
        x[k], y[k] = -x[k], -y[k]
    count, xy, xx, yy = _second_moments(x, y, ZERO, n, 0.0, 0.0, told)
    for k in range(n):
        x[k], y[k] = -x[k], -y[k]
    if count < SOME or xx == 0 or yy == 0 or abs(xy) <= ROUNDING * max(xx, yy):
        return np.nan, np.nan
    slope = ((yy - xx) + np.sqrt((yy - xx) * (yy - xx) + 4 * xy * xy)) / (2 * xy)
    return slope, slope * told[0] - told[1]


@compiled
def _search(
    x: np.ndarray, y: np.ndarray, n: int, slope: float, offset: float, steps: float,
    told: np.ndarray,
) -> float:
    """The threshold of x below which the channels are no longer correlated; NaN: none.

    CellProfiler's bisection ("faster"): a sixth of the window is given up at a time, because the
    correlation is not monotonic at low thresholds.
    """
    left, right = 1.0, steps
    middle = np.floor((right - left) / (6 / 5)) + left
    last, valid = 0.0, np.nan
    known, correlation = -1, 0.0
    for _ in range(256):
        if last == middle:
            break
        at = middle / steps
        count = 0
        for k in range(n):
            count += x[k] < at or y[k] < slope * at + offset
        # a rising line takes pixels away one by one: as many pixels are the same pixels
        if slope < 0 or count != known:
            correlation = _background(x, y, n, at, slope * at + offset, told)
            known = count
        if correlation >= 0:
            right, valid = middle + 1, middle
        else:  # NaN as well: too few pixels lie above a threshold that is too low
            left = middle - 1
        last = middle
        share = 6 / 5 if right - left > 6 else 2.0
        middle = np.floor((right - left) / share) + left
    return (valid - 1) / steps if last == middle else np.nan


@compiled
def _background(
    x: np.ndarray, y: np.ndarray, n: int, low_x: float, low_y: float, told: np.ndarray
) -> float:
    """Correlation of the pixels below either threshold; NaN: undefined."""
    count, xy, xx, yy = _second_moments(x, y, ZERO, n, low_x, low_y, told)
    return xy / np.sqrt(xx * yy) if count >= SOME and xx > 0 and yy > 0 else np.nan
