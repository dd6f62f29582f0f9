"""A matrix a classifier can take: what is dropped and filled is learnt on the training rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from libcell.errors import DataError

Missing = Literal["leave", "median"]


@dataclass(frozen=True, eq=False)
class Cleaning:
    """What was learnt, to be kept with the model and applied to new tables by column name.

    `kept` names the columns (q,) of the cleaned matrix; `dropped` gives the reason by name.
    `medians` float64 (q,): of the training rows. `missing`: "leave" keeps NaN, which our forests
    split on as a value of its own; "median" fills it, for models that cannot.
    `n_missing` int64 (q,): NaN per kept column in the training rows.
    """

    kept: tuple[str, ...]
    dropped: dict[str, Literal["constant", "all missing"]]
    medians: np.ndarray
    missing: Missing
    n_missing: np.ndarray

    def apply(self, X: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """float64 (n, q): the kept columns of `X` (n, p), found by `names` (p,), in our order.

        Columns that were not in training are ignored; one that is absent is an error.
        """
        X = _check_matrix(X, names)
        place = {name: index for index, name in enumerate(names)}
        absent = [name for name in self.kept if name not in place]
        if absent:
            raise DataError(f"{len(absent)} column(s) of the training data absent: {_some(absent)}")
        chosen = X[:, [place[name] for name in self.kept]]
        refuse_infinite(chosen, self.kept)
        if self.missing == "median":
            chosen = np.where(np.isnan(chosen), self.medians, chosen)
        return chosen


def clean_matrix(
    X: np.ndarray, names: Sequence[str], train_rows: np.ndarray, *, missing: Missing = "leave"
) -> tuple[np.ndarray, Cleaning]:
    """The cleaned matrix, float64 (n, q), and what was learnt on `train_rows` (bool n or int m).

    Dropped: columns that are NaN in all training rows, or have one value in all where they are
    not NaN (which of them are NaN is seen as no information). An infinite value anywhere is an
    error that names its column.
    """
    X = _check_matrix(X, names)
    refuse_infinite(X, names)
    train = X[train_rows]
    if not len(train):
        raise DataError("no training rows; there is nothing to learn from")
    empty = np.isnan(train)
    lowest = np.where(empty, np.inf, train).min(axis=0)
    highest = np.where(empty, -np.inf, train).max(axis=0)
    keep = lowest < highest
    dropped: dict[str, Literal["constant", "all missing"]] = {
        names[i]: "all missing" if empty[:, i].all() else "constant"
        for i in np.flatnonzero(~keep).tolist()
    }
    if not keep.any():
        raise DataError(f"all {len(names)} columns are constant or missing in the training rows")
    cleaning = Cleaning(
        kept=tuple(names[i] for i in np.flatnonzero(keep).tolist()),
        dropped=dropped,
        medians=np.nanmedian(train[:, keep], axis=0),
        missing=missing,
        n_missing=empty[:, keep].sum(axis=0),
    )
    return cleaning.apply(X, names), cleaning


def _check_matrix(X: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """`X` as float64 (n, p) with one distinct name per column."""
    X = np.asarray(X, np.float64)
    if X.ndim != 2 or X.shape[1] != len(names):
        raise DataError(f"X has shape {X.shape}; expected (n, {len(names)}), one column per name")
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if list(names).count(name) > 1})
        raise DataError(f"column names occur twice: {_some(twice)}")
    return X


def refuse_infinite(X: np.ndarray, names: Sequence[str]) -> None:
    """DataError that names the columns (p,) of `X` (n, p) with infinite values."""
    infinite = np.isinf(X)
    if infinite.any():
        bad = np.flatnonzero(infinite.any(axis=0)).tolist()
        row = int(np.argmax(infinite[:, bad[0]]))
        raise DataError(
            f"infinite values in {_some([names[i] for i in bad])} (first in row {row}); "
            "a ratio was divided by zero: set it to NaN where it is undefined"
        )


def _some(names: Sequence[str]) -> str:
    """At most five names, and how many more."""
    rest = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + rest
