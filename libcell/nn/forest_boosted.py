"""Boosted trees read from LightGBM's text, checked and walked without LightGBM.

Its own loader runs past the end of a text that was cut short, and takes the process along.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from libcell.compiled import compiled
from libcell.errors import DataError

DEFAULT_LEFT = 2  # bit of a node's decision type
MISSING = 12  # bits that say which values count as missing
NAN_MISSING = 8
LARGEST = 1e9  # index or score; a threshold may be infinite: only NaN goes right


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """Ke et al. 2017. The trees of all rounds, one per class and round, classes in turn.

    `left`, `right` int32 (nodes,): child, counted over all trees; ~leaf where it is negative.
    `feature` int32 (nodes,); `threshold` float64 (nodes,): x <= threshold goes left.
    `missing` int8 (nodes,): where NaN goes: 1 left, 0 right, -1 the way of a zero.
    `value` float64 (leaves,): what a leaf adds to its class's score.
    `root` int32 (trees,): first node, or ~leaf of a tree that never splits.
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing: np.ndarray
    value: np.ndarray
    root: np.ndarray
    n_classes: int
    n_features: int

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """float64 (n, k): softmax of the summed leaves of each row of `X` float (n, p)."""
        values = np.ascontiguousarray(X, np.float64)
        if values.ndim != 2 or values.shape[1] != self.n_features:
            raise DataError(
                f"X has shape {values.shape}; the model was trained on {self.n_features} columns")
        scores = np.zeros((len(values), self.n_classes))
        _walk(self.left, self.right, self.feature, self.threshold, self.missing, self.value,
              self.root, values, scores)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)


def from_text(text: str) -> BoostedTrees:
    """The trees in LightGBM's `model.txt`; DataError (a ValueError) if it is no such thing.

    A model file is untrusted: whatever passes can be walked without an index out of range and
    without end.
    """
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    about = _fields(head)
    try:
        n_classes, n_features = int(about["num_class"]), int(about["max_feature_idx"]) + 1
        declared = len(about["tree_sizes"].split())
    except (KeyError, ValueError) as error:
        raise DataError(f"not a boosted model: its head has no usable {error}") from error
    if not about.get("objective", "").startswith("multiclass "):
        raise DataError(f"not a boosted classifier: its objective is {about.get('objective')!r}; "
                        "expected multiclass")
    if n_classes < 2 or len(blocks) != declared or declared % n_classes or not declared:
        raise DataError(f"not a whole boosted model: {len(blocks)} of {declared} trees for "
                        f"{n_classes} classes")
    return _joined([_tree(_fields(b), n_features, i) for i, b in enumerate(blocks)],
                   n_classes, n_features)


def _fields(block: str) -> dict[str, str]:
    return {k: v for k, found, v in (line.partition("=") for line in block.splitlines()) if found}


def _tree(fields: Mapping[str, str], n_features: int, index: int) -> dict[str, np.ndarray]:
    """One tree's arrays, children counted within it; DataError names the fault."""
    def numbers(name: str, dtype: type, count: int) -> np.ndarray:
        found = np.array(fields.get(name, "").split(), np.float64)
        if len(found) != count:
            raise ValueError(f"{name} holds {len(found)} numbers, expected {count}")
        bad = np.isnan(found) if name == "threshold" else ~(np.abs(found) < LARGEST)
        if bad.any():
            raise ValueError(f"{name} holds what is no number, or too large a one")
        return found.astype(dtype)

    try:
        leaves = int(fields["num_leaves"])
        nodes = leaves - 1
        if leaves < 1 or int(fields.get("num_cat", "0")) or int(fields.get("is_linear", "0")):
            raise ValueError("it has categories, linear leaves or no leaf")
        made = {"left": numbers("left_child", np.int64, nodes),
                "right": numbers("right_child", np.int64, nodes),
                "feature": numbers("split_feature", np.int64, nodes),
                "threshold": numbers("threshold", np.float64, nodes),
                "kind": numbers("decision_type", np.int64, nodes),
                "value": numbers("leaf_value", np.float64, leaves)}
        _require_walkable(made, n_features)
    except (KeyError, ValueError) as error:
        raise DataError(f"not a boosted model: tree {index}: {error}") from error
    return made


def _require_walkable(tree: Mapping[str, np.ndarray], n_features: int) -> None:
    """ValueError if a child does not come after its parent, or an index leads nowhere.

    LightGBM numbers nodes as it splits, so that every child comes after its parent; asking for
    that makes circles impossible.
    """
    nodes, leaves = len(tree["left"]), len(tree["value"])
    own = np.arange(nodes)
    for name in ("left", "right"):
        child = tree[name]
        if not (((child > own) & (child < nodes)) | ((child < 0) & (child >= -leaves))).all():
            raise ValueError(f"{name}_child leads out of the tree")
    if nodes and not (tree["feature"].min() >= 0 and tree["feature"].max() < n_features):
        raise ValueError(f"split_feature is outside 0..{n_features - 1}")
    if not np.isin(tree["kind"], (0, DEFAULT_LEFT, NAN_MISSING, NAN_MISSING + DEFAULT_LEFT)).all():
        raise ValueError("decision_type is of an unknown kind")


def _joined(
    trees: list[dict[str, np.ndarray]], n_classes: int, n_features: int
) -> BoostedTrees:
    nodes = np.cumsum([0, *(len(t["left"]) for t in trees)])
    leaves = np.cumsum([0, *(len(t["value"]) for t in trees)])

    def children(name: str) -> np.ndarray:
        moved = [np.where(t[name] >= 0, t[name] + n, t[name] - v)
                 for t, n, v in zip(trees, nodes, leaves)]
        return np.concatenate(moved).astype(np.int32)

    def joined(name: str, dtype: type) -> np.ndarray:
        return np.concatenate([t[name] for t in trees]).astype(dtype)

    kind = joined("kind", np.int64)
    missing = np.where((kind & MISSING) == NAN_MISSING, (kind & DEFAULT_LEFT) > 0, -1)
    splits = np.diff(nodes) > 0
    return BoostedTrees(
        children("left"), children("right"), joined("feature", np.int32),
        joined("threshold", np.float64), missing.astype(np.int8), joined("value", np.float64),
        np.where(splits, nodes[:-1], ~leaves[:-1]).astype(np.int32), n_classes, n_features)


@compiled
def _walk(left, right, feature, threshold, missing, value, root, X, scores):  # type: ignore[no-untyped-def]
    """Add to `scores` (n, k) what each tree's leaf says, in the order of the trees."""
    k = scores.shape[1]
    for row in range(X.shape[0]):
        for tree in range(root.shape[0]):
            node = root[tree]
            while node >= 0:
                x = X[row, feature[node]]
                if np.isnan(x):
                    way = missing[node]
                    to_left = way == 1 or (way < 0 and threshold[node] >= 0.0)
                else:
                    to_left = x <= threshold[node]
                node = left[node] if to_left else right[node]
            scores[row, tree % k] += value[~node]
