"""A movie's objects into tracks: hypotheses, the best of them, numbers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from libcell.compiled import compiled
from libcell.track.kernels.ellipses import Objects
from libcell.track.kernels.likeness import Costs
from libcell.track.kernels.steps import Rules, steps
from libcell.track.solver import packing
from libcell.track.solver.hypotheses import Hypotheses, join
from libcell.track.solver.windows import Solver, Window, chosen


@dataclass(frozen=True)
class Linked:
    """Every object of a movie, in the order of frames.

    t, label, track, parent  (n,) int64; parent 0: none
    centres                  (n, d) float64, as they came
    score                    (n,) float64: the part of the cost of loose ends that the link to the
                             object before saves, 0..1; nan without one
    division                 (n,) bool: it divides before the next frame
    objective                cost of what was found, all loose ends and unlikely links together
    merges                   how often two objects became one
    """

    t: np.ndarray
    label: np.ndarray
    track: np.ndarray
    parent: np.ndarray
    centres: np.ndarray
    score: np.ndarray
    division: np.ndarray
    objective: float
    merges: int = 0


def link(
    frames: Iterable[Objects], rules: Rules, window: Window | None, solve: Solver = packing.best
) -> Linked:
    """Tracks of a movie; memory for pixels and hypotheses follows the window."""
    return settled(steps(frames, rules), rules.costs, window, solve)


def settled(
    frames: Iterable[tuple[Objects, Hypotheses]], costs: Costs, window: Window | None,
    solve: Solver = packing.best,
) -> Linked:
    """Tracks of a movie whose frames come with the hypotheses into them; whatever gains they
    have, none is above the cost of the loose ends that it saves."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def watched() -> Iterator[Hypotheses]:
        for objects, found in frames:
            seen.append((objects.labels, objects.centres))
            yield found

    found = join(chosen(watched(), window, solve))
    counts = np.array([len(names) for names, _ in seen], np.int64)
    total = int(counts.sum())
    source, score, split = _incoming(found, total, costs)
    if found.merge.any():
        come_apart(source, split, found)
    track, parent = numbered(source, split)
    division = np.zeros(total, bool)
    division[source[split]] = True
    labels = np.concatenate([np.zeros(0, np.int64), *(names for names, _ in seen)])
    return Linked(np.repeat(np.arange(counts.size), counts), labels, track, parent,
                  _places([c for _, c in seen]), score, division,
                  _objective(found, counts, costs), int(found.merge.sum()))


def come_apart(source: np.ndarray, split: np.ndarray, found: Hypotheses) -> None:
    """Where two that merged divide again nothing was born: both go on, in place.

    The one that ended at the merge goes on as the second of the two, over a gap.
    """
    ended = dict(zip(found.target[found.merge, 0].tolist(), found.others[found.merge].tolist()))
    for row in np.flatnonzero(found.division).tolist():
        here = int(found.source[row])
        while here >= 0 and here not in ended and not split[here]:
            here = int(source[here])
        if here in ended:
            first, second = found.target[row].tolist()
            split[first] = split[second] = False
            source[second] = ended.pop(here)


def _incoming(
    found: Hypotheses, total: int, costs: Costs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every object: where it came from (-1: nowhere), how well, whether by a division."""
    source, score = np.full(total, -1, np.int64), np.full(total, np.nan)
    split = np.zeros(total, bool)
    most = costs.disappear * (1 + found.merge) + costs.appear * (1 + found.division)
    for column in (0, 1):
        target = found.target[:, column]
        there = target >= 0
        source[target[there]] = found.source[there]
        score[target[there]] = (found.gain / most)[there]
        split[target[there]] = found.division[there]
    return source, score, split


@compiled
def numbered(source: np.ndarray, split: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Track and parent (n,) int64 of objects in the order of time, from 1 as they appear."""
    track, parent = np.zeros_like(source), np.zeros_like(source)
    last = 0
    for i in range(source.size):
        s = source[i]
        if s >= 0 and not split[i]:
            track[i], parent[i] = track[s], parent[s]
        else:
            last += 1
            track[i] = last
            parent[i] = track[s] if s >= 0 else 0
    return track, parent


def _objective(found: Hypotheses, counts: np.ndarray, costs: Costs) -> float:
    """Those of the first frame need no source, those of the last no target."""
    busy = np.flatnonzero(counts)
    if not busy.size:
        return 0.0
    begin, end = counts[busy[0]], counts[busy[-1]]
    total = counts.sum()
    loose = costs.appear * (total - begin) + costs.disappear * (total - end)
    return float(loose - found.gain.sum())


def _places(centres: list[np.ndarray]) -> np.ndarray:
    axes = max((c.shape[1] for c in centres), default=2)
    return np.concatenate([np.zeros((0, axes)), *(c for c in centres if len(c))])
