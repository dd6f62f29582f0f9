"""Permutation importance of groups of columns: what the score loses without their order.

Groups, because single columns of a feature table stand in for each other: permuting one of five
measures of size shows nothing, permuting all five together does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import recall_score

from libcell.errors import DataError, UsageFault

Score = Callable[[np.ndarray, np.ndarray], float]


def balanced_accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean recall over the classes in `y_true` (n,)."""
    present = np.unique(y_true)
    return float(recall_score(y_true, y_pred, labels=present, average="macro", zero_division=0))


@dataclass(frozen=True)
class Importance:
    """Drop of the score when a group is permuted; `mean` and `sd` (ddof 1) over repeats."""

    group: str
    mean: float
    sd: float
    drops: tuple[float, ...]


@dataclass(frozen=True)
class ImportanceTable:
    """`baseline`: the score on unchanged data. `groups` in the order they were given."""

    baseline: float
    groups: tuple[Importance, ...]


def permutation_importance(
    predict: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    column_groups: Mapping[str, Sequence[int]],
    *,
    n_repeats: int = 10,
    seed: int,
    score: Score = balanced_accuracy,
) -> ImportanceTable:
    """How much `score(y, predict(X))` falls when a group's columns are permuted together.

    `X` float (n, p), unchanged afterwards; `y` (n,); `predict` gives labels (n,). Use rows that
    were not trained on. Groups may overlap (by channel and by family in one call). The k-th
    repeat permutes rows the same way for every group, so a group's result depends neither on
    the other groups nor on their order, and differences between groups are sharper.
    """
    X, y = np.asarray(X), np.asarray(y)
    _check(X, y, column_groups, n_repeats)
    baseline = float(score(y, predict(X)))
    drops: dict[str, list[float]] = {name: [] for name in column_groups}
    shuffled = X.copy()
    for repeat in range(n_repeats):
        order = np.random.default_rng([seed, repeat]).permutation(len(X))
        for name, columns in column_groups.items():
            index = np.asarray(columns, np.int64)
            shuffled[:, index] = X[np.ix_(order, index)]
            drops[name].append(baseline - float(score(y, predict(shuffled))))
            shuffled[:, index] = X[:, index]
    return ImportanceTable(baseline, tuple(_summary(name, drops[name]) for name in drops))


def _summary(name: str, drops: list[float]) -> Importance:
    return Importance(name, float(np.mean(drops)), float(np.std(drops, ddof=1)), tuple(drops))


def _check(
    X: np.ndarray, y: np.ndarray, column_groups: Mapping[str, Sequence[int]], n_repeats: int
) -> None:
    """Raise for shapes that do not fit, groups without columns, columns out of range."""
    if X.ndim != 2 or y.shape != (len(X),) or len(X) < 2:
        raise DataError(f"X {X.shape} and y {y.shape}: expected (n, p) and (n,), two rows or more")
    if n_repeats < 2:
        raise UsageFault(f"n_repeats is {n_repeats}; a standard deviation needs at least 2")
    faults = [
        f"{name} has no columns" for name, columns in column_groups.items() if not len(columns)
    ]
    for name, columns in column_groups.items():
        outside = [column for column in columns if not 0 <= column < X.shape[1]]
        if outside:
            faults.append(f"{name} names columns {outside}, X has 0..{X.shape[1] - 1}")
    if faults or not column_groups:
        raise UsageFault("column groups: " + ("; ".join(faults) or "none were given"))
