"""Rings and wedges of each object, compiled: where its pixels are between centre and edge."""

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._runs import ZERO, Runs, heights, most, widths

RINGS = 4
WEDGES = 8
SOFTENING = 0.001  # CellProfiler's, so that the centre of a pixel-wide object is no 0 / 0
DIAGONAL = np.sqrt(2.0)


def rings(runs: Runs, shape: tuple[int, int]) -> np.ndarray:
    """Ring * 8 + wedge of every object pixel (p,), -1 for what the centre does not reach; int8.

    Beyond the image, of `shape` (Y,X), there is no edge, as in CellProfiler.
    """
    found = np.empty(int(runs.area.sum()), np.int8)
    room = most((heights(runs) + 2) * (widths(runs) + 2))
    _rings(runs, *shape, np.empty(room, np.bool_), np.empty((2, room)), found)
    return found


@compiled
def _rings(
    runs: Runs, height: int, width: int, mask: np.ndarray, scratch: np.ndarray,
    found: np.ndarray,
) -> None:
    start = ZERO
    for i in range(runs.area.size):
        # the nearest pixel outside touches the object, so a pixel around its box is enough
        top, left = max(runs.box[i, 0] - 1, 0), max(runs.box[i, 1] - 1, 0)
        rows = min(runs.box[i, 2] + 1, height) - top
        columns = min(runs.box[i, 3] + 1, width) - left
        inside = mask[: rows * columns].reshape(rows, columns)
        way = scratch[0, : rows * columns].reshape(rows, columns)
        edge = scratch[1, : rows * columns].reshape(rows, columns)
        inside[:] = False
        for r in range(runs.first[i], runs.first[i + 1]):
            for x in range(runs.x0[r] - left, runs.x1[r] - left):
                inside[runs.y[r] - top, x] = True
        _to_edge(inside, way, edge)
        cy, cx = ZERO, ZERO
        for y in range(rows):
            for x in range(columns):
                if edge[y, x] > edge[cy, cx]:
                    cy, cx = y, x
        _from_centre(inside, cy, cx, way)
        k = start
        for r in range(runs.first[i], runs.first[i + 1]):
            for x in range(runs.x0[r] - left, runs.x1[r] - left):
                found[k] = _place(runs.y[r] - top - cy, x - cx, way[runs.y[r] - top, x],
                                  edge[runs.y[r] - top, x])
                k += 1
        start = k


@compiled
def _place(dy: int, dx: int, far: float, edge: float) -> int:
    """Ring * 8 + wedge of a pixel (dy, dx) from the centre, `far` away from it."""
    if not np.isfinite(far):
        return -1
    ring = min(int(far / (far + np.sqrt(edge) + SOFTENING) * RINGS), RINGS - 1)
    wedge = (1 if dy > 0 else 0) + (2 if dx > 0 else 0) + (4 if abs(dy) > abs(dx) else 0)
    return ring * WEDGES + wedge


@compiled
def _to_edge(inside: np.ndarray, along: np.ndarray, found: np.ndarray) -> None:
    """Squared distance of every pixel inside to the nearest one that is not (h,w); outside 0.

    Along columns first, then the smallest of along² + across² over the row, looked for from the
    pixel outwards until across² alone is more.
    """
    height, width = inside.shape
    none = float((height + width) * (height + width))  # more than any, where nothing is outside
    for x in range(width):
        last = none
        for y in range(height):
            last = last + 1 if inside[y, x] else 0.0
            along[y, x] = last
        last = none
        for y in range(height - 1, -1, -1):
            last = last + 1 if inside[y, x] else 0.0
            along[y, x] = min(along[y, x], last)
    for y in range(height):
        for x in range(width):
            best = along[y, x] * along[y, x]
            step = 1
            while step * step < best and step < width:
                if x - step >= 0:
                    best = min(best, along[y, x - step] * along[y, x - step] + step * step)
                if x + step < width:
                    best = min(best, along[y, x + step] * along[y, x + step] + step * step)
                step += 1
            found[y, x] = best


@compiled
def _from_centre(inside: np.ndarray, cy: int, cx: int, way: np.ndarray) -> None:
    """Length of the shortest way through the object, 8-connected, to (cy, cx); inf without one.

    Sweeps there and back until nothing changes: two for most objects, more around corners.
    """
    height, width = inside.shape
    way[:] = np.inf
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


def sums(values: np.ndarray, places: np.ndarray, runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of each object's finite values by ring and wedge, float64 (n,4,8)."""
    found = np.zeros((2, len(runs.area), RINGS * WEDGES))
    _sums(values, places, runs.area, found[0], found[1])
    light, count = found.reshape(2, -1, RINGS, WEDGES)
    return light, count


@compiled
def _sums(
    values: np.ndarray, places: np.ndarray, area: np.ndarray, light: np.ndarray,
    count: np.ndarray,
) -> None:
    k = 0
    for i in range(area.size):
        for _ in range(area[i]):
            if places[k] >= 0 and np.isfinite(values[k]):
                light[i, places[k]] += values[k]
                count[i, places[k]] += 1
            k += 1
