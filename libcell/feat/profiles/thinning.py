"""Which columns of a feature matrix say nothing, or nothing new; as pycytominer chooses them.

Every function takes X (n,p), float64 with NaN where missing, and returns (p,) bool: to be dropped.
"""

import numpy as np


def missing(X: np.ndarray, most: float) -> np.ndarray:
    """More than the part `most` of the values are missing, or infinite."""
    return np.asarray((~np.isfinite(X)).mean(axis=0) > most)


def constant(X: np.ndarray, least: float) -> np.ndarray:
    """Variance not above `least`; one value in all rows, where it is 0."""
    some = np.isfinite(X)
    low = np.where(some, X, np.inf).min(axis=0)
    high = np.where(some, X, -np.inf).max(axis=0)
    count = np.maximum(some.sum(axis=0), 1)
    mean = np.where(some, X, 0).sum(axis=0) / count
    variance = (np.where(some, X - mean, 0) ** 2).sum(axis=0) / count
    return np.asarray((high <= low) | (variance <= least))


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
    count = some.T.astype(np.float64) @ some
    centre = np.where(some, X, 0).sum(axis=0) / np.maximum(some.sum(axis=0), 1)
    V = np.where(some, X - centre, 0.0)
    size = np.sqrt((V**2).sum(axis=0))
    V = V / np.where(size > 0, size, 1.0)
    # sums over the rows that both have, of one column (rows of the result) beside the other
    total = V.T @ some
    square = (V**2).T @ some
    rows = np.maximum(count, 1)
    covariance = V.T @ V - total * total.T / rows
    variance = np.maximum(square - total**2 / rows, 0.0)
    scale = np.sqrt(variance * variance.T)
    tiny = scale <= 1e-12  # of columns of length 1: what rounding leaves of no spread
    return np.asarray(np.where(tiny, np.nan, covariance / np.where(tiny, 1.0, scale)))
