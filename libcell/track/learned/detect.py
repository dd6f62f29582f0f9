"""Cells of a frame by the network's own maps: the peaks of its centres, grown over its cells."""

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import cKDTree
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
    size = float(network.frame(maps, later)[SIZE].mean().exp()) * network.shape.fold
    pairs = cKDTree(peaks).query_pairs(APART * size, output_type="ndarray")
    if not len(pairs):
        return np.arange(count + 1)
    places = torch.from_numpy(peaks[pairs].astype(np.float32))
    same = network.same(maps, later, places.to(maps.device)).cpu().numpy()
    return np.concatenate([[0], 1 + joined(count, pairs, same)])


def joined(count: int, pairs: np.ndarray, same: np.ndarray) -> np.ndarray:
    """(count,) the group of each peak: the likeliest pairs (m, 2) first, two groups become one
    where the log odds `same` (m,) of all pairs between them are above 0 on average.

    So a chain of peaks does not join what its ends say are two cells.
    """
    group, members = np.arange(count), {k: [k] for k in range(count)}
    between: dict[int, dict[int, list[float]]] = {k: {} for k in range(count)}
    for (i, j), odds in zip(pairs.tolist(), same.tolist()):
        between[i][j] = between[j][i] = [odds]
    for row in np.argsort(-same, kind="stable"):
        a, b = (int(group[k]) for k in pairs[row])
        if a == b or np.mean(between[a][b]) <= 0:
            continue
        group[members[b]] = a
        members[a] += members.pop(b)
        for other, odds_of in between.pop(b).items():
            del between[other][b]
            if other != a:
                together = between[a].get(other, []) + odds_of
                between[a][other] = between[other][a] = together
    return group
