"""A small U-Net over two frames, and small networks that say who is whom.

Per pixel, for each of both frames: whether it is cell, whether it is a cell's centre, how large
the cell is, whether it divides (the earlier frame) or was born (the later one) between them, and
an embedding in which the same cell, or mother and daughter, are alike. And how the cells of the
earlier frame move. Cells read the maps where they lie; one network then says of pairs of cells,
and of triples, whether one became the other, another of two places in one frame whether they are
one cell. The first starts from what places and shapes alone say (`geometry`), and learns what
that leaves.

After CELLECT (2025, doi:10.1038/s41592-025-02886-x), with maps for both frames at once.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from libcell.nn.segmenter import network as unet
from libcell.nn.tracker.cells import Cells
from libcell.nn.tracker.geometry import LINK_COLUMNS, SPLIT_COLUMNS, Candidates

CELL, CENTRE, SIZE, FATE = range(4)  # maps of each frame; FATE: divides, or was just born
MAPS = 4
SURE = 14.0  # gains end here, so that nothing is ever certain
QUICK = 30.0  # times as fast as any other number is learnt how much the embeddings are heeded
START = 0.5  # of what geometry says, before anything is learnt


@dataclass(frozen=True)
class Shape:
    """What the network is made of.

    channels   of one frame's image
    ndim       2 (N,C,Y,X) or 3 (N,C,Z,Y,X); planes are never folded or pooled
    fold       rows and columns that one pixel of the maps stands for
    widths     channels of the U-Net's levels
    embedding  numbers per pixel; hidden  of the small networks
    shaped     whether cells' shapes are known (from masks) or guessed (from points)
    """

    channels: int = 1
    ndim: int = 2
    fold: int = 2
    widths: tuple[int, ...] = (24, 48, 96, 128)
    embedding: int = 16
    hidden: int = 48
    shaped: bool = True

    @property
    def trunk(self) -> unet.Shape:
        """The U-Net: both frames' channels enter together."""
        return unet.Shape(2 * self.channels, self.ndim, self.fold, self.widths)

    @property
    def outputs(self) -> int:
        """Channels of all maps."""
        return 2 * (MAPS + self.embedding) + self.ndim

    def to_card(self) -> dict[str, Any]:
        """For the model card; `Shape(**card)` makes it again."""
        return asdict(self) | {"widths": list(self.widths)}


class Read(NamedTuple):
    """What the maps say where n cells of one frame lie.

    size (n,): logarithm of the cell's edge in px over `fold`; fate (n,) logit; embedding (n, E) of
    length 1; moves (n, d) x pixels, of cells of the earlier frame
    """

    size: torch.Tensor
    fate: torch.Tensor
    embedding: torch.Tensor
    moves: torch.Tensor


class Tracker(nn.Module):
    """Two frames (N,2C,[Z,]Y,X) float32 to maps (N,outputs,[Z,]Y/fold,X/fold)."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.trunk = unet.Segmenter(shape.trunk)
        self.trunk.head = nn.Identity()
        conv = nn.Conv2d if shape.ndim == 2 else nn.Conv3d
        self.head = conv(shape.widths[0], shape.outputs, 1)
        pair = 2 * shape.embedding
        self.link = _perceptron(LINK_COLUMNS + pair + 5, shape.hidden)
        self.split = _perceptron(SPLIT_COLUMNS + pair + 7, shape.hidden)
        self.within = _perceptron(pair + 6, shape.hidden)
        self.trust = nn.Parameter(torch.full((2,), float(np.log(np.expm1(START)))))
        self.heed = nn.Parameter(torch.zeros(2))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return self.head(self.trunk.features(image))

    # -- what a frame's maps are, and what they say of cells --------------------------------

    def frame(self, maps: torch.Tensor, later: int) -> torch.Tensor:
        """Maps (MAPS,[Z,]y,x) of one frame, of maps (outputs,[Z,]y,x) of one pair."""
        first = later * (MAPS + self.shape.embedding)
        return maps[first : first + MAPS]

    def read(self, maps: torch.Tensor, later: int, cells: Cells) -> Read:
        """What the maps of one pair (outputs,[Z,]y,x) say of cells of the earlier (0) or later
        frame (1)."""
        points = torch.from_numpy(cells.points()).to(maps.device)
        return self._read(at(maps, points, self.shape.fold).mean(dim=1), later)

    def _read(self, found: torch.Tensor, later: int) -> Read:
        first = later * (MAPS + self.shape.embedding)
        own = found[:, first : first + MAPS + self.shape.embedding]
        alike = functional.normalize(own[:, MAPS:], dim=1)
        moves = found[:, 2 * (MAPS + self.shape.embedding) :] * self.shape.fold
        return Read(own[:, SIZE], own[:, FATE], alike, moves)

    # -- who is whom ------------------------------------------------------------------------

    def across(
        self, given: Candidates, earlier: Read, later: Read
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gains (m,) of links and (k,) of splits: log odds against having no partner."""
        device = earlier.fate.device
        trust = functional.softplus(self.trust)
        heed = QUICK * self.heed
        i, j = torch.from_numpy(given.links).to(device).T
        like = (earlier.embedding[i] * later.embedding[j]).sum(dim=1)
        one = heed[0] * like + self.link(torch.cat([
            _tensor(given.link_facts, device), _alike(earlier.embedding[i], later.embedding[j]),
            _squeezed(earlier.fate[i], later.fate[j], later.size[j] - earlier.size[i],
                      _off(given.link_steps, earlier.moves[i], given.size))], dim=1))[:, 0]
        i, j, k = torch.from_numpy(given.splits).to(device).T
        both = functional.normalize(later.embedding[j] + later.embedding[k], dim=1)
        sisters = (later.embedding[j] * later.embedding[k]).sum(dim=1)
        two = heed[1] * (earlier.embedding[i] * both).sum(dim=1) + self.split(torch.cat([
            _tensor(given.split_facts, device), _alike(earlier.embedding[i], both),
            _squeezed(earlier.fate[i], later.fate[j] + later.fate[k], sisters,
                      (later.fate[j] - later.fate[k]).abs(),
                      (later.size[j] - later.size[k]).abs(),
                      _off(given.split_steps, earlier.moves[i], given.size))], dim=1))[:, 0]
        priors = _tensor(given.link_prior, device), _tensor(given.split_prior, device)
        return _soft(one + trust[0] * priors[0]), _soft(two + trust[1] * priors[1])

    def same(self, maps: torch.Tensor, later: int, places: torch.Tensor) -> torch.Tensor:
        """Logits (m,) that two places (m, 2, d), in voxels of one frame, are one cell."""
        ends = torch.cat([places, places.mean(dim=1, keepdim=True)], dim=1)
        found = at(maps, ends, self.shape.fold)
        first = later * (MAPS + self.shape.embedding)
        own = found[:, :, first : first + MAPS + self.shape.embedding]
        alike = functional.normalize(own[..., MAPS:], dim=2)
        apart = (places[:, 0] - places[:, 1]).square().sum(dim=1).add(1e-6).sqrt()
        size = own[:, :2, SIZE].mean(dim=1)
        middle = own[:, 2]
        return self.within(torch.cat([
            _alike(alike[:, 0], alike[:, 1]),
            _squeezed(middle[:, CELL], middle[:, CENTRE], own[:, :2, CENTRE].amin(dim=1), size,
                      (apart / self.shape.fold).log() - size)], dim=1))[:, 0]


def at(maps: torch.Tensor, places: torch.Tensor, fold: int) -> torch.Tensor:
    """Maps (C,[Z,]y,x) at places (n, K, d), in voxels of the image: (n, K, C), interpolated."""
    d = places.shape[2]
    edges = torch.tensor([s * (fold if axis >= d - 2 else 1)
                          for axis, s in enumerate(maps.shape[1:])], device=maps.device)
    grid = ((2 * places + 1) / edges - 1).flip(2)  # x first, as grid_sample has it
    shaped = grid.reshape(1, *[1] * (d - 2), *grid.shape)
    found = functional.grid_sample(maps[None], shaped, mode="bilinear", padding_mode="border",
                                   align_corners=False)
    return found.reshape(maps.shape[0], *places.shape[:2]).permute(1, 2, 0)


def _perceptron(inside: int, hidden: int) -> nn.Sequential:
    """Two hidden layers; it starts by saying nothing."""
    last = nn.Linear(hidden, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inside, hidden), nn.SiLU(), nn.Linear(hidden, hidden),
                         nn.SiLU(), last)


def _alike(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(n, 2E + 1): products, differences, and how alike on the whole."""
    return torch.cat([a * b, (a - b).abs(), (a * b).sum(dim=1, keepdim=True)], dim=1)


def _off(steps: np.ndarray, moves: torch.Tensor, size: float) -> torch.Tensor:
    """(n,) how far a step is from the move that the maps expect, in sizes."""
    rest = (_tensor(steps, moves.device) - moves) / size
    return rest.square().sum(dim=1).add(1e-6).sqrt()


def _squeezed(*columns: torch.Tensor) -> torch.Tensor:
    made = torch.stack(columns, dim=1)
    return made.sign() * made.abs().log1p()


def _soft(gain: torch.Tensor) -> torch.Tensor:
    return SURE * torch.tanh(gain / SURE)


def _tensor(values: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(values).to(device)
