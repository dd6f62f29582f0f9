"""Which ends of paths belong together: the crowded places, by steepest ascent of the crowd.

Every rule here looks a bounded way (`REACH_PX`), and ties go by the place in the whole image, so a
tile with a halo finds the same centres as the whole image.
"""

import numpy as np
from scipy import ndimage

from libcell.segment.kernels.window import Box

CROWD_PX = 2  # ends up to this many pixels away, along each axis, count as crowding a place
CLIMB_PX = 3  # a place points to the most crowded one within this distance along each axis
ROUNDS = 4  # 2**ROUNDS climbs at most
REACH_PX = CROWD_PX + CLIMB_PX * 2**ROUNDS


def centres(ends: np.ndarray) -> np.ndarray:
    """For each pixel the centre that its end leads to: flat index int64, -1 outside of cells.

    `ends` as `paths.ends` returns them.
    """
    inside = ends >= 0
    crowd = np.bincount(ends[inside], minlength=ends.size).reshape(ends.shape)
    near = crowd.astype(np.int64)
    for axis in range(near.ndim):
        near = ndimage.convolve1d(near, np.ones(2 * CROWD_PX + 1, np.int64), axis=axis,
                                  mode="constant")
    taken = np.flatnonzero(crowd)
    pointers = _climb(near, crowd, taken)
    for _ in range(ROUNDS):
        pointers[taken] = pointers[pointers[taken]]
    found = np.full(ends.shape, -1, np.int64)
    found[inside] = pointers[ends[inside]]
    return found


def _climb(near: np.ndarray, crowd: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """For each place in `taken` (flat indices where `crowd` > 0) the best such place around it.

    Best is the most crowded, then the first in raster order. Elsewhere a place points to itself.
    """
    shape = near.shape
    points, limits = np.stack(np.unravel_index(taken, shape), axis=1), np.array(shape)
    flat, there = near.ravel(), crowd.ravel() > 0
    best, where = flat[taken].copy(), taken.copy()
    steps = np.indices((2 * CLIMB_PX + 1,) * near.ndim).reshape(near.ndim, -1).T - CLIMB_PX
    for step in steps:  # in raster order, so that a later one must be better
        moved: np.ndarray = points + step
        fine = ((moved >= 0) & (moved < limits)).all(axis=1)
        place = np.ravel_multi_index(tuple(np.where(fine[:, None], moved, 0).T), shape)
        value = flat[place]
        better = (value > best) | ((value == best) & (place < where))
        better &= fine & there[place]
        best, where = np.where(better, value, best), np.where(better, place, where)
    pointers = np.arange(near.size)
    pointers[taken] = where
    return pointers


def roots(found: np.ndarray, box: Box) -> np.ndarray:
    """Centres in a window as roots: the centre's raster index in the whole image + 1, 0 outside."""
    made = np.zeros(found.shape, np.int64)
    inside = found >= 0
    points = np.unravel_index(found[inside], found.shape)
    moved = tuple(p + o for p, o in zip(points, box.origin))
    made[inside] = np.ravel_multi_index(moved, box.full_shape) + 1
    return made
