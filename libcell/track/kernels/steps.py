"""All that may have happened between the frames of a movie, frame by frame.

Motion and links are found in turns: the links that are best under the motion believed so far say
how the objects moved, which says better where to look for each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from libcell.nn.flow import Flow, drift
from libcell.track.kernels import ellipses, likeness
from libcell.track.kernels.ellipses import Objects
from libcell.track.kernels.likeness import Costs
from libcell.track.solver import packing
from libcell.track.solver.candidates import couples, nearest
from libcell.track.solver.hypotheses import Hypotheses, join, links

ROUNDS = 5  # of links and motion in turns at most; most frames settle after one or two
FEW = 200  # objects among which one wrong link may mislead the motion; among more it is outvoted
SETTLED = 0.2  # sizes by which the motion of no object changes any more
RANGE = 6.0  # how far the drift may be, in sizes
GATE = 3.0  # how far from where it is expected an object may lie, in sizes
VOTERS, CHOICES = 100, 20  # objects that vote for the drift, and candidates of each
MASS = (0.4, 2.5)  # daughters together to their mother; what is beyond is not looked at


@dataclass(frozen=True)
class Rules:
    """What is looked for.

    costs         of loose ends and rare events
    neighbours    candidates of each object
    max_distance  from where an object is expected, px; None: three times its size
    max_gap       frames that a link may leave out
    motion        estimate how the objects move; else they are expected where they were
    """

    costs: Costs = field(default_factory=Costs)
    neighbours: int = 6
    max_distance: float | None = None
    max_gap: int = 1
    motion: bool = True


@dataclass
class Past:
    """An earlier frame: its objects, their first number, and where they are by now."""

    objects: Objects
    first: int
    places: np.ndarray
    age: int = 0


def steps(frames: Iterable[Objects], rules: Rules) -> Iterator[tuple[Objects, Hypotheses]]:
    """Every frame with the hypotheses whose targets are in it; holds `max_gap` + 2 frames.

    Objects are numbered through the movie in the order in which they come.
    """
    past: list[Past] = []
    first = 0
    for objects in frames:
        for p in past:
            p.age += 1
        past = [p for p in past if p.age <= rules.max_gap + 1]
        found = into(objects, first, past, rules)
        yield objects, join(found)
        if len(objects):
            past.append(Past(objects, first, objects.centres))
        first += len(objects)


def into(
    objects: Objects, first: int, past: list[Past], rules: Rules
) -> Iterator[Hypotheses]:
    """Hypotheses into one frame; what is past is moved along to where it is expected now."""
    if not past or not len(objects):
        return
    size = usual_size(past[-1].objects)
    flow, moves = motion(past[-1], objects, size, rules)
    for p in past:
        p.places = p.places + (moves if p is past[-1] else flow.at(p.places))
        found = between(p.places, p.objects, objects, size, rules, p.age - 1)
        if p.age == 1 and rules.costs.merge is not None:
            found = join([found, merging(p.places, p.objects, objects, size, rules)])
        yield numbered(found, len(p.objects), p.first, first)


def usual_size(a: Objects) -> float:
    """Edge (px) of a square or cube as large as the median object; of points half of the median
    distance to the next."""
    if a.masks:
        return float(np.median(a.sizes) ** (1 / a.centres.shape[1]))
    i, j = nearest(a.centres, a.centres, 2, np.inf)
    apart = np.linalg.norm(a.centres[i] - a.centres[j], axis=1)
    return float(np.median(apart[apart > 0])) / 2 if apart.any() else 1.0


def motion(
    past: Past, b: Objects, size: float, rules: Rules
) -> tuple[Flow, np.ndarray]:
    """How the objects of the last frame moved to this one, as a field and each of them."""
    a, places = past.objects, past.places
    flow = Flow(places[:0], places[:0])
    moves = np.zeros_like(places)
    if not rules.motion:
        return flow, moves
    moves = moves + common_move(places, a, b, size)
    choose = packing.best if len(a) <= FEW else packing.good
    for _ in range(ROUNDS):
        before = moves
        found = between(places + moves, a, b, size, rules, past.age - 1)
        taken = found.take(choose(found))
        split, target = taken.division, taken.target - len(a)
        to = b.centres[target[:, 0]]
        to[split] = ellipses.united(b, *target[split].T).centres
        flow = Flow(places[taken.source], to - places[taken.source])
        moves = flow.at(places)
        if np.abs(moves - before).max() < SETTLED * size:
            break
    return flow, moves


def common_move(places: np.ndarray, a: Objects, b: Objects, size: float) -> np.ndarray:
    """(d,) px: the drift, by a vote of objects and of would-be daughters that look alike."""
    some = np.unique(np.linspace(0, len(a) - 1, VOTERS).astype(np.int64))
    row, j = nearest(places[some], b.centres, CHOICES, RANGE * size)
    i = some[row]
    moves = b.centres[j] - places[i]
    alike = likeness.unlike_shape(a, i, b, j, size)
    if a.masks:
        s, *two = _couples(places, a, b, (i, j), RANGE * size)
        pair = ellipses.united(b, *two)
        moves = np.concatenate([moves, pair.centres - places[s]])
        rows = np.arange(s.size)
        alike = np.concatenate([alike, likeness.unlike_shape(a, s, pair, rows, size)])
    return drift(moves, np.exp(-alike / 2), size)


def between(
    places: np.ndarray, a: Objects, b: Objects, size: float, rules: Rules, missed: int = 0
) -> Hypotheses:
    """Links from `a`, expected at `places`, to `b`, and divisions unless frames were missed.

    The objects of `a` are numbered from 0, those of `b` after them.
    """
    costs, gate = rules.costs, rules.max_distance or GATE * size
    i, j = nearest(places, b.centres, rules.neighbours, gate)
    loose = costs.appear + costs.disappear
    gain = loose - missed * costs.gap - likeness.unlike(places, a, i, b, j, size)
    one = links(i, len(a) + j, gain)
    if missed:
        return one.take(gain > 0)
    s, first, second = _couples(places, a, b, (i, j), gate)
    pair = ellipses.united(b, first, second)
    gains = loose + costs.appear - costs.division - likeness.unlike(
        places, a, s, pair, np.arange(s.size), size)
    gains -= likeness.unlike_sisters(b, first, second, size)
    two = Hypotheses(s, len(a) + np.stack([first, second], axis=1), gains)
    return join([one.take(one.gain > 0), two.take(gains > 0)])


def merging(
    places: np.ndarray, a: Objects, b: Objects, size: float, rules: Rules
) -> Hypotheses:
    """Pairs of `a`, expected at `places`, that are one object of `b`; numbered as in `between`.

    The larger of a pair goes on as that object, the other ends; of points the nearer one does.
    """
    costs, gate = rules.costs, rules.max_distance or GATE * size
    there = replace(a, centres=places)
    j, i = nearest(b.centres, places, rules.neighbours, gate)
    to, first, second = _couples(b.centres, b, there, (j, i), gate)
    pair = ellipses.united(there, first, second)
    rows = np.arange(to.size)
    gain = 2 * costs.disappear + costs.appear - (costs.merge or 0.0) - likeness.unlike(
        pair.centres, pair, rows, b, to, size)
    far = [np.linalg.norm(places[k] - b.centres[to], axis=1) for k in (first, second)]
    swap = a.sizes[first] < a.sizes[second] if a.masks else far[0] > far[1]
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    good = gain > 0
    one = links(first[good], len(a) + to[good], gain[good])
    return replace(one, second=second[good])


def _couples(
    places: np.ndarray, a: Objects, b: Objects, near: tuple[np.ndarray, np.ndarray], gate: float
) -> tuple[np.ndarray, ...]:
    found = couples(*near, places, b.centres, b.sizes, a.sizes, gate, *MASS)
    return tuple(found.T)


def numbered(found: Hypotheses, count: int, source: int, target: int) -> Hypotheses:
    """Numbers in the movie: those of the earlier frame's `count` objects begin at `source`."""
    to = np.where(found.target < 0, found.target, found.target - count + target)
    second = None if found.second is None else np.where(
        found.second < 0, found.second, found.second + source)
    return Hypotheses(found.source + source, to, found.gain, second)
