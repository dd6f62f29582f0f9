"""The set of hypotheses with the largest total gain in which every object serves once.

A weighted set packing, solved exactly. First what needs no search: a hypothesis is taken where
all that could stand in its place together gain no more (the weight of the best packing of its
neighbours bounds that), and what it rules out is struck; this repeats until nothing changes.
What is left, usually a few per cent, is an integer programme for HiGHS.
"""

import numpy as np
from scipy import optimize, sparse

from libcell.compiled import compiled
from libcell.errors import CellError
from libcell.track.solver.hypotheses import NONE, Hypotheses

OPEN, TAKEN, STRUCK = 0, 1, 2


def best(hypotheses: Hypotheses) -> np.ndarray:
    """(n,) bool: which to take. Those that gain nothing are never taken."""
    slots, count = _slots(hypotheses)
    state = np.where(hypotheses.gain > 0, OPEN, STRUCK).astype(np.int8)
    if state.size:
        start, member = _members(slots, count)
        settle(slots, hypotheses.gain, start, member, state)
    rest = np.flatnonzero(state == OPEN)
    taken = state == TAKEN
    taken[rest[programme(slots[rest], hypotheses.gain[rest])]] = True
    return np.asarray(taken)


def _slots(hypotheses: Hypotheses) -> tuple[np.ndarray, int]:
    """(n, 3) int64: the slots that each uses, -1 for none, and how many slots there are.

    An object has a slot for where it goes and another for whence it came.
    """
    sources, out = np.unique(hypotheses.source, return_inverse=True)
    targets, into = np.unique(hypotheses.target, return_inverse=True)
    into = into.reshape(-1, 2) + sources.size
    into[hypotheses.target == NONE] = NONE
    return np.column_stack([out, into]).astype(np.int64), int(sources.size + targets.size)


def _members(slots: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which hypotheses use each slot: those of slot s are member[start[s]:start[s + 1]]."""
    used = slots.ravel()
    rows = np.flatnonzero(used != NONE)
    order = rows[np.argsort(used[rows], kind="stable")]
    start = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(used[rows], minlength=count), out=start[1:])
    return start, order // 3


@compiled
def settle(
    slots: np.ndarray, gain: np.ndarray, start: np.ndarray, member: np.ndarray, state: np.ndarray
) -> None:
    """Take and strike, in place, what can be told without search."""
    changed = True
    while changed:
        changed = False
        for h in range(gain.size):
            if state[h] == OPEN and rivals(h, slots, gain, start, member, state) <= gain[h]:
                state[h] = TAKEN
                changed = True
                for k in range(3):
                    s = slots[h, k]
                    if s >= 0:
                        for p in range(start[s], start[s + 1]):
                            if state[member[p]] == OPEN:
                                state[member[p]] = STRUCK


@compiled
def rivals(
    h: int, slots: np.ndarray, gain: np.ndarray, start: np.ndarray, member: np.ndarray,
    state: np.ndarray,
) -> float:
    """An upper bound of what could be gained in the place of hypothesis h.

    Rivals are told apart by which of its (up to three) slots they use, as bits; those of
    different slots may go together.
    """
    most = np.zeros(8)
    for k in range(3):
        s = slots[h, k]
        if s < 0:
            continue
        for p in range(start[s], start[s + 1]):
            r = member[p]
            if r == h or state[r] != OPEN:
                continue
            bits = 0
            for i in range(3):
                for j in range(3):
                    if slots[h, i] >= 0 and slots[h, i] == slots[r, j]:
                        bits |= 1 << i
            most[bits] = max(most[bits], gain[r])
    apart = most[1] + most[2] + most[4]
    paired = max(most[3] + most[4], max(most[5] + most[2], most[6] + most[1]))
    return max(most[7], max(apart, paired))


def programme(slots: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """(n,) bool: the best packing, by HiGHS."""
    if not gain.size:
        return np.zeros(0, bool)
    row, column = np.nonzero(slots != NONE)
    _, limit = np.unique(slots[row, column], return_inverse=True)
    matrix = sparse.csr_array((np.ones(row.size), (limit, row)),
                              shape=(int(limit.max()) + 1, gain.size))
    found = optimize.milp(
        -gain, integrality=np.ones(gain.size), bounds=optimize.Bounds(0, 1),
        constraints=optimize.LinearConstraint(matrix, -np.inf, 1), options={"mip_rel_gap": 0.0})
    if found.x is None:
        raise CellError(f"linking: {gain.size} hypotheses could not be solved: {found.message}")
    return np.asarray(found.x > 0.5)
