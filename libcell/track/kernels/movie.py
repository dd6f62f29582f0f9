"""A movie's objects into tracks: hypotheses, the best of them, numbers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from libcell.compiled import compiled
from libcell.track.kernels.ellipses import Objects
from libcell.track.kernels.likeness import Costs
from libcell.track.kernels.steps import Rules, steps
from libcell.track.solver.hypotheses import Hypotheses, join
from libcell.track.solver.windows import Window, chosen


@dataclass(frozen=True)
class Linked:
    """Every object of a movie, in the order of frames.

    t, label, track, parent  (n,) int64; parent 0: none
    centres                  (n, d) float64, as they came
    score                    (n,) float64: the part of the cost of loose ends that the link to the
                             object before saves, 0..1; nan without one
    division                 (n,) bool: it divides before the next frame
    objective                cost of what was found, all loose ends and unlikely links together
    """

    t: np.ndarray
    label: np.ndarray
    track: np.ndarray
    parent: np.ndarray
    centres: np.ndarray
    score: np.ndarray
    division: np.ndarray
    objective: float


def link(frames: Iterable[Objects], rules: Rules, window: Window | None) -> Linked:
    """Tracks of a movie; memory for pixels and hypotheses follows the window."""
    return settled(steps(frames, rules), rules.costs, window)


def settled(
    frames: Iterable[tuple[Objects, Hypotheses]], costs: Costs, window: Window | None
) -> Linked:
    """Tracks of a movie whose frames come with the hypotheses into them; whatever gains they
    have, none is above the cost of the loose ends that it saves."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def watched() -> Iterator[Hypotheses]:
        for objects, found in frames:
            seen.append((objects.labels, objects.centres))
            yield found

    found = join(chosen(watched(), window))
    counts = np.array([len(names) for names, _ in seen], np.int64)
    total = int(counts.sum())
    source, score, split = _incoming(found, total, costs)
    track, parent = numbered(source, split)
    division = np.zeros(total, bool)
    division[found.source[found.division]] = True
    labels = np.concatenate([np.zeros(0, np.int64), *(names for names, _ in seen)])
    return Linked(np.repeat(np.arange(counts.size), counts), labels, track, parent,
                  _places([c for _, c in seen]), score, division,
                  _objective(found, counts, costs))


def _incoming(
    found: Hypotheses, total: int, costs: Costs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every object: where it came from (-1: nowhere), how well, whether by a division."""
    source, score = np.full(total, -1, np.int64), np.full(total, np.nan)
    split = np.zeros(total, bool)
    most = costs.disappear + costs.appear * (1 + found.division)
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
