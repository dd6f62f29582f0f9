"""Which way each cell's centre lies, from every pixel of the cell: heat that flows from it.

Stringer et al. 2021, doi:10.1038/s41592-020-01018-x: heat is let in at the centre and spreads
within the cell; its gradient leads to the centre round every corner, as a straight line would not.
"""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from libcell.compiled import compiled

UNIT = 127  # the int8 that stands for a length of 1
NEAR_STEPS = 4  # distances to the centre are kept in quarters of a pixel, up to 63.75


def directions(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(ndim,...) int8 directions to the centre, unit length 127; (...) uint8 distances to it.

    `labels` (Y,X) or (Z,Y,X) of any integer type, 0 background, where both are 0. Distances are
    in quarters of a pixel and end at 255.
    """
    ways = np.zeros((labels.ndim, *labels.shape), np.int8)
    near = np.zeros(labels.shape, np.uint8)
    for place, mask in _objects(labels):
        centre = _centre(mask)
        heat = np.pad(np.zeros(mask.shape), 1)
        inside = np.pad(mask, 1)
        steps = 2 * sum(mask.shape)
        spread = _spread_flat if mask.ndim == 2 else _spread_deep
        spread(heat, inside, np.array(centre) + 1, steps)
        straight = np.indices(mask.shape) - np.array(centre).reshape(-1, *[1] * mask.ndim)
        far = np.sqrt((straight**2).sum(axis=0))
        way = _unit(_gradient(np.log1p(heat)), -straight)
        ways[(slice(None), *place)][:, mask] = np.rint(way * UNIT).astype(np.int8)[:, mask]
        near[place][mask] = np.clip(np.rint(far * NEAR_STEPS), 0, 255).astype(np.uint8)[mask]
    return ways, near


def _objects(labels: np.ndarray) -> Iterator[tuple[tuple[slice, ...], np.ndarray]]:
    """Bounding box and mask in it of every object."""
    ids, dense = np.unique(labels, return_inverse=True)
    dense = dense.reshape(labels.shape) + (0 if ids.size and ids[0] == 0 else 1)
    for number, place in enumerate(ndimage.find_objects(dense), start=1):
        if place is not None:
            yield place, dense[place] == number


def _centre(mask: np.ndarray) -> tuple[int, ...]:
    """The pixel of the object that lies nearest to the median of all; the first of several."""
    points = np.argwhere(mask)
    off = ((points - np.median(points, axis=0)) ** 2).sum(axis=1)
    return tuple(int(n) for n in points[off.argmin()])


def _gradient(heat: np.ndarray) -> np.ndarray:
    """Central differences (ndim,...) of a padded field, without the padding."""
    inner = (slice(1, -1),) * heat.ndim
    made = []
    for axis in range(heat.ndim):
        up, down = list(inner), list(inner)
        up[axis], down[axis] = slice(2, None), slice(None, -2)
        made.append(heat[tuple(up)] - heat[tuple(down)])
    return np.stack(made)


def _unit(way: np.ndarray, instead: np.ndarray) -> np.ndarray:
    """Vectors of length 1; where no heat came to, straight ones; 0 where those are 0 too."""
    chosen = np.where((way == 0).all(axis=0), instead, way)
    length = np.sqrt((chosen**2).sum(axis=0))
    return chosen / np.where(length > 0, length, 1)


@compiled
def _spread_flat(
    heat: np.ndarray, inside: np.ndarray, centre: np.ndarray, steps: int
) -> None:
    """`steps` times: heat 1 in at the centre, then every pixel inside has the mean of nine."""
    cy, cx = centre
    height, width = heat.shape
    other = np.zeros_like(heat)
    for _ in range(steps):
        heat[cy, cx] += 1
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                if inside[y, x]:
                    total = 0.0
                    for dy in range(-1, 2):
                        for dx in range(-1, 2):
                            total += heat[y + dy, x + dx]
                    other[y, x] = total / 9
        heat[:] = other


@compiled
def _spread_deep(
    heat: np.ndarray, inside: np.ndarray, centre: np.ndarray, steps: int
) -> None:
    """The same with planes: the mean of seven."""
    cz, cy, cx = centre
    depth, height, width = heat.shape
    other = np.zeros_like(heat)
    for _ in range(steps):
        heat[cz, cy, cx] += 1
        for z in range(1, depth - 1):
            for y in range(1, height - 1):
                for x in range(1, width - 1):
                    if inside[z, y, x]:
                        total = heat[z, y, x] + heat[z - 1, y, x] + heat[z + 1, y, x]
                        total += heat[z, y - 1, x] + heat[z, y + 1, x]
                        total += heat[z, y, x - 1] + heat[z, y, x + 1]
                        other[z, y, x] = total / 7
        heat[:] = other
