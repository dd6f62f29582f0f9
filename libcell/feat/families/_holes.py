"""The area of holes, from the gaps between an object's runs in one row."""

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._runs import Runs


def holes(runs: Runs) -> np.ndarray:
    """Pixels in the holes of each object, int64 (n,).

    A hole is closed off from the outside also across corners (scikit-image's area_filled).
    """
    found = np.zeros(len(runs.area), np.int64)
    _holes(runs, np.arange(len(runs.y) + 1), found)
    return found


@compiled
def _holes(runs: Runs, root: np.ndarray, found: np.ndarray) -> None:
    """`root` leads from the gap after each run to one joined with it; its last is the outside."""
    for i in range(runs.area.size):
        stop = runs.first[i + 1]
        before, here = runs.first[i], runs.first[i]  # where the row above and this one begin
        while here < stop:
            after = here + 1
            while after < stop and runs.y[after] == runs.y[here]:
                after += 1
            above = before < here and runs.y[before] == runs.y[here] - 1
            _join_rows(runs, root, before, here if above else before, here, after)
            below = after < stop and runs.y[after] == runs.y[here] + 1
            if not below:
                _join_rows(runs, root, here, after, after, after)
            before, here = here, after
        outside = _find(root, root.size - 1)
        for r in range(runs.first[i], stop - 1):
            if runs.y[r] == runs.y[r + 1] and _find(root, r) != outside:
                found[i] += runs.x0[r + 1] - runs.x1[r]


@compiled
def _join_rows(runs: Runs, root: np.ndarray, a: int, a1: int, b: int, b1: int) -> None:
    """Join the gaps of runs a to a1 with those of runs b to b1 in the row below that they touch;
    a row without runs is outside."""
    outside = root.size - 1
    for r in range(a, a1 - 1):
        if b == b1 or runs.x0[b] >= runs.x1[r] or runs.x1[b1 - 1] <= runs.x0[r + 1]:
            root[_find(root, r)] = _find(root, outside)
        for s in range(b, b1 - 1):
            if runs.x1[r] <= runs.x0[s + 1] and runs.x1[s] <= runs.x0[r + 1]:
                root[_find(root, r)] = _find(root, s)
    for s in range(b, b1 - 1):
        if a == a1 or runs.x0[a] >= runs.x1[s] or runs.x1[a1 - 1] <= runs.x0[s + 1]:
            root[_find(root, s)] = _find(root, outside)


@compiled
def _find(root: np.ndarray, r: int) -> int:
    while root[r] != r:
        root[r] = root[root[r]]
        r = root[r]
    return r
