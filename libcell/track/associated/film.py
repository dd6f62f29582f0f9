"""From associations in overlapping windows to tracks; memory follows the window."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from libcell.track.associated.network import Associations, Seen
from libcell.track.kernels.ellipses import Objects
from libcell.track.kernels.movie import Linked, numbered
from libcell.track.solver import packing
from libcell.track.solver.hypotheses import Hypotheses, join, links

LEAST = 0.05  # trackastra's: associations below are not averaged over windows
CERTAIN = 1e-4  # from 0 and 1, so that a logarithm is finite


@dataclass(frozen=True)
class Choice:
    """How links are chosen.

    solver     greedy: trackastra's own, the surest first; global: the best packing
    threshold  association that a link needs
    reach      px between linked objects at most
    nearest    candidates of each object at most
    """

    solver: str = "greedy"
    threshold: float = 0.5
    reach: float = 256.0
    nearest: int = 10


@dataclass(frozen=True)
class Pairs:
    """Candidates from one frame to the next: row numbers of objects, and how sure each is."""

    source: np.ndarray
    target: np.ndarray
    sure: np.ndarray


def link(frames: Iterable[Seen], network: Associations, count: int, choice: Choice) -> Linked:
    """Tracks of a movie of `count` frames."""
    seen: list[Objects] = []
    source = [np.zeros(0, np.int64)]
    sure, split, objective = [np.zeros(0)], [np.zeros(0, bool)], 0.0
    for before, objects, found in steps(frames, network, count, choice):
        n = len(objects)
        came, how, divided = np.full(n, -1), np.full(n, np.nan), np.zeros(n, bool)
        taken = chosen(found, choice)
        first = sum(len(o) for o in seen) - (len(before) if before else 0)
        came[found.target[taken]] = found.source[taken] + first
        how[found.target[taken]] = found.sure[taken]
        uses = np.bincount(found.source[taken], minlength=len(before) if before else 0)
        divided[found.target[taken]] = uses[found.source[taken]] > 1
        objective -= float(_odds(found.sure[taken], choice).sum())
        seen.append(objects)
        source.append(came)
        sure.append(how)
        split.append(divided)
    origin, parts = np.concatenate(source), np.concatenate(split)
    track, parent = numbered(origin, parts)
    division = np.zeros(origin.size, bool)
    division[origin[parts]] = True
    counts = np.array([len(o) for o in seen], np.int64)
    centres = [o.centres for o in seen if len(o)]
    return Linked(
        np.repeat(np.arange(counts.size), counts),
        np.concatenate([np.zeros(0, np.int64), *(o.labels for o in seen)]), track, parent,
        np.concatenate(centres) if centres else np.zeros((0, 2)), np.concatenate(sure), division,
        objective)


def steps(
    frames: Iterable[Seen], network: Associations, count: int, choice: Choice
) -> Iterator[tuple[Objects | None, Objects, Pairs]]:
    """Each frame with the one before and the candidates between them."""
    window = max(2, min(network.window, count))
    held: deque[Seen] = deque()
    sums: deque[np.ndarray] = deque()  # for each pair of held frames: sums and their counts
    before: Objects | None = None
    none = np.zeros(0, np.int64)
    for seen in frames:
        if held:
            sums.append(np.zeros((2, len(held[-1].objects), len(seen.objects))))
        else:
            yield None, seen.objects, Pairs(none, none, np.zeros(0))
        held.append(seen)
        if len(held) == window:
            _add(network, held, sums)
            before = held.popleft().objects
            yield before, held[0].objects, _pairs(before, held[0].objects, sums.popleft(), choice)
    while sums:
        before = held.popleft().objects
        yield before, held[0].objects, _pairs(before, held[0].objects, sums.popleft(), choice)


def _add(network: Associations, held: deque[Seen], sums: deque[np.ndarray]) -> None:
    if sum(len(s.objects) > 0 for s in held) < 2:
        return
    scores = network.among(list(held))
    ends = np.cumsum([0, *(len(s.objects) for s in held)])
    for k, total in enumerate(sums):
        part = scores[ends[k] : ends[k + 1], ends[k + 1] : ends[k + 2]]
        counted = part >= LEAST
        total[0] += np.where(counted, part, 0)
        total[1] += counted


def _pairs(a: Objects, b: Objects, total: np.ndarray, choice: Choice) -> Pairs:
    """The nearest few of those that the network thinks of at all."""
    sure = np.divide(total[0], total[1], out=np.zeros(total.shape[1:]), where=total[1] > 0)
    if not sure.size:
        nothing = np.zeros(0, np.int64)
        return Pairs(nothing, nothing, np.zeros(0))
    far = np.where(sure > 0, cdist(a.centres, b.centres), np.inf)
    rank = np.argsort(np.argsort(far, axis=1, kind="stable"), axis=1, kind="stable")
    i, j = np.nonzero((far <= choice.reach) & (rank < choice.nearest))
    return Pairs(i, j, sure[i, j])


def chosen(found: Pairs, choice: Choice) -> np.ndarray:
    """(k,) int64: the candidates that become links; a source has two at most, a target one."""
    enough = np.flatnonzero(found.sure >= choice.threshold)
    if choice.solver == "greedy":
        return _greedy(found, enough)
    return _best(found, enough, choice)


def _greedy(found: Pairs, rows: np.ndarray) -> np.ndarray:
    """As trackastra does it over the whole movie: frames do not touch each other there."""
    taken, out, into = [], dict[int, int](), set[int]()
    for row in rows[np.argsort(-found.sure[rows], kind="stable")].tolist():
        i, j = int(found.source[row]), int(found.target[row])
        if j not in into and out.get(i, 0) < 2:
            taken.append(row)
            out[i] = out.get(i, 0) + 1
            into.add(j)
    return np.array(taken, np.int64)


def _best(found: Pairs, rows: np.ndarray, choice: Choice) -> np.ndarray:
    """The links with the largest sum of log odds that fit together."""
    gain = _odds(found.sure[rows], choice)
    i, j = found.source[rows], found.target[rows]
    later = int(i.max(initial=-1)) + 1
    one = links(i, j + later, gain)
    first, second = np.nonzero(np.triu(i[:, None] == i[None], 1))
    two = Hypotheses(i[first], np.stack([j[first], j[second]], axis=1) + later,
                     gain[first] + gain[second])
    taken = np.flatnonzero(packing.best(join([one, two])))
    single, pair = taken[taken < rows.size], taken[taken >= rows.size] - rows.size
    return np.asarray(rows[np.concatenate([single, first[pair], second[pair]])])


def _odds(sure: np.ndarray, choice: Choice) -> np.ndarray:
    """Log odds of associations, 0 at the threshold."""
    kept = np.clip(sure, CERTAIN, 1 - CERTAIN)
    zero = np.clip(choice.threshold, CERTAIN, 1 - CERTAIN)
    return np.asarray(np.log(kept / (1 - kept)) - np.log(zero / (1 - zero)))
