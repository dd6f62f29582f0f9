"""What the maps should say, drawn when it is asked for, from masks or from ellipses alone."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from libcell.nn.tracker.cells import Cells, roots

PEAK = 0.6  # standard deviations of the ellipse: how wide a centre's peak is
EDGE = 2.0  # standard deviations at which the ellipse of a rod or a disc ends
LEAST = 1.2  # pixels of the maps: a peak is not narrower


@dataclass(frozen=True)
class Maps:
    """Of two frames: cell, centre (2,[Z,]y,x) float32, 0..1, and how much each pixel counts."""

    cell: torch.Tensor
    centre: torch.Tensor
    weight: torch.Tensor


def draw(
    masks: list[torch.Tensor | None], known: list[torch.Tensor], cells: tuple[Cells, Cells],
    fold: int, share: float,
) -> Maps:
    """Maps of two frames of a crop.

    masks  (Z,Y,X) 0 or 1 of each frame, or None: cells are their ellipses
    known  (Z,Y,X) 0 where there is no image
    share  of all cells are annotated: where none is, there may be one nevertheless, so such a
           pixel counts less, so much that an annotated cell outweighs those that were left out
    """
    made = [_frame(m, k, c, fold, share) for m, k, c in zip(masks, known, cells)]
    cell, centre, weight = (torch.stack(v) for v in zip(*made))
    if cells[0].centres.shape[1] == 2:
        cell, centre, weight = cell[:, 0], centre[:, 0], weight[:, 0]
    return Maps(cell, centre, weight)


def _frame(
    mask: torch.Tensor | None, known: torch.Tensor, cells: Cells, fold: int, share: float
) -> tuple[torch.Tensor, ...]:
    small = functional.avg_pool2d(known[None], fold)[0]
    inside, centre = _ellipses(cells, tuple(small.shape), fold)
    cell = torch.from_numpy(inside) if mask is None else functional.avg_pool2d(mask[None], fold)[0]
    weight = small
    if share < 1:
        near = torch.from_numpy(np.maximum(inside, centre > 0.05).astype(np.float32))
        weight = small * torch.where(near > 0, 1.0, 0.5 * share)
        if mask is not None:  # the mask itself is whole
            weight = small
    return cell, torch.from_numpy(centre), weight


def _ellipses(
    cells: Cells, shape: tuple[int, ...], fold: int
) -> tuple[np.ndarray, np.ndarray]:
    """Inside (Z,y,x) float32, 0 or 1, and peaks at the centres, in pixels of the maps."""
    inside, centre = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    d = cells.centres.shape[1]
    unit = cells.spacing * np.array([1, fold, fold])[3 - d :]  # of a map's pixel, in x pixels
    shift = np.array([0, (fold - 1) / 2, (fold - 1) / 2])[3 - d :] * cells.spacing
    least = (LEAST * unit / PEAK) ** 2
    spreads = cells.spreads + np.zeros((1, d, d))
    for middle, own, spread in zip(cells.centres, roots(spreads), spreads):
        reach = EDGE * np.sqrt(np.maximum(np.diag(spread), least))
        low = np.maximum(np.floor((middle - shift - reach) / unit), 0).astype(int)
        high = np.minimum(np.ceil((middle - shift + reach) / unit) + 1, shape[3 - d :]).astype(int)
        if (high <= low).any():
            continue
        grid = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), -1) * unit + shift
        off = grid - middle
        wide = spread + np.diag(np.maximum(0, least - np.diag(spread)))
        peak = np.einsum("...d,de,...e->...", off, np.linalg.inv(wide), off)
        far = np.linalg.norm(np.linalg.solve(own, off[..., None])[..., 0], axis=-1)
        where = (0,) * (3 - d) + tuple(slice(a, b) for a, b in zip(low, high))
        inside[where] = np.maximum(inside[where], far <= EDGE)
        centre[where] = np.maximum(centre[where], np.exp(-0.5 * peak / PEAK**2))
    return inside, centre
