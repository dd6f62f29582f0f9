"""All that may have happened between the frames of a movie, weighed by the network.

Where to look comes from the motion that `lap` estimates; the network's gains then say which
links are best, and those say the motion once more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from libcell.nn.flow import Flow
from libcell.nn.tracker.cells import Cells, as_balls, united, usual_size
from libcell.nn.tracker.geometry import candidates
from libcell.track.kernels import steps as motion
from libcell.track.kernels.ellipses import Objects
from libcell.track.kernels.steps import Past, Rules
from libcell.track.learned.maps import Box, Look
from libcell.track.solver import packing
from libcell.track.solver.hypotheses import EMPTY, Hypotheses, join, links

ROUNDS = 2  # of gains and motion in turns
CERTAIN = 2.0  # what is linked with more gain is not looked for beyond a gap


@dataclass(frozen=True)
class Seen:
    """A frame: its number, image (C,Z,Y,X) float32 with contrast stretched, and its objects."""

    t: int
    image: np.ndarray
    objects: Objects


@dataclass(frozen=True)
class Weights:
    """What is added to the network's gains: `division` is taken from those of divisions, `gap`
    from links for each frame that they leave out; no more than `max_gap` frames are."""

    division: float = 0.0
    gap: float = 2.0
    max_gap: int = 1


@dataclass
class _Known(Past):
    """An earlier frame, and the most that any hypothesis of each of its objects gains so far."""

    seen: Seen | None = None
    most: np.ndarray | None = None


def steps(
    frames: Iterable[Seen], look: Look, weights: Weights, spacing: np.ndarray
) -> Iterator[tuple[Objects, Hypotheses]]:
    """Every frame with the hypotheses whose targets are in it; holds `max_gap` + 2 frames.

    spacing  (d,) size of a voxel in x pixels
    """
    past: list[_Known] = []
    first = 0
    for seen in frames:
        for p in past:
            p.age += 1
        past = [p for p in past if p.age <= weights.max_gap + 1]
        objects = seen.objects
        yield objects, join(_into(seen, first, past, look, weights, spacing))
        if len(objects):
            past.append(_Known(objects, first, objects.centres, 0, seen, np.zeros(len(objects))))
        first += len(objects)


def _into(
    seen: Seen, first: int, past: list[_Known], look: Look, weights: Weights, spacing: np.ndarray
) -> Iterator[Hypotheses]:
    """Hypotheses into one frame: from the one before, and over gaps from what is still loose."""
    if not past or not len(seen.objects):
        return
    last, b = past[-1], _cells(seen.objects, look, spacing)
    size = motion.usual_size(last.objects)
    flow, moves = motion.motion(last, seen.objects, size, Rules())
    found, flow = _weighed(last, seen, moves, look, spacing)
    into = np.zeros(len(b))
    for p in reversed(past):
        if p is not last:
            p.places = p.places + flow.at(p.places)
            found = _over_gap(p, seen, into, look, spacing)
        gain = (found.gain - weights.division * found.division
                - weights.gap * (p.age - 1))
        found = Hypotheses(found.source, found.target, gain).take(gain > 0)
        _note(found, p, into)
        yield motion.numbered(found, len(p.objects), p.first, first)
    last.places = last.places + flow.at(last.places)


def _weighed(
    last: _Known, seen: Seen, moves: np.ndarray, look: Look, spacing: np.ndarray
) -> tuple[Hypotheses, Flow]:
    """Hypotheses from the frame before, and the motion that the best of them say."""
    a, b = _cells(last.objects, look, spacing), _cells(seen.objects, look, spacing)
    for turn in range(ROUNDS):
        found = _gains(last, seen, (a, b), moves, look)
        taken = found.take(packing.good(found))
        flow = _flow(taken, a, b)
        if turn < ROUNDS - 1:
            moves = flow.at(a.centres)
    return found, flow


def _over_gap(
    p: _Known, seen: Seen, into: np.ndarray, look: Look, spacing: np.ndarray
) -> Hypotheses:
    """Links from an earlier frame's objects that are loose still, to those that are."""
    assert p.most is not None
    a, b = _cells(p.objects, look, spacing), _cells(seen.objects, look, spacing)
    loose, free = np.flatnonzero(p.most < CERTAIN), np.flatnonzero(into < CERTAIN)
    if not loose.size or not free.size:
        return EMPTY
    moves = (p.places - a.centres)[loose]
    found = _gains(p, seen, (a.take(loose), b.take(free)), moves, look)
    one = found.take(~found.division)
    return links(loose[one.source], len(a) + free[one.target[:, 0] - loose.size], one.gain)


def _note(found: Hypotheses, p: _Known, into: np.ndarray) -> None:
    """Keep what each object gains at most, in place."""
    assert p.most is not None
    np.maximum.at(p.most, found.source, found.gain)
    for target in found.target.T:
        there = target >= 0
        np.maximum.at(into, target[there] - len(p.objects), found.gain[there])


@torch.no_grad()
def _gains(
    p: _Known, seen: Seen, cells: tuple[Cells, Cells], moves: np.ndarray, look: Look
) -> Hypotheses:
    """What the network says of two frames' cells; targets are numbered after the sources."""
    assert p.seen is not None
    a, b = cells
    given = candidates(a, b, moves, usual_size(a), look.network.shape.shaped)
    if not len(given.links):
        return EMPTY
    box = _box(a, b, look.network.shape.fold)
    maps = look.at((p.seen.t, seen.t), (p.seen.image, seen.image), box)
    gains = look.network.across(given, look.network.read(maps, 0, a),
                                look.network.read(maps, 1, b))
    one, two = (g.cpu().numpy().astype(np.float64) for g in gains)
    return join([links(given.links[:, 0], len(a) + given.links[:, 1], one),
                 Hypotheses(given.splits[:, 0], len(a) + given.splits[:, 1:], two)])


def _box(a: Cells, b: Cells, fold: int) -> Box:
    """Rows and columns in which the cells' points lie, and what is interpolated between."""
    places = np.concatenate([c.points()[..., -2:].reshape(-1, 2) for c in (a, b)])
    low = np.maximum(np.floor(places.min(axis=0)) - 2 * fold, 0).astype(int)
    high = np.ceil(places.max(axis=0)).astype(int) + 2 * fold
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _flow(taken: Hypotheses, a: Cells, b: Cells) -> Flow:
    """The moves of what was linked, of mothers to the middle of their daughters."""
    split, target = taken.division, taken.target - len(a)
    to = b.centres[target[:, 0]]
    to[split] = united(b, *target[split].T).centres
    return Flow(a.centres[taken.source], to - a.centres[taken.source])


def _cells(objects: Objects, look: Look, spacing: np.ndarray) -> Cells:
    cells = Cells(objects.centres, objects.spreads, objects.sizes, spacing)
    return cells if look.network.shape.shaped else as_balls(cells)
