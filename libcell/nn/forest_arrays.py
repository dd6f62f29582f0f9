"""What a forest is made of, and the check of arrays that come from a file."""

from dataclasses import dataclass, fields

import numpy as np

from libcell.errors import DataError

# name -> dtype, number of dimensions; the order is that of the file
LAYOUT: dict[str, tuple[type, int]] = {
    "children_left": (np.int32, 1),
    "children_right": (np.int32, 1),
    "feature": (np.int32, 1),
    "threshold": (np.float64, 1),
    "missing_go_to_left": (np.uint8, 1),
    "probability": (np.float64, 2),
    "tree_offsets": (np.int64, 1),
    "classes": (np.int64, 1),
    "n_features": (np.int64, 1),
}
LEAF = -1
PER_NODE = ("children_right", "feature", "threshold", "missing_go_to_left", "probability")
SUM_TOLERANCE = 1e-6  # a node's shares add up to 1 but for the rounding of weighted counts


@dataclass(frozen=True, eq=False)
class ForestArrays:
    """A forest: the nodes of all trees, one tree after the other, each tree's root first.

    `children_left`, `children_right` int32 (nodes,): counted from the tree's root; -1 in leaves.
    `feature` int32 (nodes,): column of X that an inner node looks at.
    `threshold` float64 (nodes,): x <= threshold goes left; infinite where only NaN goes right.
    `missing_go_to_left` uint8 (nodes,): 1 where NaN goes left.
    `probability` float64 (nodes, k): share of each class in the node.
    `tree_offsets` int64 (trees + 1,): first node of each tree, then the number of nodes.
    `classes` int64 (k,): label of each column of `probability`, ascending.
    """

    children_left: np.ndarray
    children_right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_go_to_left: np.ndarray
    probability: np.ndarray
    tree_offsets: np.ndarray
    classes: np.ndarray
    n_features: int

    @property
    def n_trees(self) -> int:
        return len(self.tree_offsets) - 1

    def to_tensors(self) -> dict[str, np.ndarray]:
        """Arrays by name, contiguous, as safetensors takes them; `n_features` has shape (1,)."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["n_features"] = np.array([self.n_features])
        return {
            name: np.ascontiguousarray(values[name], dtype) for name, (dtype, _) in LAYOUT.items()
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray]) -> "ForestArrays":
        """The forest in `tensors`, or a DataError (a ValueError) that lists all faults.

        A model file is untrusted: whatever passes can be walked without an index out of range
        and without end.
        """
        for faults in (_layout_faults, _shape_faults, _node_faults):
            found = faults(tensors)
            if found:
                raise DataError("not a forest: " + "; ".join(found))
        kept = {name: tensors[name] for name in LAYOUT if name != "n_features"}
        return cls(**kept, n_features=int(tensors["n_features"][0]))


def _layout_faults(tensors: dict[str, np.ndarray]) -> list[str]:
    """Names, dtypes and numbers of dimensions that are not those of LAYOUT."""
    faults = [f"array {name!r} is missing" for name in LAYOUT if name not in tensors]
    faults += [f"array {name!r} is not known" for name in tensors if name not in LAYOUT]
    for name, (dtype, ndim) in LAYOUT.items():
        array = tensors.get(name)
        if array is not None and (array.dtype != dtype or array.ndim != ndim):
            wanted = f"{np.dtype(dtype)} in {ndim} dimension(s)"
            faults.append(f"{name} is {array.dtype} {array.shape}, expected {wanted}")
    return faults


def _shape_faults(tensors: dict[str, np.ndarray]) -> list[str]:
    """Lengths that contradict each other; offsets and classes that are out of order."""
    nodes, offsets = len(tensors["children_left"]), tensors["tree_offsets"]
    classes, n_features = tensors["classes"], tensors["n_features"]
    faults = [
        f"{name} has {len(tensors[name])} nodes, children_left has {nodes}"
        for name in PER_NODE
        if len(tensors[name]) != nodes
    ]
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != nodes:
        faults.append(f"tree_offsets do not run from 0 to the number of nodes, {nodes}")
    elif (offsets[1:] <= offsets[:-1]).any():
        faults.append("tree_offsets do not ascend")
    if len(classes) != tensors["probability"].shape[1]:
        columns = tensors["probability"].shape[1]
        faults.append(f"probability has {columns} columns, there are {len(classes)} classes")
    if len(classes) < 2 or (classes[1:] <= classes[:-1]).any():
        faults.append("classes are not two or more, ascending")
    if n_features.shape != (1,) or n_features[0] < 1:
        faults.append("n_features is not one positive number")
    return faults


def _node_faults(tensors: dict[str, np.ndarray]) -> list[str]:
    """Nodes that would lead out of the arrays, in circles, or to no probability."""
    left, right = tensors["children_left"], tensors["children_right"]
    inner = (left != LEAF) | (right != LEAF)
    columns = int(tensors["n_features"][0])
    feature, share = tensors["feature"], tensors["probability"]
    with np.errstate(invalid="ignore", over="ignore"):  # hostile shares: inf - inf
        # not (good) rather than (bad): a NaN is then a fault too
        wrong_share = ~((share >= 0) & (share <= 1)).all(axis=1)
        wrong_share |= ~(np.abs(share.sum(axis=1) - 1) <= SUM_TOLERANCE)
    checks = {
        "child index out of range, or before its parent": _wrong_child(tensors, inner),
        "node that is not the child of exactly one node": _wrong_parent(tensors, inner),
        f"feature index outside 0..{columns - 1}": inner & ((feature < 0) | (feature >= columns)),
        "threshold that is not a number": inner & np.isnan(tensors["threshold"]),
        "missing_go_to_left that is neither 0 nor 1": tensors["missing_go_to_left"] > 1,
        "class probabilities that are not shares of 1": wrong_share,
    }
    return [
        f"{what} (node {int(np.argmax(bad))}, {int(bad.sum())} in all)"
        for what, bad in checks.items()
        if bad.any()
    ]


def _tree_of_node(tensors: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """For each node int64 (nodes,): the first node of its tree, and its tree's size."""
    offsets = tensors["tree_offsets"]
    sizes = np.diff(offsets)
    return np.repeat(offsets[:-1], sizes), np.repeat(sizes, sizes)


def _wrong_child(tensors: dict[str, np.ndarray], inner: np.ndarray) -> np.ndarray:
    """bool (nodes,): a child beyond its tree, or not after its parent.

    scikit-learn numbers every child after its parent; asking for that makes circles impossible.
    """
    first, size = _tree_of_node(tensors)
    own = np.arange(len(first)) - first
    wrong = np.zeros(len(first), bool)
    for name in ("children_left", "children_right"):
        child = tensors[name]
        wrong |= inner & ((child <= own) | (child >= size))
    return wrong


def _wrong_parent(tensors: dict[str, np.ndarray], inner: np.ndarray) -> np.ndarray:
    """bool (nodes,): a root with a parent, or another node without exactly one."""
    first, size = _tree_of_node(tensors)
    parents = np.zeros(len(first), np.int64)
    for name in ("children_left", "children_right"):
        child = tensors[name].astype(np.int64)
        usable = inner & (child >= 0) & (child < size)  # the others are reported already
        parents += np.bincount((first + child)[usable], minlength=len(first))
    expected = np.arange(len(first)) != first
    return parents != expected
