"""Crops for training: drawn near cells, turned, flipped and scaled with what is to be learnt."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from libcell.train.segmentation.directions import NEAR_STEPS, UNIT
from libcell.train.segmentation.fields import Prepared

NEAR_PX = 4.0  # directions shrink to 0 over the last pixels before the centre
NEAR_CELLS = 0.9  # share of the crops that are drawn around a cell
BORDER = 0.4  # of a crop's edge: no crop's middle is nearer to the field's


@dataclass(frozen=True)
class Crop:
    """What one step learns from.

    image   (C,Z,Y,X) float32
    target  (1+ndim,Z,Y,X) float32: cell 0 or 1, then the direction along [z,] y, x
    valid   (Z,Y,X) float32: 0 outside of the field, where nothing is known
    """

    image: torch.Tensor
    target: torch.Tensor
    valid: torch.Tensor


@dataclass(frozen=True)
class Turn:
    """How a crop lies in its field: offsets from the crop's middle times `matrix` are offsets in
    the field; `mirror_z` turns planes round."""

    matrix: np.ndarray
    scale: float
    mirror_z: bool

    @classmethod
    def none(cls) -> "Turn":
        return cls(np.eye(2), 1.0, False)

    @classmethod
    def draw(cls, rng: np.random.Generator, span: float) -> "Turn":
        """Any angle, flipped or not, up to `span` times larger or smaller, a little stretched."""
        angle = rng.uniform(0, 2 * np.pi)
        scale = float(np.exp(rng.uniform(-1, 1) * np.log(span)))
        stretch = float(np.exp(rng.uniform(-0.1, 0.1)))
        c, s = np.cos(angle), np.sin(angle)
        axes = np.diag([stretch, 1 / stretch]) @ np.diag([1, rng.choice([-1, 1])])
        return cls(np.array([[c, -s], [s, c]]) @ axes / scale, scale, bool(rng.integers(2)))


def draw(field: Prepared, rng: np.random.Generator, size: tuple[int, int], span: float) -> Crop:
    """A crop of `size` (planes, edge) somewhere in a field."""
    depth, height, width = field.cell.shape
    planes, edge = size
    if len(field.objects) and rng.random() < NEAR_CELLS:
        off = rng.uniform(-0.4, 0.4, 3) * (planes, edge, edge)
        z, y, x = field.objects[rng.integers(len(field.objects)), :3] + off
    else:
        z, y, x = rng.uniform(0, (depth, height, width))
    y, x = _within(y, height, edge), _within(x, width, edge)
    return cut(field, (float(z), y, x), size, Turn.draw(rng, span))


def _within(place: float, size: int, edge: int) -> float:
    """A place from which a crop does not lie mostly outside of the field."""
    margin = min(BORDER * edge, size / 2)
    return float(np.clip(place, margin, size - margin))


def cut(
    field: Prepared, middle: tuple[float, float, float], size: tuple[int, int], turn: Turn
) -> Crop:
    """The crop of `size` (planes, edge) around `middle` (z,y,x); mirrored outside of the field."""
    planes, edge = size
    reach = int(np.ceil(np.abs(turn.matrix).sum(axis=1).max() * edge / 2)) + 2
    y, x = round(middle[1]), round(middle[2])
    rows, inside_y = mirrored(np.arange(y - reach, y + reach), field.cell.shape[1])
    columns, inside_x = mirrored(np.arange(x - reach, x + reach), field.cell.shape[2])
    first = int(np.clip(round(middle[0]) - planes // 2, 0, max(0, field.cell.shape[0] - planes)))
    deep, inside_z = mirrored(np.arange(first, first + planes), field.cell.shape[0])
    if turn.mirror_z:
        deep, inside_z = deep[::-1], inside_z[::-1]

    def window(values: np.ndarray) -> torch.Tensor:
        stack = np.ascontiguousarray(values)[..., deep, :, :] if values.shape[-3] > 1 else values
        part = stack[..., rows[:, None], columns]
        if values.shape[-3] == 1 and planes > 1:
            part = np.repeat(part, planes, axis=-3)
        return torch.from_numpy(part.astype(np.float32)).reshape(-1, 2 * reach, 2 * reach)

    valid = inside_z[:, None, None] & inside_y[:, None] & inside_x
    grid = lattice(turn.matrix, edge, reach)
    image = sampled(window(field.image), grid, "bilinear")
    known = torch.from_numpy(valid.astype(np.float32))
    stacked = torch.cat([window(field.cell), window(field.near), known, window(field.ways)])
    cell, near, known, ways = sampled(stacked, grid, "nearest").split(
        [planes, planes, planes, planes * len(field.ways)])
    way = _turned(ways.reshape(-1, planes, edge, edge) / UNIT, turn)
    slow = (near * (turn.scale / NEAR_STEPS / NEAR_PX)).clamp(max=1)
    target = torch.cat([cell[None], way * slow * cell])
    return Crop(image.reshape(-1, planes, edge, edge), target, known)


def mirrored(index: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices within 0..size-1, mirrored at both ends; and which were inside."""
    inside = (index >= 0) & (index < size)
    period = max(2 * size - 2, 1)
    folded = np.abs(index) % period
    return np.where(folded < size, folded, period - folded), inside


def lattice(matrix: np.ndarray, edge: int, reach: int) -> torch.Tensor:
    """Where each pixel of the crop lies in its window: (1,edge,edge,2), x before y, -1..1."""
    along = np.arange(edge) - (edge - 1) / 2
    offsets = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1) @ matrix.T
    # pixel `reach` of the window is the middle
    place = (offsets + reach + 0.5) / reach - 1
    return torch.from_numpy(place[..., ::-1].astype(np.float32).copy())[None]


def sampled(values: torch.Tensor, grid: torch.Tensor, mode: str) -> torch.Tensor:
    return functional.grid_sample(values[None], grid, mode=mode, padding_mode="border",
                                  align_corners=False)[0]


def _turned(ways: torch.Tensor, turn: Turn) -> torch.Tensor:
    """Directions ([z,] y, x) as they lie in the crop, of their length before."""
    ways = ways.clone()
    length = ways.square().sum(dim=0, keepdim=True).sqrt()
    back = torch.from_numpy(np.linalg.inv(turn.matrix) / turn.scale).float()
    ways[-2:] = torch.einsum("ij,jzyx->izyx", back, ways[-2:])
    if turn.mirror_z and len(ways) == 3:
        ways[0] = -ways[0]
    now = ways.square().sum(dim=0, keepdim=True).sqrt()
    return ways * (length / now.clamp(min=1e-6))
