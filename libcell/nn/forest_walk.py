"""Probabilities from a forest's arrays, in numpy, equal to scikit-learn's bit for bit."""

from dataclasses import dataclass

import numpy as np

from libcell.errors import DataError
from libcell.nn.forest_arrays import LEAF, ForestArrays

CHUNK_ROWS = 8192  # the walk's working set, about 40 bytes a row, then fits a core's cache


def predict_proba(
    forest: ForestArrays, X: np.ndarray, *, chunk_rows: int = CHUNK_ROWS
) -> np.ndarray:
    """float64 (n, k): for each row of `X` float (n, p) the mean over trees of its leaf's shares.

    Columns follow `forest.classes`. NaN goes where the training data sent it. Memory beyond the
    result is bounded by `chunk_rows`; no rows give a (0, k) array.
    """
    X = np.asarray(X)
    if X.ndim != 2 or X.shape[1] != forest.n_features:
        raise DataError(
            f"X has shape {X.shape}; the forest was trained on {forest.n_features} columns"
        )
    proba = np.zeros((len(X), len(forest.classes)))
    trees = [_tree(forest, index) for index in range(forest.n_trees)]
    for start in range(0, len(X), chunk_rows):
        rows = slice(start, start + chunk_rows)
        values = as_float32(X[rows], first_row=start)
        has_nan = bool(np.isnan(values).any())
        for tree in trees:  # added up in scikit-learn's order, for the same rounding
            proba[rows] += tree.probability[_leaves(tree, values, has_nan)]
    proba /= forest.n_trees
    return proba


def as_float32(X: np.ndarray, *, first_row: int = 0) -> np.ndarray:
    """`X` (n, p) in the precision that trees compare in; infinite or too large is an error."""
    X = np.asarray(X)
    if X.ndim != 2 or X.dtype.kind not in "fiub":
        raise DataError(f"X is {X.dtype} {X.shape}; expected numbers in two dimensions (n, p)")
    with np.errstate(over="ignore"):  # what overflows is found in the next line
        values = X.astype(np.float32)
    infinite = np.isinf(values)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise DataError(
            f"X is infinite or beyond float32 in row {first_row + row}, column {column} "
            f"({int(infinite.sum())} value(s) in all); remove it or set it to NaN"
        )
    return values


@dataclass(frozen=True)
class _Tree:
    """One tree's slices of the forest's arrays."""

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    probability: np.ndarray


def _tree(forest: ForestArrays, index: int) -> _Tree:
    nodes = slice(int(forest.tree_offsets[index]), int(forest.tree_offsets[index + 1]))
    return _Tree(
        forest.children_left[nodes],
        forest.children_right[nodes],
        forest.feature[nodes],
        forest.threshold[nodes],
        forest.missing_go_to_left[nodes].astype(bool),
        forest.probability[nodes],
    )


def _leaves(tree: _Tree, values: np.ndarray, has_nan: bool) -> np.ndarray:
    """int32 (n,): the leaf that each row of float32 `values` (n, p) ends in."""
    node = np.zeros(len(values), np.int32)
    walking = np.arange(len(values) if tree.left[0] != LEAF else 0)
    while walking.size:
        at = node[walking]
        value = values[walking, tree.feature[at]]
        to_left = value <= tree.threshold[at]  # in float64, and False for NaN
        if has_nan:
            to_left |= np.isnan(value) & tree.missing_left[at]
        at = np.where(to_left, tree.left[at], tree.right[at])
        node[walking] = at
        walking = walking[tree.left[at] != LEAF]
    return node
