"""What one step learns from: a crop of two frames, its cells, and what became of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from libcell.nn.tracker.cells import Cells, usual_size
from libcell.nn.tracker.geometry import Candidates, candidates
from libcell.train.segmentation import intensity
from libcell.train.segmentation.crops import Turn
from libcell.train.tracking import targets, truth
from libcell.train.tracking.movies import Frame, Movie
from libcell.train.tracking.truth import UNKNOWN, Fate, Right
from libcell.train.tracking.views import View

DECOYS = 2  # places that are nobody's, for each annotated cell where not all are
JITTER = (0.05, 0.04, 0.25)  # the later frame turns (rad), grows, and shifts (sizes) a little
DOUBT = 0.12  # sizes by which the expected moves are off, at random
SWAP = 0.05  # how often dark and bright change places
CLOSE = 5  # places within a frame that are compared, of each cell


@dataclass(frozen=True)
class Pair:
    """A crop of two frames.

    image    (2C,[Z,]Y,X) float32
    maps     what the maps should say, see `targets.Maps`
    a, b     cells of the earlier and of the later frame; real  rows of `b` that are cells, and
             not places that are nobody's
    known    who became whom
    moves    (n, d) how far the cells of `a` moved, x pixels; nan unknown
    given    what may have become of each; right  what did
    places   per frame (m, 2, d) float32, voxels: two places each; same (m,) bool: in one cell
    """

    image: torch.Tensor
    maps: targets.Maps
    a: Cells
    b: Cells
    real: np.ndarray
    known: Fate
    moves: np.ndarray
    given: Candidates
    right: Right
    places: tuple[np.ndarray, np.ndarray]
    same: tuple[np.ndarray, np.ndarray]


class Pairs:
    """Pairs of a batch, which the engine may cut and bring to a device: they stay where they are.

    No list, of which the engine would take each item for a tensor.
    """

    def __init__(self, pairs: list[Pair]):
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __getitem__(self, part: slice) -> "Pairs":
        return Pairs(self.pairs[part])

    def to(self, device: torch.device, non_blocking: bool = False) -> "Pairs":
        """Themselves; what the loss needs of them it brings itself."""
        return self


@dataclass(frozen=True)
class Cut:
    """How pairs are cut: (planes, edge) of the crop, scale, fold and share of the annotated cells
    (see `targets.draw`), whether shapes are known."""

    size: tuple[int, int]
    span: float
    fold: int
    share: float
    shaped: bool


def draw(
    movie: Movie, t: int, later: int, middle: np.ndarray, cut: Cut, rng: np.random.Generator
) -> Pair:
    """A crop of frames `t` and `later` (rows of the movie) near `middle` (d,) voxels, turned and
    changed at random."""
    frame = movie.frames[t]
    size = usual_size(frame.cells)
    planes, edge = cut.size
    y, x = (round(float(v + rng.uniform(-0.35, 0.35) * edge)) for v in middle[-2:])
    deep = frame.image.shape[1]
    z = middle[0] + rng.uniform(-0.35, 0.35) * planes if middle.size == 3 else 0
    first = int(np.clip(round(z) - planes // 2, 0, max(0, deep - planes)))
    turn = Turn.draw(rng, cut.span)
    one = View((y, x), first, cut.size, turn)
    angle, growth = rng.uniform(-1, 1, 2) * JITTER[:2]
    c, s = np.cos(angle), np.sin(angle)
    moved = turn.matrix @ np.array([[c, -s], [s, c]]) * np.exp(growth)
    shift = np.rint(rng.uniform(-1, 1, 2) * JITTER[2] * size).astype(int)
    two = View((y + int(shift[0]), x + int(shift[1])), first, cut.size,
               Turn(moved, turn.scale, turn.mirror_z))
    return make(movie, (t, later), (one, two), cut, rng,
                lambda image: intensity.recast(image, rng, SWAP))


def make(
    movie: Movie, steps: tuple[int, int], views: tuple[View, View], cut: Cut,
    rng: np.random.Generator, change: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Pair:
    """The pair of two views of two frames; `change` is done to the images of both."""
    frames = [movie.frames[t] for t in steps]
    a, b, known, expected, real = _cells(movie, frames, views, rng)
    size = usual_size(a if len(a) else b)
    given = candidates(a, b, expected + rng.normal(0, DOUBT * size, expected.shape), size,
                       cut.shaped)
    image = torch.cat([v.pixels(f.image, "bilinear") for v, f in zip(views, frames)])
    image = change(image) if change else image
    there = (a, b.take(real))
    maps = targets.draw([_mask(v, f) for v, f in zip(views, frames)],
                        [v.known(f.image.shape[1:]) for v, f in zip(views, frames)],
                        there, cut.fold, cut.share)
    close = [_close(c, rng) for c in there]
    return Pair(image[:, 0] if a.centres.shape[1] == 2 else image, maps, a, b, real, known,
                truth.moves(a, b, known), given, truth.right(given, known),
                (close[0][0], close[1][0]), (close[0][1], close[1][1]))


def _cells(
    movie: Movie, frames: list[Frame], views: tuple[View, View], rng: np.random.Generator
) -> tuple[Cells, Cells, Fate, np.ndarray, np.ndarray]:
    """Cells of both crops, who became whom, how far those of the first are expected to move, and
    which rows of the second are cells."""
    full = truth.fate(frames[0].track, frames[1].track, movie.parents, movie.complete)
    true = truth.moves(frames[0].cells, frames[1].cells, full)
    believed = truth.expected(frames[0].cells, true, rng)
    whole = [v.cells(f.cells) for v, f in zip(views, frames)]
    inside = [v.inside(c) for v, c in zip(views, whole)]
    a, b = (c.take(i) for c, i in zip(whole, inside))
    expected = (_there(frames[0].cells, believed, views) - whole[0].centres)[inside[0]]
    known, real = _within(full, inside[0], inside[1]), np.arange(len(b))
    if not movie.complete:
        b, known = _with_decoys(a, b, expected, known, usual_size(a if len(a) else b), rng)
    return a, b, known, expected, real


def _mask(view: View, frame: Frame) -> torch.Tensor | None:
    return None if frame.mask is None else view.pixels(frame.mask[None], "nearest")[0]


def _there(cells: Cells, moves: np.ndarray, views: tuple[View, View]) -> np.ndarray:
    """Where the cells of the earlier frame are expected in the later one's crop."""
    moved = Cells(cells.centres + moves, cells.spreads, cells.sizes, cells.spacing)
    return views[1].cells(moved).centres


def _within(full: Fate, a: np.ndarray, b: np.ndarray) -> Fate:
    """Of the cells that are in the crop; who has a partner outside of it is unknown."""
    number = np.cumsum(a) - 1
    source = full.source[b]
    there = source >= 0
    inside = there & a[np.maximum(source, 0)]
    source = np.where(there, np.where(inside, number[np.maximum(source, 0)], UNKNOWN), source)
    count = full.count[a]
    left = np.bincount(source[source >= 0], minlength=count.size)
    return Fate(source, np.where((count >= 0) & (left == count), count, UNKNOWN))


def _with_decoys(
    a: Cells, b: Cells, moves: np.ndarray, known: Fate, size: float, rng: np.random.Generator
) -> tuple[Cells, Fate]:
    """Where not all cells are annotated: places around the annotated ones that are not them."""
    if not len(a):
        return b, known
    around = np.repeat(a.centres + moves, DECOYS, axis=0)
    way = rng.normal(size=around.shape)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    places = around + way * rng.uniform(0.8, 2.5, (len(around), 1)) * size
    if len(b):
        places = places[cKDTree(b.centres).query(places)[0] > 0.7 * size]
    like = rng.integers(len(a), size=len(places))
    decoys = Cells(places, a.spreads[like], a.sizes[like], a.spacing)
    source = np.concatenate([known.source, np.full(len(places), UNKNOWN)])
    return b.join(decoys), Fate(source, known.count)


def _close(cells: Cells, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of places in one cell, and in neighbours."""
    n, d = cells.centres.shape
    if not n:
        return np.zeros((0, 2, d), np.float32), np.zeros(0, bool)
    off = rng.uniform(-1.2, 1.2, (2, n, d))
    ends = cells.centres + np.einsum("ndk,pnk->pnd", cells.roots, off)
    own = np.stack([ends[0], ends[1]], axis=1)
    near = cKDTree(cells.centres).query(cells.centres, k=np.arange(1, min(CLOSE, n) + 1))[1]
    i = np.repeat(np.arange(n), near.shape[1] - 1)
    other = np.stack([ends[0][i], ends[1][near[:, 1:].ravel()]], axis=1)
    places = np.concatenate([own, other]) / cells.spacing
    return places.astype(np.float32), np.arange(len(places)) < n
