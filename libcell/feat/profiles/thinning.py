"""Which columns of a feature matrix say nothing, or nothing new; as pycytominer chooses them.

Every function takes X (n,p), float64 with NaN where missing, and returns (p,) bool: to be dropped.
They go column by column: X in Fortran's order is read fastest.
"""

import numpy as np

AT_ONCE = 4096  # rows, so that what is made of them stays in the cache


def missing(X: np.ndarray, most: float) -> np.ndarray:
    """More than the part `most` of the values are missing, or infinite."""
    return np.asarray((~np.isfinite(X)).mean(axis=0) > most)


def constant(X: np.ndarray, least: float) -> np.ndarray:
    """Variance not above `least`; one value in all rows, where it is 0."""
    found = np.zeros(X.shape[1], bool)
    for i, column in enumerate(X.T):
        there = column[np.isfinite(column)]
        found[i] = not len(there) or there.min() == there.max() or there.var() <= least
    return found


def near_constant(X: np.ndarray, frequency: float, unique: float) -> np.ndarray:
    """The second most frequent value is rarer than `frequency` times the most frequent one, or
    there are fewer different values than the part `unique` of the rows."""
    found = np.zeros(X.shape[1], bool)
    for i, column in enumerate(X.T):
        _, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        counts = np.sort(counts)[::-1]
        rare = len(counts) < 2 or counts[1] < frequency * counts[0]
        found[i] = rare or len(counts) < unique * len(X)
    return found


def duplicate(X: np.ndarray) -> np.ndarray:
    """The same values as an earlier column's, row by row."""
    seen: set[bytes] = set()
    found = np.zeros(X.shape[1], bool)
    for i, column in enumerate(X.T):
        content = (column + 0.0).tobytes()  # -0.0 is 0.0
        found[i] = content in seen
        seen.add(content)
    return found


def outlying(X: np.ndarray, most: float) -> np.ndarray:
    """Some value is farther than `most` from 0: of normalized features."""
    return np.asarray(np.where(np.isnan(X), 0, np.abs(X)).max(axis=0) > most)


def correlated(X: np.ndarray, most: float) -> np.ndarray:
    """Of each pair of columns correlated above `most`, the one more correlated with all others.

    Pearson, over the rows that have both values. As in pycytominer, -0.95 is not above 0.9, and
    a column goes even where that which it is like has gone.
    """
    r = correlations(X)
    total = np.nansum(np.abs(r), axis=0)
    rank = np.empty(len(total), np.int64)
    rank[np.argsort(total, kind="stable")] = np.arange(len(total))
    above = np.tril(np.nan_to_num(r, nan=-1.0) > most, k=-1)
    first, second = np.nonzero(above)
    found = np.zeros(len(total), bool)
    found[np.where(rank[first] > rank[second], first, second)] = True
    return found


def correlations(X: np.ndarray) -> np.ndarray:
    """Pearson correlations (p,p) over the rows that have both values; NaN without spread."""
    some = np.isfinite(X)
    centre, size = np.zeros(X.shape[1]), np.ones(X.shape[1])
    for i, column in enumerate(X.T):
        there = column[some[:, i]]
        if len(there):
            centre[i] = there.mean()
            size[i] = np.linalg.norm(there - centre[i]) or 1.0
    count, total, square, covariance = np.zeros((4, X.shape[1], X.shape[1]))
    for start in range(0, len(X), AT_ONCE):
        held = some[start : start + AT_ONCE]
        V = np.where(held, X[start : start + AT_ONCE] - centre, 0.0) / size
        covariance += V.T @ V
        # sums over the rows that both have, of one column (rows of the result) beside the other
        if held.all():
            count += len(V)
            total += V.sum(axis=0)[:, None]
            square += (V**2).sum(axis=0)[:, None]
        else:
            H = held.astype(np.float64)
            count += H.T @ H
            total += V.T @ H
            square += (V**2).T @ H
    rows = np.maximum(count, 1)
    covariance -= total * total.T / rows
    variance = np.maximum(square - total**2 / rows, 0.0)
    scale = np.sqrt(variance * variance.T)
    tiny = scale <= 1e-12  # of columns of length 1: what rounding leaves of no spread
    return np.asarray(np.where(tiny, np.nan, covariance / np.where(tiny, 1.0, scale)))
