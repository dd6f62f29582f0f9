"""Which tops of the distance map belong together: a top points on to a higher one nearby.

A link needs a straight line towards a higher top that is nowhere much lower than the lower one (a
wide neck), and leads from the top's own object straight into the object of a higher top. So every
object stays in one piece.

`keys` is the window, padded by one, of uint32: height in 1/64 px above 16 bits that break ties;
0 is background. Pixels are flat indices in `keys`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from libcell.segment.kernels.distance import axis_weights
from libcell.segment.kernels.params import ThresholdParams, axis_ratios

HEIGHT_STEPS = 64  # heights are integers in 1/64 px
SINK = 0  # flat index of the padding's corner: what is unknown points there
# The three below and split_neck were chosen on 51 fluorescence images of DSB 2018; F1 at IoU 0.5
# changes by less than 0.01 for reach 1.25..2, shallow 0..0.5 and split_neck 0.94..0.985.
REACH = 2.0  # a top looks for higher ones within this many times its own radius
SHALLOW_PX = 0.25  # a neck this much lower than the top is no neck, however small the top
FIRST_REACH_PX = 5.0  # the search widens from here by doubling
BATCH = 1024  # tops searched at once; bounds the memory on plateaus full of tops


def link_reach(height_px: float, params: ThresholdParams) -> float:
    """How far (px) a top of that height looks for a higher one, at most."""
    return max(params.min_distance_px, REACH * height_px)


def top_reach(tops: np.ndarray, keys: np.ndarray, params: ThresholdParams) -> np.ndarray:
    """`link_reach` of every top (n,), float64."""
    height = keys.ravel()[tops] >> 16
    return np.maximum(params.min_distance_px, REACH * height / HEIGHT_STEPS)


def top_points(tops: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Coordinates (n, axes) int64 in the window without its padding."""
    return np.stack(np.unravel_index(tops, keys.shape), axis=1).astype(np.int64) - 1


@dataclass(frozen=True)
class _Ground:
    """What all searches share; `tops` (n,) ascend, so their order is raster order."""

    tops: np.ndarray
    points: np.ndarray
    keys: np.ndarray
    pointers: np.ndarray
    tree: cKDTree
    weights: np.ndarray
    params: ThresholdParams


def link_tops(
    tops: np.ndarray,
    known: np.ndarray,
    keys: np.ndarray,
    pointers: np.ndarray,
    params: ThresholdParams,
) -> None:
    """Point tops (n,) to higher tops, and to SINK where that depends on what is not known.

    `pointers` hold the top of every pixel's basin; those of the tops are changed. `known` (n,)
    tells which tops have exact heights everywhere within reach. The search widens by doubling,
    and each round sees the objects that the rounds before have joined.
    """
    pointers[tops[~known]] = SINK
    if not known.any():
        return
    points = top_points(tops, keys)
    weights, scale = axis_weights(axis_ratios(params, keys.ndim))
    weights_px = np.array(weights) / scale
    tree = cKDTree(points * np.sqrt(weights_px))
    ground = _Ground(tops, points, keys, pointers, tree, weights_px, params)
    reach, radius = top_reach(tops, keys, params), FIRST_REACH_PX
    # the number of rounds must not depend on what else lies in the tile
    while radius < 2 * link_reach(params.max_radius_px, params):
        free = np.flatnonzero(pointers[tops] == tops)
        batches = [free[start : start + BATCH] for start in range(0, free.size, BATCH)]
        targets = [_best_links(b, np.minimum(reach[b], radius), ground) for b in batches]
        for batch, target in zip(batches, targets):
            pointers[tops[batch]] = target
        follow(tops, pointers)
        radius *= 2


def follow(pixels: np.ndarray, pointers: np.ndarray) -> None:
    """Replace every pixel's pointer by the end of its chain, doubling the stride each round."""
    ends = pointers[pixels]
    while True:
        further = pointers[ends]
        moved = further != ends
        if not moved.any():
            return
        pixels, ends = pixels[moved], further[moved]
        pointers[pixels] = ends


def _best_links(batch: np.ndarray, radius: np.ndarray, ground: _Ground) -> np.ndarray:
    """Targets of the tops at positions `batch`: across the widest neck, then the nearest."""
    lower, upper, apart = _rising_pairs(batch, radius, ground)
    tops, params = ground.tops, ground.params
    neck, target = _walk(lower, upper, ground)
    height = (ground.keys.ravel()[tops[lower]] >> 16).astype(np.int64)
    wide = neck >= params.split_neck * height
    wide |= neck + SHALLOW_PX * HEIGHT_STEPS >= height
    wide |= apart < params.min_distance_px**2
    wide &= neck > 0
    rising = _is_higher(ground.keys, target, tops[lower])
    order = np.lexsort((upper, -apart, neck, lower))
    order = order[(wide & rising)[order]]
    targets = tops.copy()
    targets[lower[order]] = target[order]  # the last one written is the best one
    targets[lower[wide & (target == SINK)]] = SINK
    return targets[batch]


def _is_higher(keys: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Is `one` above `other`, both flat indices; equal keys rank in raster order."""
    flat = keys.ravel()
    return (flat[one] > flat[other]) | ((flat[one] == flat[other]) & (one > other))


def _rising_pairs(
    batch: np.ndarray, radius: np.ndarray, ground: _Ground
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (positions in `tops`) of a top and a higher one within `radius`; squared distance."""
    # half a pixel more than needed: the test below is the one that is the same in every tile
    near = ground.tree.query_ball_point(ground.tree.data[batch], radius + 0.5, return_sorted=False)
    counts = [len(n) for n in near]
    lower, limit = np.repeat(batch, counts), np.repeat(radius**2, counts)
    upper = np.concatenate(near).astype(np.int64)
    rising = _is_higher(ground.keys, ground.tops[upper], ground.tops[lower])
    lower, upper, limit = lower[rising], upper[rising], limit[rising]
    apart = ((ground.points[upper] - ground.points[lower]) ** 2 * ground.weights).sum(axis=1)
    close = apart <= limit
    return lower[close], upper[close], apart[close]


def _walk(lower: np.ndarray, upper: np.ndarray, ground: _Ground) -> tuple[np.ndarray, np.ndarray]:
    """The straight lines between pairs of tops, pixel by pixel.

    Returns the lowest height (int64, 1/64 px) and the end of the first object that the line meets
    after its own: SINK where that is not known.
    """
    flat, start = ground.keys.ravel(), ground.tops[lower]
    way = ground.points[upper] - ground.points[lower]
    strides = np.array([s // ground.keys.itemsize for s in ground.keys.strides])
    # one pixel at a time along the longest axis; a count for the whole batch instead would make
    # the line depend on what else lies in the tile
    length = np.abs(way).max(axis=1, initial=1)
    neck = (flat[start] >> 16).astype(np.int64)
    target = start.copy()
    for sample in range(1, int(length.max(initial=0)) + 1):
        going = np.flatnonzero(length >= sample)
        whole = length[going, None]
        place = start[going] + ((2 * way[going] * sample + whole) // (2 * whole)) @ strides
        neck[going] = np.minimum(neck[going], flat[place] >> 16)
        own = target[going] == start[going]
        target[going[own]] = ground.pointers[ground.pointers[place[own]]]
    return neck, target
