"""Random forests as plain arrays: grown by scikit-learn, kept, checked and walked without it.

The published workflow kept nothing but plots, of 30 trees of depth 2 behind an unseeded split
(SYSTEMS.md 3.8). Here the seed is required and the model is a dictionary of arrays that
safetensors can hold, so that no pickle is ever written or read.
"""

from typing import Literal

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from libcell.errors import DataError, UsageFault
from libcell.nn.forest_arrays import ForestArrays
from libcell.nn.forest_walk import as_float32, predict_proba

__all__ = ["ForestArrays", "fit_forest", "forest_arrays", "predict_proba"]

MaxFeatures = Literal["sqrt", "log2"] | int | float | None


def fit_forest(
    X: np.ndarray,
    y: np.ndarray,
    *,
    n_trees: int = 300,
    max_depth: int | None = None,
    min_samples_leaf: int = 1,
    max_features: MaxFeatures = "sqrt",
    class_weight: Literal["balanced"] | None = "balanced",
    seed: int,
    workers: int = 1,
) -> ForestArrays:
    """Grow a forest; the same seed gives the same arrays, whatever the number of workers.

    `X` is float (n, p), cast to float32 as scikit-learn does; NaN is a value that trees can
    split on, infinity is an error. `y` is int (n,), at least two classes. `max_features` as in
    scikit-learn: an int counts columns, a float is a share of them.
    """
    classes = _check_labels(X, y)
    for name, value in (("n_trees", n_trees), ("workers", workers)):
        if value < 1:
            raise UsageFault(f"{name} is {value}; expected at least 1")
    values = as_float32(X)
    model = RandomForestClassifier(
        n_estimators=n_trees,
        max_depth=max_depth,
        min_samples_leaf=min_samples_leaf,
        max_features=max_features,
        class_weight=class_weight,
        random_state=seed,
        n_jobs=workers,  # threads; each tree's seed is drawn before any thread starts
    )
    model.fit(values, np.searchsorted(classes, y))
    return forest_arrays(model, classes)


def forest_arrays(model: RandomForestClassifier, classes: np.ndarray) -> ForestArrays:
    """The arrays of a fitted scikit-learn forest; `classes` (k,) int names its columns."""
    trees = [estimator.tree_ for estimator in model.estimators_]

    def joined(name: str, dtype: type) -> np.ndarray:
        return np.concatenate([getattr(tree, name) for tree in trees]).astype(dtype)

    return ForestArrays(
        children_left=joined("children_left", np.int32),
        children_right=joined("children_right", np.int32),
        feature=joined("feature", np.int32),
        threshold=joined("threshold", np.float64),
        missing_go_to_left=joined("missing_go_to_left", np.uint8),
        # from scikit-learn 1.3 on `value` holds shares, not counts; pyproject asks for 1.5
        probability=np.concatenate([tree.value[:, 0, :] for tree in trees]).astype(np.float64),
        tree_offsets=np.cumsum([0, *(tree.node_count for tree in trees)], dtype=np.int64),
        classes=np.asarray(classes, np.int64),
        n_features=int(model.n_features_in_),
    )


def _check_labels(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sorted classes (k,) in `y`, or an error."""
    y = np.asarray(y)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DataError(f"y is {y.dtype} {y.shape}; expected one integer class per row, shape (n,)")
    if len(y) != len(X):
        raise DataError(f"y has {len(y)} rows and X has {len(X)}; expected one class per row of X")
    classes = np.unique(y)
    if len(classes) < 2:
        raise DataError(f"y holds {len(classes)} class(es); a classifier needs at least 2")
    return classes
