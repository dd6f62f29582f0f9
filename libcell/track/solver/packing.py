"""The set of hypotheses with the largest total gain in which every object serves once.

A weighted set packing, solved exactly. Without divisions it is an assignment, and the worth of
objects proves it best. Then come the divisions that gain more than their objects are worth. Where
one of them only adds a daughter that nobody else has, it is taken, and its mother is worth more.
What is left in doubt bounds how much may be gained at all; hypotheses that would lose more than
that are struck, and the islands that remain, usually few and small, are integer programmes for
HiGHS. Where they are large, those of the single doubts are solved first: what that gains is no
longer in doubt, and strikes most of the rest.
"""

import numpy as np
from scipy import optimize, sparse

from libcell.errors import CellError
from libcell.track.solver.assignment import assign, balance, divide
from libcell.track.solver.hypotheses import NONE, Hypotheses

EXACT = 1e-9  # of a gain, for rounding
SHARES = 8  # rounds in which worth is shared among slots
SHRINK = 20  # times that islands are made smaller at most
SMALL = 400  # hypotheses that HiGHS is given as they are


def best(hypotheses: Hypotheses) -> np.ndarray:
    """(n,) bool: which to take. Those that gain nothing are never taken."""
    rows = np.flatnonzero(hypotheses.gain > 0)
    taken = np.zeros(len(hypotheses), bool)
    if rows.size:
        taken[rows] = _best(hypotheses.take(rows))
    return taken


def exact(hypotheses: Hypotheses) -> np.ndarray:
    """(n,) bool: the best as one integer programme for HiGHS, nothing struck before: slow, and
    what `best` must equal in gain."""
    rows = np.flatnonzero(hypotheses.gain > 0)
    taken = np.zeros(len(hypotheses), bool)
    if rows.size:
        given = hypotheses.take(rows)
        taken[rows] = programme(_slots(given)[0], given.gain)
    return taken


def good(hypotheses: Hypotheses) -> np.ndarray:
    """(n,) bool: nearly the best, without a search among what is in doubt."""
    rows = np.flatnonzero(hypotheses.gain > 0)
    taken = np.zeros(len(hypotheses), bool)
    if rows.size:
        given = hypotheses.take(rows)
        slots, counts = _slots(given)
        taken[rows] = _with_worth(slots, given.gain, counts)[0]
    return taken


def _best(given: Hypotheses) -> np.ndarray:
    slots, counts = _slots(given)
    taken, worth = _with_worth(slots, given.gain, counts)
    spare = _worth_of(slots, worth) - given.gain
    doubtful = np.flatnonzero(_islands(slots, spare))
    if doubtful.size > SMALL:
        return _in_two_steps(slots, given.gain, spare, taken, doubtful)
    taken[doubtful] = programme(slots[doubtful], given.gain[doubtful])
    return taken


def _in_two_steps(
    slots: np.ndarray, gain: np.ndarray, spare: np.ndarray, taken: np.ndarray,
    doubtful: np.ndarray,
) -> np.ndarray:
    """The best packing where islands are large; `taken` is as good as their doubts leave it."""
    single = np.flatnonzero(_islands(slots, spare, each=True))
    better = taken.copy()
    better[single] = programme(slots[single], gain[single])
    island = _connected(slots[doubtful], int(slots.max()) + 1)[slots[:, 0]]
    inside = np.zeros(gain.size, bool)
    inside[doubtful] = True
    lack = np.where(inside, np.maximum(-spare, 0), 0)
    more = np.where(inside, gain * (better * 1.0 - taken), 0)
    hope = np.bincount(island, weights=lack - more)[island]
    rest = np.flatnonzero(inside & (hope > EXACT) & (spare <= hope + EXACT))
    last = np.zeros(gain.size, bool)
    last[rest] = programme(slots[rest], gain[rest])
    value = [np.bincount(island, weights=np.where(inside & t, gain, 0))[island]
             for t in (better, last)]
    return np.where(inside & (value[1] > value[0]), last, better)


def _slots(given: Hypotheses) -> tuple[np.ndarray, tuple[int, int]]:
    """(n, 3) int64: the slots that each uses, -1 for none; numbers of sources and of targets.

    An object has a slot for where it goes and another for whence it came; those of sources are
    numbered first. Of two that merge the second takes the third place.
    """
    others = given.others
    sources = np.unique(np.concatenate([given.source, others[others != NONE]]))
    targets, into = np.unique(given.target[given.target != NONE], return_inverse=True)
    slots = np.full((len(given), 3), NONE)
    slots[:, 0] = np.searchsorted(sources, given.source)
    slots[:, 1:][given.target != NONE] = into + sources.size
    slots[others != NONE, 2] = np.searchsorted(sources, others[others != NONE])
    return slots, (sources.size, targets.size)


def _with_worth(
    slots: np.ndarray, gain: np.ndarray, counts: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """A packing (n,) bool, and the worth of slots that adds up to its gain."""
    single = np.flatnonzero(slots[:, 2] == NONE)
    single = single[np.argsort(slots[single, 0], kind="stable")]
    sources, n = slots[single, 0], counts[0]
    start = np.searchsorted(sources, np.arange(n + 1))
    link, out, into = assign(start, slots[single, 1] - n, gain[single], counts[1])
    place = np.where(link >= 0, single[link] if single.size else NONE, NONE)
    taken = np.zeros(len(slots), bool)
    taken[place[place >= 0]] = True
    worth = np.concatenate([out, into])
    if single.size < len(slots):
        members = _members(slots, worth.size)
        balance(slots, gain, *members, np.flatnonzero(taken), worth, SHARES)
        _add_daughters(slots, gain, worth, taken, n)
        balance(slots, gain, *members, np.flatnonzero(taken), worth, SHARES)
    return taken, worth


def _members(slots: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which hypotheses use each slot: those of slot s are member[start[s]:start[s + 1]]."""
    used = slots.ravel()
    rows = np.flatnonzero(used != NONE)
    order = rows[np.argsort(used[rows], kind="stable")]
    start = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(used[rows], minlength=count), out=start[1:])
    return start, order // 3


def _add_daughters(
    slots: np.ndarray, gain: np.ndarray, worth: np.ndarray, taken: np.ndarray, sources: int
) -> None:
    """Take the divisions that gain more than their slots are worth, as far as nobody loses.

    The slots of targets begin at `sources`; a third slot below is of two that merge.
    """
    excess = gain - _worth_of(slots, worth)
    order = np.flatnonzero((excess > EXACT) & (slots[:, 2] >= sources))
    order = order[np.lexsort((order, -excess[order]))]
    place, held = np.full(worth.size, NONE), np.zeros(worth.size, bool)
    rows = np.flatnonzero(taken)
    single = rows[slots[rows, 2] == NONE]
    place[slots[single, 0]] = single
    held[slots[rows, 1:][slots[rows, 1:] != NONE]] = True
    divide(order, slots, excess, place, worth, taken, held)


def _worth_of(slots: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """(n,) float64: what the slots of each hypothesis are worth together."""
    return np.asarray(np.append(worth, 0.0)[slots].sum(axis=1))


def _islands(slots: np.ndarray, spare: np.ndarray, each: bool = False) -> np.ndarray:
    """(n,) bool: hypotheses that may be in a better packing, or that stand in its way.

    spare  (n,) by how much their slots are worth more than they gain; below 0, they may improve
           the packing, all those that hang together by no more than what they lack in sum
    each   by no more than the most that one of them lacks instead: smaller islands, a guess
    """
    lack = np.maximum(-spare, 0)
    lack[lack < EXACT] = 0
    if not lack.any():
        return np.zeros(len(slots), bool)
    count = int(slots.max()) + 1
    active = np.ones(len(slots), bool)
    for _ in range(SHRINK):
        group = _connected(slots[active], count)[slots[:, 0]]
        doubt = np.where(active, lack, 0)
        hope = np.bincount(group, weights=doubt)
        if each:
            hope[:] = 0
            np.maximum.at(hope, group, doubt)
        hope = hope[group]
        now = active & (hope > 0) & (spare <= hope + EXACT)
        if (now == active).all():
            break
        active = now
    return active


def _connected(slots: np.ndarray, count: int) -> np.ndarray:
    """(count,) int: the island that each slot is in."""
    ends = np.concatenate([slots[:, 1], slots[:, 2]])
    begins = np.concatenate([slots[:, 0], slots[:, 0]])
    there = ends != NONE
    graph = sparse.coo_array((np.ones(int(there.sum())), (begins[there], ends[there])),
                             shape=(count, count))
    return np.asarray(sparse.csgraph.connected_components(graph, directed=False)[1])


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
