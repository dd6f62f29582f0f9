"""How far classes lie apart, and how well batches are mixed, among neighbours.

All figures rest on the nearest neighbours of each row or on distances, so they can be told of a
table of many columns and of a plane alike. Each has a value that chance alone would give.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors

SILHOUETTE_ROWS = 5_000  # all distances between them are computed
NEIGHBOUR_ROWS = 20_000
REJECTED = 0.05  # level of kBET's test


@dataclass(frozen=True)
class Figure:
    """One figure of all rows, or of a class; `n` rows it rests on."""

    metric: str
    value: float | None
    n: int
    label: str | None = None


def class_figures(X: np.ndarray, labels: np.ndarray, k: int, seed: int) -> list[Figure]:
    """Silhouette and purity of `labels` text (n,) over the rows of `X` (n, p).

    `silhouette`: mean over classes of Rousseeuw's width (1987), -1 to 1. `knn_purity`: share of
    a row's `k` nearest that are of its class, mean over classes; `knn_purity_chance`: what it
    would be if the same labels were dealt at random. Both also per class. Large tables are judged
    by a sample.
    """
    names, codes = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        return []
    rows = sample(len(X), SILHOUETTE_ROWS, seed)
    widths = _silhouette(X[rows], codes[rows])
    found = _by_class("silhouette", widths, codes[rows], names)
    rows = sample(len(X), NEIGHBOUR_ROWS, seed)
    near = neighbours(X[rows], k)
    same = (codes[rows][near] == codes[rows][:, None]).mean(axis=1)
    found += _by_class("knn_purity", same, codes[rows], names)
    shares = np.bincount(codes[rows], minlength=len(names)) / len(rows)
    return [*found, Figure("knn_purity_chance", float(shares[shares > 0].mean()), len(rows))]


def batch_figures(
    X: np.ndarray, batches: np.ndarray, labels: np.ndarray | None, k: int, seed: int
) -> list[Figure]:
    """How well `batches` text (n,) are mixed among the rows of `X` (n, p).

    `batch_entropy`: mean entropy of the batches among a row's `k` nearest over that of all rows;
    1 mixed, 0 apart. `batch_lisi`: the effective number of batches there (Korsunsky et al. 2019),
    `batch_lisi_best` what all rows together have. `kbet_accepted`: share of neighbourhoods whose
    batches a chi-squared test finds like all rows' (Buettner et al. 2019). With `labels` also
    within each class, neighbours of that class only: what differs because batches hold other
    classes is then no fault.
    """
    found = _mixing(X, batches, k, seed, None)
    for name in np.unique(labels) if labels is not None else ():
        some = labels == name
        found += _mixing(X[some], batches[some], k, seed, str(name))
    return found


def neighbours(X: np.ndarray, k: int) -> np.ndarray:
    """int (n, k'): the nearest other rows of each row of `X`; k' is n - 1 where `k` is more."""
    k = min(k, len(X) - 1)
    return np.asarray(NearestNeighbors(n_neighbors=k).fit(X).kneighbors(return_distance=False))


def sample(n: int, most: int, seed: int) -> np.ndarray:
    """Row numbers, sorted: all of `n`, or `most` drawn without replacement."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def _silhouette(X: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Width per row; NaN where a sample holds one class alone or each row is its own."""
    if not 2 <= len(np.unique(codes)) < len(codes):
        return np.full(len(codes), np.nan)
    return np.asarray(silhouette_samples(X, codes))


def _by_class(
    metric: str, values: np.ndarray, codes: np.ndarray, names: np.ndarray
) -> list[Figure]:
    """The mean of each class, and first the mean of these."""
    found = []
    for code, name in enumerate(names):
        some = values[codes == code]
        if len(some):
            found.append(Figure(metric, _number(some.mean()), len(some), str(name)))
    known = [f.value for f in found if f.value is not None]
    whole = Figure(metric, float(np.mean(known)) if known else None, len(values))
    return [whole, *found]


def _mixing(
    X: np.ndarray, batches: np.ndarray, k: int, seed: int, label: str | None
) -> list[Figure]:
    rows = sample(len(X), NEIGHBOUR_ROWS, seed)
    codes = np.unique(batches[rows], return_inverse=True)[1]
    count = int(codes.max(initial=0)) + 1
    if count < 2 or len(rows) < 3:
        return []
    near = codes[neighbours(X[rows], k)]
    counts = np.stack([(near == b).sum(axis=1) for b in range(count)], axis=1)
    shares, whole = counts / near.shape[1], np.bincount(codes) / len(codes)
    expected = whole * near.shape[1]
    distance = ((counts - expected) ** 2 / expected).sum(axis=1)
    values = {
        "batch_entropy": (_entropy(shares) / _entropy(whole[None])).mean(),
        "batch_lisi": (1 / (shares**2).sum(axis=1)).mean(),
        "batch_lisi_best": 1 / (whole**2).sum(),
        "kbet_accepted": (chdtrc(count - 1, distance) > REJECTED).mean(),
    }
    return [Figure(metric, _number(v), len(rows), label) for metric, v in values.items()]


def _entropy(shares: np.ndarray) -> np.ndarray:
    """Of each row of shares (n, b), in nats."""
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return -(shares * logs).sum(axis=1)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
