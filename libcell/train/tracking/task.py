"""The tracker as the training engine sees it: pairs drawn by seed, loss, figures held out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from libcell.nn.tracker import losses
from libcell.nn.tracker.cells import Cells, usual_size
from libcell.nn.tracker.network import CELL, CENTRE, Read, Tracker, at
from libcell.train.engine.task import Task
from libcell.train.segmentation.crops import Turn
from libcell.train.tracking import pairs
from libcell.train.tracking.movies import Movie
from libcell.train.tracking.pairs import Cut, Pair, Pairs
from libcell.train.tracking.truth import NONE, UNKNOWN, fate
from libcell.train.tracking.views import View

HELD = 12  # crops at most that validation looks at
FEW = 0.05  # of the known cells may be less sure than what counts as one in raw images
DIVIDING = 0.35  # share of the crops that are drawn around a division
BORN = 5.0  # weight of a cell that divides, beside those that do not
WEIGHTS = {"maps": 3.0, "size": 0.2, "fate": 0.3, "moves": 0.3, "alike": 0.3, "within": 0.3,
           "links": 1.0}


@dataclass(frozen=True)
class Drawing:
    """How pairs are drawn: pairs of a step, steps of an epoch, how far apart in time their frames
    are at most, and how they are cut."""

    batch: int
    steps: int
    skip: int
    cut: Cut


@dataclass(frozen=True)
class Place:
    """A cell to cut a crop around, in frames `t` and `later` of a movie."""

    movie: int
    t: int
    later: int
    middle: tuple[float, ...]
    divides: bool


class TrackerTask(Task):
    """Learns from movies; `held` are the steps (movie, t) from a frame to the next that judge it.
    """

    monitor = "loss"

    def __init__(self, network: Tracker, movies: list[Movie], held: list[tuple[int, int]],
                 drawing: Drawing, seed: int):
        self.network: nn.Module = network
        self._movies, self._drawing, self._seed = movies, drawing, seed
        every = [p for m in range(len(movies)) for p in self._places(m)]
        kept = {(m, t) for m, t in held}
        self._train = [p for p in every
                       if not any((p.movie, t) in kept for t in range(p.t, p.later))]
        self._near = _sorted_by_skip(self._train)
        self._held = self._held_pairs([p for p in every
                                       if p.later == p.t + 1 and (p.movie, p.t) in kept])

    @property
    def empty(self) -> bool:
        """Whether there is nothing to learn from."""
        return not self._train

    def steps(self, epoch: int) -> int:
        """Batches of an epoch."""
        return self._drawing.steps

    def batches(self, epoch: int, start: int) -> Iterator[tuple[torch.Tensor, Pairs]]:
        """Pairs that depend on seed, epoch and place alone."""
        for step in range(start, self._drawing.steps):
            made = [self._draw(np.random.default_rng((self._seed, epoch, step, item)))
                    for item in range(self._drawing.batch)]
            yield torch.stack([p.image for p in made]), Pairs(made)

    def loss(
        self, network: nn.Module, batch: tuple[torch.Tensor, Pairs]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The sum of all parts, and each."""
        image, made = batch
        maps = network(image).float()
        own = self.network
        assert isinstance(own, Tracker)
        sums: dict[str, torch.Tensor] = {}
        for one, pair in zip(maps, made):
            for name, value in parts(own, one, pair)[0].items():
                sums[name] = sums.get(name, torch.zeros((), device=one.device)) + value / len(made)
        total = torch.stack([WEIGHTS[n] * v for n, v in sums.items()]).sum()
        return total, sums

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Loss, and which part of the known cells, and of those that divide, chose rightly."""
        assert isinstance(network, Tracker)
        sums: dict[str, float] = {}
        counts = np.zeros(4)
        for pair in self._held:
            maps = network(pair.image[None].to(device)).float()[0]
            found, gains = parts(network, maps, pair)
            loss = sum(WEIGHTS[n] * float(v) for n, v in found.items())
            sums["loss"] = sums.get("loss", 0.0) + loss / len(self._held)
            counts += _chosen(gains, pair)
        if self._held:
            sums |= {"links_right": float(counts[0] / max(counts[1], 1)),
                     "divisions_right": float(counts[2] / counts[3]) if counts[3] else 1.0}
        return sums

    @torch.no_grad()
    def sure(self, network: Tracker) -> dict[str, float]:
        """Probabilities that most known cells reach, in crops as they are: `cell` within them,
        `centre` at their centres. Networks that learnt little are right long before they are sure.
        """
        found: dict[str, list[torch.Tensor]] = {"cell": [], "centre": []}
        for pair in self._held_pairs([p for p in self._train if p.later == p.t + 1]):
            maps = network(pair.image[None]).float()[0]
            for later, cells in ((0, pair.a), (1, pair.b.take(pair.real))):
                values = at(network.frame(maps, later), torch.from_numpy(cells.points()),
                            network.shape.fold).sigmoid()
                found["cell"].append(values[:, :, CELL].flatten())
                found["centre"].append(values[:, 0, CENTRE])
        return {k: round(float(torch.cat(v).quantile(FEW)), 4) for k, v in found.items()}

    # -- drawing -----------------------------------------------------------------------------

    def _draw(self, rng: np.random.Generator) -> Pair:
        later = min(int(rng.geometric(0.7)), self._drawing.skip)
        groups = self._near.get(later) or next(iter(self._near.values()))
        some = groups[1] if groups[1] and rng.random() < DIVIDING else groups[0]
        place = some[rng.integers(len(some))]
        return pairs.draw(self._movies[place.movie], place.t, place.later,
                          np.array(place.middle), self._drawing.cut, rng)

    def _places(self, number: int) -> Iterator[Place]:
        movie = self._movies[number]
        for t, frame in enumerate(movie.frames):
            middles = frame.cells.centres / frame.cells.spacing
            for later in range(t + 1, min(t + 1 + self._drawing.skip, len(movie.frames))):
                known = fate(frame.track, movie.frames[later].track, movie.parents, movie.complete)
                for row in np.flatnonzero(known.count >= 0):
                    yield Place(number, t, later, tuple(middles[row].tolist()),
                                bool(known.count[row] == 2))

    def _held_pairs(self, places: list[Place]) -> list[Pair]:
        """Crops as they are, that cover the places held out."""
        cut, made, seen = self._drawing.cut, [], set()
        planes, edge = cut.size
        for p in places:
            block = (p.movie, p.t, *(int(v // edge) for v in p.middle[-2:]))
            if block in seen:
                continue
            seen.add(block)
            y, x = (int(v) for v in p.middle[-2:])
            movie = self._movies[p.movie]
            deep = movie.frames[p.t].image.shape[1]
            z = round(p.middle[0]) if len(p.middle) == 3 else 0
            first = int(np.clip(z - planes // 2, 0, max(0, deep - planes)))
            view = View((y, x), first, cut.size, Turn.none())
            made.append((movie, (p.t, p.later), view))
        step = max(1, -(-len(made) // HELD))
        return [pairs.make(m, steps, (v, v), cut, np.random.default_rng((self._seed, i)))
                for i, (m, steps, v) in enumerate(made[::step])]


def _sorted_by_skip(places: list[Place]) -> dict[int, tuple[list[Place], list[Place]]]:
    """By distance in time: all places, and those of divisions."""
    found: dict[int, tuple[list[Place], list[Place]]] = {}
    for p in places:
        groups = found.setdefault(p.later - p.t, ([], []))
        groups[0].append(p)
        if p.divides:
            groups[1].append(p)
    return found


def parts(
    network: Tracker, maps: torch.Tensor, pair: Pair
) -> tuple[dict[str, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Parts of the loss of one pair by its maps, and the gains of its links and splits."""
    device = maps.device
    frames = [network.frame(maps, later) for later in (0, 1)]
    wanted = (pair.maps.cell.to(device), pair.maps.centre.to(device))
    made = {"maps": losses.maps_loss(torch.stack([f[CELL] for f in frames]),
                                     torch.stack([f[CENTRE] for f in frames]), wanted,
                                     pair.maps.weight.to(device))}
    reads = (network.read(maps, 0, pair.a), network.read(maps, 1, pair.b))
    gains = network.across(pair.given, *reads)
    known = pair.right
    made |= _cell_parts(network.shape.fold, pair, reads)
    made["alike"] = losses.alike_loss(reads[0].embedding, reads[1].embedding, pair.known.source)
    close = [(network.same(maps, later, torch.from_numpy(pair.places[later]).to(device)),
              torch.from_numpy(pair.same[later]).float().to(device)) for later in (0, 1)]
    made["within"] = _mean(functional.binary_cross_entropy_with_logits(
        torch.cat([c[0] for c in close]), torch.cat([c[1] for c in close]), reduction="none"))
    links, splits, *right = (torch.from_numpy(v).to(device) for v in (
        pair.given.links, pair.given.splits, known.links, known.splits, known.sources,
        known.targets))
    made["links"] = losses.links_loss(gains, links, splits, (right[0], right[1]),
                                      (right[2], right[3]))
    return made, gains


def _cell_parts(fold: int, pair: Pair, reads: tuple[Read, Read]) -> dict[str, torch.Tensor]:
    """Size, fate and move of each cell."""
    device, size, fates = reads[0].fate.device, usual_size(pair.a), []
    for read, told in zip(reads, (pair.known.count, _births(pair))):
        rows = np.flatnonzero((told >= 0) & (told <= 2))
        yes = torch.from_numpy((told[rows] == 2).astype(np.float32)).to(device)
        loss = functional.binary_cross_entropy_with_logits(
            read.fate[torch.from_numpy(rows).to(device)], yes, reduction="none")
        fates.append(loss * (1 + (BORN - 1) * yes))
    sizes = [_size_loss(r, c, fold) for r, c in zip(reads, (pair.a, pair.b.take(pair.real)))]
    rows = np.flatnonzero(np.isfinite(pair.moves[:, 0]))
    true = torch.from_numpy(pair.moves[rows] / size).float().to(device)
    off = reads[0].moves[torch.from_numpy(rows).to(device)] / size - true
    move = functional.smooth_l1_loss(off, torch.zeros_like(off), reduction="none", beta=0.2)
    return {"size": _mean(torch.cat(sizes)), "fate": _mean(torch.cat(fates)),
            "moves": _mean(move.sum(dim=1))}


def _births(pair: Pair) -> np.ndarray:
    """(m,) how many cells came of the mother of each of the later frame; -1 unknown."""
    source, count = pair.known.source, np.append(pair.known.count, UNKNOWN)
    return np.where(source >= 0, count[np.maximum(source, 0)], np.where(source == NONE, 0, -1))


def _size_loss(read: Read, cells: Cells, fold: int) -> torch.Tensor:
    """(n,) by how much the logarithms of the cells' edges are off."""
    volume = np.maximum(cells.sizes * np.prod(cells.spacing), 1)
    edge = np.log(volume ** (1 / cells.centres.shape[1]) / fold)
    there = read.size[: len(cells)]
    return functional.smooth_l1_loss(there, torch.from_numpy(edge).float().to(there.device),
                                     reduction="none")


def _mean(values: torch.Tensor) -> torch.Tensor:
    """The mean, 0 of nothing."""
    return values.sum() / max(1, values.numel())


def _chosen(gains: tuple[torch.Tensor, torch.Tensor], pair: Pair) -> np.ndarray:
    """Known cells of the earlier frame whose best hypothesis, or none, is right, and all of them;
    the same of those that divide."""
    n = len(pair.a)
    best, right = np.zeros(n), pair.known.count == 0
    for gain, rows, true in ((gains[0], pair.given.links, pair.right.links),
                             (gains[1], pair.given.splits, pair.right.splits)):
        for value, i, yes in zip(gain.tolist(), rows[:, 0].tolist(), true.tolist()):
            if value > best[i]:
                best[i], right[i] = value, yes
    known = pair.right.sources
    divides = known & (pair.known.count == 2)
    return np.array([(right & known).sum(), known.sum(), (right & divides).sum(), divides.sum()])
