"""Cells of a frame by the network's own maps: the peaks of its centres, grown over its cells."""

import numpy as np
import torch
from scipy import ndimage
from skimage.segmentation import watershed
from torch.nn import functional

from libcell.nn.tracker.network import CELL, CENTRE, SIZE, Tracker

APART = 1.5  # sizes: peaks that are nearer to each other may be one cell
SMALL = 0.1  # of the usual cell's pixels: less is no cell


@torch.no_grad()
def labels(
    network: Tracker, maps: torch.Tensor, later: int, shape: tuple[int, ...],
    least: tuple[float, float], edge_px: float,
) -> np.ndarray:
    """Label image (Z,Y,X) uint32 of one frame of a pair, by the pair's maps.

    shape      (Z,Y,X) of the frame
    least      probabilities (cell, centre) from which there is one
    edge_px    of a usual cell, as the network knows it
    """
    own = network.frame(maps, later)
    cell, centre = (_full(own[m].sigmoid(), network.shape.fold, shape) for m in (CELL, CENTRE))
    wide = [0, network.shape.fold, network.shape.fold]
    smooth = ndimage.gaussian_filter(centre, [w / 2 for w in wide])
    top = ndimage.maximum_filter(smooth, [2 * w + 1 for w in [1 if shape[0] > 1 else 0, *wide[1:]]])
    found, count = ndimage.label((smooth == top) & (centre >= least[1]))
    if not count:
        return np.zeros(shape, np.uint32)
    number = _merged(network, maps, later, found, count)
    grown = watershed(-smooth, number[found], mask=cell >= least[0])
    size = np.bincount(grown.ravel())
    kept = size >= SMALL * edge_px ** network.shape.ndim
    kept[0] = False
    return np.asarray(np.where(kept, np.cumsum(kept), 0)[grown], np.uint32)


def _full(values: torch.Tensor, fold: int, shape: tuple[int, ...]) -> np.ndarray:
    """Maps ([Z,]y,x) at the image's own size (Z,Y,X)."""
    planes = values[None] if values.ndim == 2 else values
    made = functional.interpolate(planes[None], scale_factor=float(fold), mode="bilinear")[0]
    return made[:, : shape[1], : shape[2]].cpu().numpy()


def _merged(
    network: Tracker, maps: torch.Tensor, later: int, found: np.ndarray, count: int
) -> np.ndarray:
    """(count + 1,) the cell of each peak: peaks of which the network says so are one cell."""
    d = network.shape.ndim
    peaks = np.array(ndimage.center_of_mass(found > 0, found, np.arange(1, count + 1)))[:, 3 - d :]
    number = np.arange(count + 1)
    size = float(network.frame(maps, later)[SIZE].mean().exp()) * network.shape.fold
    apart = np.linalg.norm(peaks[:, None] - peaks[None], axis=2) if count < 5000 else None
    if apart is None:
        return number
    one, two = np.nonzero(np.triu(apart < APART * size, 1))
    if not one.size:
        return number
    places = torch.from_numpy(np.stack([peaks[one], peaks[two]], axis=1).astype(np.float32))
    same = network.same(maps, later, places.to(maps.device)).cpu().numpy() > 0
    for i, j in zip(one[same] + 1, two[same] + 1):
        number[number == number[j]] = number[i]
    return number
