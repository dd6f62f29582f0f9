"""Parting touching objects by steepest ascent of the distance to the background.

Every pixel points to its highest neighbour; tops that are only separated by a wide neck
point on to a higher top; following the pointers ends at a seed. Unlike a flooding watershed,
each pointer depends on a bounded surrounding only, so a tile can compute it and know whether it
is right. Heights are integers, ties are broken by position in the whole image, and every pointer
goes strictly up: no cycles, the same answer in every tiling.
"""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np

from libcell.segment.kernels.distance import clipped_distance
from libcell.segment.kernels.foreground import gaussian
from libcell.segment.kernels.links import (
    HEIGHT_STEPS,
    SINK,
    follow,
    link_tops,
    top_points,
    top_reach,
)
from libcell.segment.kernels.params import ThresholdParams, axis_ratios, gaussian_radii
from libcell.segment.kernels.window import Box, Slices, widen

HEIGHT_SIGMA_PX = 1.5  # takes the steps of the pixel grid off the distance


def height_radii(ratios: Sequence[float]) -> tuple[int, ...]:
    """Pixels per axis that the smoothing of the distance looks at."""
    return gaussian_radii(HEIGHT_SIGMA_PX, ratios)


def split_roots(
    mask: np.ndarray, box: Box, doubtful: Sequence[Slices], params: ThresholdParams
) -> np.ndarray:
    """Roots (int64, shaped like `mask`) of every pixel: the seed's index in the whole image + 1.

    0 outside the mask, and -1 where the window is too small to know. `doubtful` are the
    parts of `mask` that are not exact themselves.
    """
    ratios = axis_ratios(params, mask.ndim)
    keys = _keys(mask, box, params.max_radius_px, ratios)
    margin = [
        math.ceil(params.max_radius_px / r) + h + 1 for r, h in zip(ratios, height_radii(ratios))
    ]
    pixels, pointers = _ascend(keys, box.inner(margin))
    exact = pointers.reshape(keys.shape)[(slice(1, -1),) * mask.ndim]
    for hole in doubtful:
        exact[widen(hole, margin)] = SINK
    tops = pixels[pointers[pixels] == pixels]
    follow(pixels, pointers)
    known = _known(tops, keys, box, doubtful, margin, params)
    link_tops(tops, known, keys, pointers, params)
    follow(pixels, pointers)
    return _global_roots(pointers, keys.shape, mask, box)


def _keys(mask: np.ndarray, box: Box, radius_px: float, ratios: tuple[float, ...]) -> np.ndarray:
    """Heights with a tie-break, uint32, padded by one zero: 16 bits height, 16 bits hash.

    The hash of the position, rather than the position, keeps the ways across a plateau short:
    otherwise one long stripe would lead from tile to tile.
    """
    height = gaussian(clipped_distance(mask, radius_px, ratios), HEIGHT_SIGMA_PX, ratios)
    keys = np.zeros([n + 2 for n in mask.shape], np.uint32)
    inside = keys[(slice(1, -1),) * mask.ndim]
    height *= HEIGHT_STEPS
    np.clip(height, 1, (1 << 16) - 1, out=height)
    inside[...] = height
    del height
    inside <<= 16
    inside |= _position_hash(box)
    inside *= mask
    return keys


def _position_hash(box: Box) -> np.ndarray:
    """16 bits (uint32, shaped like the box) that depend on the place in the whole image only."""
    mix = np.zeros((1,) * len(box.shape), np.uint32)
    for axis, (start, n) in enumerate(zip(box.origin, box.shape)):
        # SplitMix64's steps (Steele et al. 2014), another multiplier for every axis
        along = np.arange(start, start + n).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        along ^= along >> np.uint64(29)
        along *= np.uint64(0xBF58476D1CE4E5B9 + 2 * axis)
        along >>= np.uint64(32)
        shape = [1] * len(box.shape)
        shape[axis] = n
        mix = mix ^ along.astype(np.uint32).reshape(shape)
    mix *= np.uint32(0x85EBCA6B)
    mix >>= np.uint32(16)
    return mix


def _ascend(keys: np.ndarray, zone: Slices) -> tuple[np.ndarray, np.ndarray]:
    """Each object pixel's highest neighbour, itself at a top: flat indices in `keys`.

    Returns the pixels in `zone` and the pointers of the whole padded window; SINK elsewhere.
    """
    index = np.int32 if keys.size < 1 << 31 else np.int64
    padded = tuple(slice(s.start + 1, s.stop + 1) for s in zone)
    inside = np.zeros(keys.shape, bool)
    inside[padded] = keys[padded] > 0
    pixels = np.flatnonzero(inside).astype(index)
    del inside
    strides = [s // keys.itemsize for s in keys.strides]
    flat = keys.ravel()
    best, where = flat[pixels], pixels.copy()
    for steps in product((-1, 0, 1), repeat=keys.ndim):
        if any(steps):
            neighbours = pixels + sum(a * s for a, s in zip(steps, strides))
            heights = flat[neighbours]
            higher = heights > best
            np.copyto(best, heights, where=higher)
            np.copyto(where, neighbours, where=higher)
    pointers = np.full(keys.size, SINK, index)
    pointers[pixels] = where
    return pixels, pointers


def _known(
    tops: np.ndarray,
    keys: np.ndarray,
    box: Box,
    doubtful: Sequence[Slices],
    margin: Sequence[int],
    params: ThresholdParams,
) -> np.ndarray:
    """Which tops (bool) have exact heights everywhere within their reach."""
    points = top_points(tops, keys)
    ratios = np.array(axis_ratios(params, keys.ndim))
    room = np.ceil(top_reach(tops, keys, params)[:, None] / ratios).astype(np.int64) + margin
    known = box.contains(points, room)
    for hole in doubtful:
        start = np.array([s.start for s in hole]) - room
        stop = np.array([s.stop for s in hole]) + room
        known &= ~((points >= start) & (points < stop)).all(axis=1)
    return known


def _global_roots(
    pointers: np.ndarray, padded: tuple[int, ...], mask: np.ndarray, box: Box
) -> np.ndarray:
    """Flat indices in the padded window to flat indices in the image, + 1."""
    ends = pointers.reshape(padded)[(slice(1, -1),) * mask.ndim]
    roots = np.zeros(mask.shape, np.int64)
    local = ends[mask].astype(np.int64)
    rest = local.copy()
    whole, step = np.zeros_like(local), 1
    for n, start, full in zip(padded[::-1], box.origin[::-1], box.full_shape[::-1]):
        whole += (rest % n - 1 + start) * step
        rest //= n
        step *= full
    roots[mask] = np.where(local == SINK, -1, whole + 1)
    return roots
