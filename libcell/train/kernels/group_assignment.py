"""Whole groups dealt out to bins (splits or folds), so that each class is shared out as asked.

Greedy, largest group first, to the bin with the most room for the group's classes; several
orders are tried at once and the best result is kept. Small, deterministic, and near the optimum
for the hundreds of wells of a plate.
"""

import numpy as np

TRIALS = 64
WORK = 200_000  # trials x groups; with very many small groups one order is as good as another
MOST_JITTER = 2.0  # in e-folds of group size: the last trials hardly look at size any more
LEAST_JITTER = 1e-3  # equal groups in random order, else plate row A would always be in train
TIE = 1e-6  # between bins with the same room for these classes, the emptier one


def deal(
    counts: np.ndarray,
    fractions: np.ndarray,
    presence: np.ndarray,
    *,
    seed: int,
) -> np.ndarray:
    """int64 (g,): bin of each group.

    `counts` int (g, k): rows of each class in each group, no empty group or class.
    `fractions` float (b,): share of each class that each bin should get; 0: leave it empty.
    `presence` float (b,): what it is worth, in units of room, that a bin gets a class it lacks.
    With equal `presence` no bin stays empty while there are groups: an empty bin lacks every
    class, so no other can gain more, and TIE decides.
    """
    share = counts / counts.sum(axis=0)
    order = _orders(share, np.random.default_rng(seed))
    trials, groups = order.shape
    every = np.arange(trials)
    room = np.broadcast_to(fractions[:, None], (trials, len(fractions), share.shape[1])).copy()
    lacks = np.ones(room.shape, bool)
    chosen = np.empty((trials, groups), np.int64)
    for step in range(groups):
        group = order[:, step]
        part = share[group]
        gain = _gain(part, room, lacks, presence)
        gain[:, fractions == 0] = -np.inf
        best = gain.argmax(axis=1)
        chosen[every, group] = best
        room[every, best] -= part
        lacks[every, best] &= part == 0
    in_one_bin = ((~lacks).sum(axis=1) == 1).sum(axis=1)  # never both trained on and tested
    worth = lacks.sum(axis=2) @ np.where(fractions > 0, presence, 0)
    unevenness = (room**2).sum(axis=(1, 2)).round(12)  # rounding noise must not choose
    return chosen[np.lexsort((unevenness, worth, in_one_bin))[0]]


def _orders(share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """int64 (trials, g): orders of the groups, from strictly by size to nearly random."""
    groups = len(share)
    trials = int(np.clip(WORK // groups, 4, TRIALS))
    jitter = np.linspace(LEAST_JITTER, MOST_JITTER, trials)[:, None]
    size = np.log(share.sum(axis=1))
    return np.argsort(-size + jitter * rng.normal(size=(trials, groups)), axis=1, kind="stable")


def _gain(
    part: np.ndarray, room: np.ndarray, lacks: np.ndarray, presence: np.ndarray
) -> np.ndarray:
    """float64 (trials, b): how well a group with shares `part` (trials, k) suits each bin.

    Giving it to bin b lowers the sum of squares of `room` by 2 part.room plus a constant.
    """
    weight = part / part.sum(axis=1, keepdims=True)
    gain = np.einsum("tk,tbk->tb", weight, room) + TIE * room.mean(axis=2)
    brings = (lacks & (part > 0)[:, None, :]).sum(axis=2)
    return gain + brings * presence
