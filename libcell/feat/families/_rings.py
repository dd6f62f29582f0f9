"""Rings and wedges of each object, compiled: where its pixels are between centre and edge."""

import numpy as np

from libcell.compiled import compiled

RINGS = 4
WEDGES = 8
SOFTENING = 0.001  # CellProfiler's, so that the centre of a pixel-wide object is no 0 / 0
DIAGONAL = np.sqrt(2.0)


@compiled
def rings(
    y: np.ndarray, x: np.ndarray, starts: np.ndarray, stops: np.ndarray, boxes: np.ndarray,
    height: int, width: int,
) -> np.ndarray:
    """Ring * 8 + wedge of every object pixel (p,), -1 for what the centre does not reach; int8.

    `boxes` (n,4) are y0, x0, y1, x1. Beyond the image there is no edge (as in CellProfiler).
    """
    found = np.empty(y.size, np.int8)
    for i in range(starts.size):
        # the nearest pixel outside touches the object, so a pixel around its box is enough
        top, left = max(boxes[i, 0] - 1, 0), max(boxes[i, 1] - 1, 0)
        bottom, right = min(boxes[i, 2] + 1, height), min(boxes[i, 3] + 1, width)
        inside = np.zeros((bottom - top, right - left), np.bool_)
        for k in range(starts[i], stops[i]):
            inside[y[k] - top, x[k] - left] = True
        edge = _to_edge(inside)
        best, cy, cx = -1.0, 0, 0
        for k in range(starts[i], stops[i]):
            if edge[y[k] - top, x[k] - left] > best:
                best, cy, cx = edge[y[k] - top, x[k] - left], y[k] - top, x[k] - left
        way = _from_centre(inside, cy, cx)
        for k in range(starts[i], stops[i]):
            dy, dx = y[k] - top - cy, x[k] - left - cx
            far = way[dy + cy, dx + cx]
            if not np.isfinite(far):
                found[k] = -1
                continue
            whole = far + np.sqrt(edge[dy + cy, dx + cx]) + SOFTENING
            ring = min(int(far / whole * RINGS), RINGS - 1)
            wedge = (1 if dy > 0 else 0) + (2 if dx > 0 else 0) + (4 if abs(dy) > abs(dx) else 0)
            found[k] = ring * WEDGES + wedge
    return found


@compiled
def _to_edge(inside: np.ndarray) -> np.ndarray:
    """Squared distance of every pixel inside to the nearest one that is not (h,w).

    Along columns first, then the smallest of along² + across² over the row, looked for from the
    pixel outwards until across² alone is more.
    """
    height, width = inside.shape
    none = float((height + width) ** 2)  # farther than anything, where nothing is outside
    along = np.full(inside.shape, none)
    for x in range(width):
        for rows in (range(height), range(height - 1, -1, -1)):
            last = none
            for y in rows:
                last = 0.0 if not inside[y, x] else min(last + 1, none)
                along[y, x] = min(along[y, x], last)
    found = np.zeros(inside.shape)
    for y in range(height):
        for x in range(width):
            if not inside[y, x]:
                continue
            best = along[y, x] ** 2
            step = 1
            while step * step < best and (x - step >= 0 or x + step < width):
                if x - step >= 0:
                    best = min(best, along[y, x - step] ** 2 + step * step)
                if x + step < width:
                    best = min(best, along[y, x + step] ** 2 + step * step)
                step += 1
            found[y, x] = best
    return found


@compiled
def _from_centre(inside: np.ndarray, cy: int, cx: int) -> np.ndarray:
    """Length of the shortest way through the object, 8-connected, to (cy, cx); inf without one.

    Sweeps there and back until nothing changes: two for most objects, more around corners.
    """
    height, width = inside.shape
    way = np.full(inside.shape, np.inf)
    way[cy, cx] = 0.0
    changed = True
    while changed:
        changed = False
        for y in range(height):
            for x in range(width):
                if inside[y, x] and _shorter(way, y, x, -1):
                    changed = True
        for y in range(height - 1, -1, -1):
            for x in range(width - 1, -1, -1):
                if inside[y, x] and _shorter(way, y, x, 1):
                    changed = True
    return way


@compiled
def _shorter(way: np.ndarray, y: int, x: int, side: int) -> bool:
    """Shorten a pixel's way by the four neighbours of the row on that side and beside it."""
    height, width = way.shape
    best = way[y, x]
    if 0 <= x + side < width:
        best = min(best, way[y, x + side] + 1)
    if 0 <= y + side < height:
        best = min(best, way[y + side, x] + 1)
        if x > 0:
            best = min(best, way[y + side, x - 1] + DIAGONAL)
        if x + 1 < width:
            best = min(best, way[y + side, x + 1] + DIAGONAL)
    if best < way[y, x]:
        way[y, x] = best
        return True
    return False


@compiled
def sums(
    values: np.ndarray, places: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of each object's finite values by ring and wedge, float64 (n,4,8)."""
    light = np.zeros((starts.size, RINGS * WEDGES))
    count = np.zeros((starts.size, RINGS * WEDGES))
    for i in range(starts.size):
        for k in range(starts[i], stops[i]):
            if places[k] >= 0 and np.isfinite(values[k]):
                light[i, places[k]] += values[k]
                count[i, places[k]] += 1
    shape = (starts.size, RINGS, WEDGES)
    return light.reshape(shape), count.reshape(shape)
