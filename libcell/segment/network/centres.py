"""Which ends of paths belong together: the crowded places, by steepest ascent of the crowd.

Every rule here looks a bounded way (`REACH_PX`), and ties go by the place in the whole image, so a
tile with a halo finds the same centres as the whole image.
"""

import numpy as np

from libcell.compiled import compiled
from libcell.segment.kernels.window import Box

CROWD_PX = 3  # ends up to this many pixels away, along each axis, count as crowding a place
CLIMB_PX = 4  # a place points to the most crowded one within this distance along each axis
ROUNDS = 3  # 2**ROUNDS climbs at most
REACH_PX = CROWD_PX + CLIMB_PX * 2**ROUNDS


def centres(ends: np.ndarray) -> np.ndarray:
    """For each pixel the centre that its end leads to: flat index int64, -1 outside of cells.

    `ends` (Z,Y,X) as `paths.ends` returns them. A centre is where at least one path ends.
    """
    inside = ends >= 0
    places = ends[inside]
    crowd = np.bincount(places, minlength=ends.size).astype(np.int32).reshape(ends.shape)
    pointers = _climb(_crowding(crowd)).ravel()
    taken = np.flatnonzero(crowd)
    for _ in range(ROUNDS):
        pointers[taken] = pointers[pointers[taken]]
    found = np.full(ends.shape, -1, np.int64)
    found[inside] = pointers[places]
    return found


def roots(found: np.ndarray, box: Box) -> np.ndarray:
    """Centres in a window as roots: the centre's raster index in the whole image + 1, 0 outside."""
    made = np.zeros(found.shape, np.int64)
    inside = found >= 0
    points = np.unravel_index(found[inside], found.shape)
    moved = tuple(p + o for p, o in zip(points, box.origin))
    made[inside] = np.ravel_multi_index(moved, box.full_shape) + 1
    return made


@compiled
def _crowding(crowd: np.ndarray) -> np.ndarray:
    """Where paths end (`crowd` int32 (Z,Y,X) > 0), how many end nearby; 0 elsewhere."""
    depth, height, width = crowd.shape
    near = np.zeros_like(crowd)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if crowd[z, y, x]:
                    total = 0
                    for dz in range(max(z - CROWD_PX, 0), min(z + CROWD_PX + 1, depth)):
                        for dy in range(max(y - CROWD_PX, 0), min(y + CROWD_PX + 1, height)):
                            for dx in range(max(x - CROWD_PX, 0), min(x + CROWD_PX + 1, width)):
                                total += crowd[dz, dy, dx]
                    near[z, y, x] = total
    return near


@compiled
def _climb(near: np.ndarray) -> np.ndarray:
    """For each place of a crowd the most crowded one around it, the first of equals in raster
    order: flat index int64 (Z,Y,X), 0 elsewhere."""
    depth, height, width = near.shape
    found = np.zeros(near.shape, np.int64)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if not near[z, y, x]:
                    continue
                best, where = 0, 0
                for dz in range(max(z - CLIMB_PX, 0), min(z + CLIMB_PX + 1, depth)):
                    for dy in range(max(y - CLIMB_PX, 0), min(y + CLIMB_PX + 1, height)):
                        for dx in range(max(x - CLIMB_PX, 0), min(x + CLIMB_PX + 1, width)):
                            if near[dz, dy, dx] > best:
                                best = near[dz, dy, dx]
                                where = (dz * height + dy) * width + dx
                found[z, y, x] = where
    return found
