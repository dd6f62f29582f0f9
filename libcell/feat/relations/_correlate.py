"""Colocalisation of two channels over the pixels of each object, compiled.

Values are (p,), those of one object side by side; `starts` and `stops` (n,) say where.
"""

import numpy as np

from libcell.compiled import compiled

SOME = 3  # pixels that a correlation must rest on in Costes' search
ROUNDING = 8 * np.finfo(np.float64).eps


@compiled
def ranks(values: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Rank of each value among its object's, from 0, equal values alike; int32 (p,)."""
    found = np.zeros(values.size, np.int32)
    for i in range(starts.size):
        start = starts[i]
        order = np.argsort(values[start : stops[i]])
        rank = 0
        for k in range(1, order.size):
            if values[start + order[k]] != values[start + order[k - 1]]:
                rank += 1
            found[start + order[k]] = rank
    return found


@compiled
def correlate(
    a: np.ndarray, b: np.ndarray, rank_a: np.ndarray, rank_b: np.ndarray, starts: np.ndarray,
    stops: np.ndarray, part: float, top: float, steps: float,
) -> np.ndarray:
    """Correlation, Slope, Overlap, then K, Manders, RWC and Costes there and back; (n,11).

    `part` of the object's largest value is the threshold of all but the first two and Costes;
    Costes' values are divided by `top` (0: the object's largest) and searched in `steps`.
    """
    found = np.full((starts.size, 11), np.nan)
    for i in range(starts.size):
        x, y = a[starts[i] : stops[i]], b[starts[i] : stops[i]]
        if x.size == 0:
            continue
        cov, xx, yy = _second_moments(x, y)
        if xx > 0 and yy > 0:
            found[i, 0] = min(1.0, max(-1.0, cov / np.sqrt(xx) / np.sqrt(yy)))
        if xx > 0:
            found[i, 1] = cov / xx
        high_x, high_y = x.max(), y.max()
        _above(x, y, rank_a[starts[i] : stops[i]], rank_b[starts[i] : stops[i]],
               part * high_x, part * high_y, found[i])
        scale = top if top > 0 else max(high_x, high_y)
        if scale > 0 and x.size >= SOME:
            found[i, 9], found[i, 10] = _costes(x / scale, y / scale, steps)
    return found


@compiled
def _second_moments(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Sums of products and squares around the means; exactly 0 for what is constant."""
    mean_x, mean_y = x.mean(), y.mean()
    xy = xx = yy = 0.0
    for k in range(x.size):
        xy += (x[k] - mean_x) * (y[k] - mean_y)
        xx += (x[k] - mean_x) ** 2
        yy += (y[k] - mean_y) ** 2
    return xy, xx if x.max() > x.min() else 0.0, yy if y.max() > y.min() else 0.0


@compiled
def _above(
    x: np.ndarray, y: np.ndarray, rank_x: np.ndarray, rank_y: np.ndarray, low_x: float,
    low_y: float, found: np.ndarray,
) -> None:
    """Overlap, K, Manders and RWC into found[2:9]; 0 where no pixel is above both thresholds."""
    levels = max(rank_x.max(), rank_y.max()) + 1
    xx = yy = xy = all_x = all_y = both_x = both_y = near_x = near_y = 0.0
    some = False
    for k in range(x.size):
        if x[k] >= low_x:
            all_x += x[k]
        if y[k] >= low_y:
            all_y += y[k]
        if x[k] >= low_x and y[k] >= low_y:
            some = True
            weight = (levels - abs(rank_x[k] - rank_y[k])) / levels
            xx += x[k] * x[k]
            yy += y[k] * y[k]
            xy += x[k] * y[k]
            both_x += x[k]
            both_y += y[k]
            near_x += x[k] * weight
            near_y += y[k] * weight
    if not some:
        found[2:9] = 0.0
        return
    found[2] = xy / np.sqrt(xx * yy) if xx > 0 and yy > 0 else np.nan
    found[3] = xy / xx if xx > 0 else np.nan
    found[4] = xy / yy if yy > 0 else np.nan
    if all_x != 0:
        found[5], found[7] = both_x / all_x, near_x / all_x
    if all_y != 0:
        found[6], found[8] = both_y / all_y, near_y / all_y


@compiled
def _costes(x: np.ndarray, y: np.ndarray, steps: float) -> tuple[float, float]:
    """Parts of x and y above both thresholds; NaN where no threshold can be found.

    Values outside 0 to 1 have no place on the grid.
    """
    nothing = (np.nan, np.nan)
    if x.min() < 0 or y.min() < 0 or x.max() > 1 or y.max() > 1:
        return nothing
    slope, offset = _regression(x, y)
    if not (np.isfinite(slope) and np.isfinite(offset)):
        return nothing
    at = _search(x, y, slope, offset, steps)
    if np.isnan(at) or not np.isfinite(_background(x, y, at, slope * at + offset)[0]):
        return nothing
    low_x, low_y = at, slope * at + offset
    all_x = all_y = both_x = both_y = 0.0
    for k in range(x.size):
        all_x += x[k] if x[k] >= low_x else 0.0
        all_y += y[k] if y[k] >= low_y else 0.0
        if x[k] > low_x and y[k] > low_y:
            both_x += x[k]
            both_y += y[k]
    return (both_x / all_x, both_y / all_y) if all_x > 0 and all_y > 0 else nothing


@compiled
def _regression(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Orthogonal regression over the pixels that are not 0 in both channels; NaN without one."""
    some = (x > 0) | (y > 0)
    u, v = x[some], y[some]
    if u.size < SOME:
        return np.nan, np.nan
    cov, uu, vv = _second_moments(u, v)
    cov, uu, vv = cov / (u.size - 1), uu / (u.size - 1), vv / (u.size - 1)
    if uu == 0 or vv == 0 or abs(cov) <= ROUNDING * max(uu, vv):
        return np.nan, np.nan
    slope = ((vv - uu) + np.sqrt((vv - uu) ** 2 + 4 * cov**2)) / (2 * cov)
    return slope, v.mean() - slope * u.mean()


@compiled
def _search(x: np.ndarray, y: np.ndarray, slope: float, offset: float, steps: float) -> float:
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
        count = _below(x, y, at, slope * at + offset)
        # a rising line takes pixels away one by one: as many pixels are the same pixels
        if slope < 0 or count != known:
            correlation = _background(x, y, at, slope * at + offset)[0]
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
def _below(x: np.ndarray, y: np.ndarray, low_x: float, low_y: float) -> int:
    count = 0
    for k in range(x.size):
        if x[k] < low_x or y[k] < low_y:
            count += 1
    return count


@compiled
def _background(x: np.ndarray, y: np.ndarray, low_x: float, low_y: float) -> tuple[float, int]:
    """Correlation of the pixels below either threshold, and their number; NaN: undefined."""
    n = 0
    mean_x = mean_y = 0.0
    low_u = low_v = np.inf
    high_u = high_v = -np.inf
    for k in range(x.size):
        if x[k] < low_x or y[k] < low_y:
            n += 1
            mean_x += x[k]
            mean_y += y[k]
            low_u, high_u = min(low_u, x[k]), max(high_u, x[k])
            low_v, high_v = min(low_v, y[k]), max(high_v, y[k])
    if n < SOME or low_u == high_u or low_v == high_v:
        return np.nan, n
    mean_x, mean_y = mean_x / n, mean_y / n
    xy = xx = yy = 0.0
    for k in range(x.size):
        if x[k] < low_x or y[k] < low_y:
            xy += (x[k] - mean_x) * (y[k] - mean_y)
            xx += (x[k] - mean_x) ** 2
            yy += (y[k] - mean_y) ** 2
    return xy / np.sqrt(xx * yy), n
