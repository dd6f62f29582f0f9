"""Distances of an object's pixels to the nearest pixel outside it."""

import numpy as np
from scipy import ndimage

from libcell.feat.families._index import ObjectIndex

LONGEST = 255  # px, side of a box up to which the squares below fit uint16
BATCH = 2**16  # pixels in a stack: what stays in the cache


def squared_distances(index: ObjectIndex) -> np.ndarray:
    """Squared Euclidean distance of every pixel to the nearest one outside its object.

    int32 (p,), px², in the order of `index.pixels`. Other objects and everything beyond the image
    are outside.
    """
    height, width = index.y1 - index.y0, index.x1 - index.x0
    small = (height <= LONGEST) & (width <= LONGEST)
    along = _along_rows(index)
    found = np.zeros(along.size, np.int32)
    for i in np.flatnonzero(~small).tolist():
        part = slice(index.each.starts[i], index.each.stops[i])
        found[part] = _large(index, i, part)
    for chosen in _batches(np.flatnonzero(small), height, width):
        _stacked(index, chosen, along, found)
    return found


def _along_rows(index: ObjectIndex) -> np.ndarray:
    """Squared distance of every pixel to the end of its run (p,)."""
    length = index.run_x1 - index.run_x0
    to_left = (index.x - np.repeat(index.run_x0 - 1, length)).astype(np.int32)
    to_right = np.repeat(length.astype(np.int32) + 1, length) - to_left
    return np.minimum(to_left, to_right) ** 2


def _batches(chosen: np.ndarray, height: np.ndarray, width: np.ndarray) -> list[np.ndarray]:
    """Objects of about one size together, so that a stack of their boxes is mostly full."""
    chosen = chosen[np.lexsort((width[chosen], height[chosen] // 8))]
    room = np.maximum(height[chosen] + 2, 8) * np.maximum(width[chosen], 8)
    return np.split(chosen, np.flatnonzero(np.diff(np.cumsum(room) // BATCH)) + 1)


def _stacked(
    index: ObjectIndex, chosen: np.ndarray, along: np.ndarray, found: np.ndarray
) -> None:
    """Fill `found` for the objects `chosen`: the distance transform's second pass, by columns.

    Felzenszwalb and Huttenlocher (2012), min over rows of along² + rows², here for all boxes of
    a stack (row, object, column) at once and only as far as the largest distance reaches.
    """
    if not chosen.size:
        return
    counts = index.each.counts[chosen]
    pixel = np.arange(counts.sum()) + np.repeat(
        index.each.starts[chosen] - (np.cumsum(counts) - counts), counts)
    y = index.y[pixel] - np.repeat(index.y0[chosen], counts) + 1
    x = index.x[pixel] - np.repeat(index.x0[chosen], counts)
    shape = (int(y.max()) + 2, len(chosen), int(x.max()) + 1)
    place = (y * shape[1] + np.repeat(np.arange(len(chosen)), counts)) * shape[2] + x
    rows = np.zeros(shape, np.uint16)
    rows.ravel()[place] = along[pixel]
    nearest, candidate = rows.copy(), np.empty_like(rows)
    step = 1
    while step**2 < nearest.max():
        np.add(rows, np.uint16(step**2), out=candidate)
        np.minimum(nearest[step:], candidate[:-step], out=nearest[step:])
        np.minimum(nearest[:-step], candidate[step:], out=nearest[:-step])
        step += 1
    found[pixel] = nearest.ravel()[place]


def _large(index: ObjectIndex, i: int, part: slice) -> np.ndarray:
    """The same of object `i` by scipy, whose time does not grow with the radius."""
    y, x = index.y[part] - index.y0[i] + 1, index.x[part] - index.x0[i] + 1
    mask = np.zeros((y.max() + 2, x.max() + 2), bool)
    mask[y, x] = True
    distance = ndimage.distance_transform_edt(mask)[y, x]
    return np.rint(distance**2).astype(np.int32)
