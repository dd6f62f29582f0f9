"""A matrix that distances can be taken in: no gaps, columns of one weight, not too many of them."""

from collections.abc import Sequence

import numpy as np

from libcell.errors import DataError
from libcell.explain.kernels.components import components

LEAST_ROWS = 3
NAMED = 3  # columns that a message names
MISSING = ("refuse", "rows", "columns")


def without_gaps(
    X: np.ndarray, names: Sequence[str], missing: str
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Rows and columns of `X` float (n, p) without NaN and infinities, and which they are.

    `missing` says what goes: `rows` or `columns` with any, or none: then one is a DataError.
    Returns the matrix, the rows int (m,) and the columns' names. DataError for fewer than three
    rows, which make no plane.
    """
    bad = ~np.isfinite(X)
    rows, columns = np.arange(len(X)), np.arange(X.shape[1])
    told = np.array(names, dtype=object)
    if bad.any() and missing == "refuse":
        where = bad.any(axis=0)
        named = ", ".join(told[where][:NAMED])
        raise DataError(
            f"{int(bad.any(axis=1).sum())} of {len(X)} rows hold NaN or infinite values, in "
            f"{int(where.sum())} columns ({named}); use --missing rows or --missing columns to go "
            "without them")
    if missing == "rows":
        rows = np.flatnonzero(~bad.any(axis=1))
    elif missing == "columns":
        columns = np.flatnonzero(~bad.any(axis=0))
    if len(rows) < LEAST_ROWS:
        left = f" without gaps, of {len(X)}" if len(rows) < len(X) else ""
        raise DataError(f"{len(rows)} rows{left}: a plane needs {LEAST_ROWS} or more"
                        + ("; try --missing columns" if left else ""))
    if not len(columns):
        raise DataError(f"all {X.shape[1]} columns have gaps; use --missing rows")
    return X[np.ix_(rows, columns)], rows, told[columns].tolist()


def scaled(X: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and deviation 1; those of a single value are left out.

    DataError if all are.
    """
    deviation = X.std(axis=0)
    kept = deviation > 1e-12 * np.maximum(np.abs(X).max(axis=0, initial=0.0), 1e-300)
    if not kept.any():
        raise DataError(f"all rows are equal in all {X.shape[1]} columns; there is nothing to show")
    return (X[:, kept] - X[:, kept].mean(axis=0)) / deviation[kept]


def narrowed(X: np.ndarray, widest: int) -> np.ndarray:
    """`X`, or its first `widest` principal components where it has more columns."""
    return components(X, widest) if X.shape[1] > widest else X - X.mean(axis=0)
