"""Features on a common scale: z, robust z, sphering, as pycytominer computes them.

Statistics are learnt on some rows (the controls) and applied to all. A column without spread
there is undefined, hence NaN; pycytominer leaves it at the difference from the mean (z) or
divides by 1e-18 (robust z).
"""

import warnings
from typing import NamedTuple

import numpy as np

from libcell.errors import DataError

NORMAL = 1.4826   # makes the median absolute deviation of a normal distribution its sd
EPSILON = 1e-6    # added to singular values (pycytominer's spherize_epsilon)


class Scale(NamedTuple):
    """What is subtracted from each column, and what it is divided by; float64 (p,)."""

    centre: np.ndarray
    spread: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        spread = np.where(self.spread > 0, self.spread, np.nan)
        return (X - self.centre) / spread


def z(X: np.ndarray) -> Scale:
    """Mean and standard deviation (divided by n) of the columns of X (n,p), NaN left out."""
    with _without_values():
        centre = np.nanmean(X, axis=0)
        spread = np.sqrt(np.nanmean((X - centre) ** 2, axis=0))
    # what rounding leaves of a constant column is no spread
    return Scale(centre, np.where(_constant(X), 0.0, spread))


def robust_z(X: np.ndarray) -> Scale:
    """Median and median absolute deviation times 1.4826, NaN left out."""
    with _without_values():
        centre = np.nanmedian(X, axis=0)
        return Scale(centre, NORMAL * np.nanmedian(np.abs(X - centre), axis=0))


def _constant(X: np.ndarray) -> np.ndarray:
    with _without_values():
        return np.asarray(np.nanmax(X, axis=0) == np.nanmin(X, axis=0))


def _without_values() -> warnings.catch_warnings:
    """A column of NaN alone gives NaN, and numpy need not say so."""
    return warnings.catch_warnings(action="ignore", category=RuntimeWarning)


class Sphering(NamedTuple):
    """Columns are put on `scale` and multiplied by `turn` (p,p): then they are uncorrelated."""

    scale: Scale
    turn: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return self.scale(X) @ self.turn


def sphere(X: np.ndarray, kind: str) -> Sphering:
    """The whitening transform of X (n,p): ZCA, PCA, ZCA-cor or PCA-cor (Kessy et al. 2018).

    Where there are fewer rows than columns, directions that no row has are scaled as the least of
    those that some have. DataError for missing values or columns that others add up to.
    """
    if np.isnan(X).any():
        raise DataError("sphering needs a value in every row; drop columns first "
                        "(cell-feat select)")
    scale = z(X)
    if kind in ("ZCA", "PCA"):
        scale = Scale(scale.centre, np.ones(X.shape[1]))
    elif (scale.spread == 0).any():
        raise DataError("sphering needs columns that vary; drop the others first "
                        "(cell-feat select)")
    centred = scale(X)
    n, p = centred.shape
    rank = int(np.linalg.matrix_rank(centred))
    if rank < min(p, n - 1) or not rank:
        raise DataError(f"{n} rows and {p} columns have rank {rank}: some columns are sums of "
                        "others; drop them first (cell-feat select)")
    _, singular, axes = np.linalg.svd(centred, full_matrices=True)
    if n <= p:
        singular = np.concatenate([singular[:rank], np.full(p - rank, singular[rank - 1])])
    turn = (axes / (singular + EPSILON)[:, None]).T * np.sqrt(n - 1)
    return Sphering(scale, turn @ axes if kind.startswith("ZCA") else turn)
