"""Convex hulls of objects: area in pixels, largest and smallest width, circle around them.

An object's hull is a left and a right chain of row ends. A right chain is the left chain of the
mirrored object, so there is one kind only: points by row, x as small as can be. Positions count
from the corner of the bounding box, in whole numbers.
"""

from typing import NamedTuple

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._runs import ZERO, Runs, heights, most

EMPTY = 2**62
SLACK = 1 + 1e-12  # a corner is outside a circle only beyond rounding


class Hulls(NamedTuple):
    """What the hulls tell, float64 (n,), px.

    area         pixel centres in or on the hull of the object's pixels, each a diamond half a
                 pixel around its centre (scikit-image's convex_hull_image)
    widest       largest distance of two pixel centres
    narrowest    smallest distance of parallel lines around the pixel centres
    outer        largest distance across the outline of the hull's pixels, which runs half a
                 pixel outside them (scikit-image's feret_diameter_max)
    y, x, radius   smallest circle around the pixel centres, its centre from the box's corner
    """

    area: np.ndarray
    widest: np.ndarray
    narrowest: np.ndarray
    outer: np.ndarray
    y: np.ndarray
    x: np.ndarray
    radius: np.ndarray


def hulls(runs: Runs) -> Hulls:
    """The hulls of all objects."""
    found = np.zeros((7, runs.area.size))
    tallest = most(heights(runs))
    rows, chain, ring = (np.empty((2, k * tallest), np.int64) for k in (1, 3, 6))
    _hulls(runs, rows, chain, ring, found)
    return Hulls(*found)


@compiled
def _hulls(
    runs: Runs, rows: np.ndarray, chain: np.ndarray, ring: np.ndarray, found: np.ndarray
) -> None:
    for i in range(runs.area.size):
        height = runs.box[i, 2] - runs.box[i, 0]
        _row_ends(runs, i, rows)
        for stage in range(2):  # the hull of the pixels; that of the hull's pixels' diamonds
            count = ZERO
            for side in range(2):
                corners = _hull(rows, side, height, stage, chain)
                count = _join(chain, corners, side, ring, count)
                if stage == 0:
                    found[0, i] += _fill(chain, corners, rows, side, height)
            if stage == 0:
                found[2, i] = _narrowest(ring, count)
                found[4, i], found[5, i], found[6, i] = _circle(ring, count)
            found[1 + 2 * stage, i] = np.sqrt(float(_widest(ring, count))) / (1 + stage)
        found[0, i] += height


@compiled
def _row_ends(runs: Runs, i: int, rows: np.ndarray) -> None:
    """Smallest x, and smallest -x, of every row of an object; a large number in empty rows."""
    y0, x0 = runs.box[i, 0], runs.box[i, 1]
    for y in range(runs.box[i, 2] - y0):
        rows[0, y] = rows[1, y] = EMPTY
    for r in range(runs.first[i], runs.first[i + 1]):
        y = runs.y[r] - y0
        rows[0, y] = min(rows[0, y], runs.x0[r] - x0)
        rows[1, y] = min(rows[1, y], 1 - (runs.x1[r] - x0))


@compiled
def _hull(rows: np.ndarray, side: int, height: int, diamonds: int, chain: np.ndarray) -> int:
    """Corners of one side's hull, of the pixels in rows or of their diamonds in half pixels."""
    kept = ZERO
    for y in range(height):
        if rows[side, y] == EMPTY:
            continue
        if not diamonds:
            kept = _add(chain, kept, y, rows[side, y])
            continue
        for step in range(3):
            kept = _add(chain, kept, 2 * y + step - 1, 2 * rows[side, y] - step % 2)
    return kept


@compiled
def _add(chain: np.ndarray, kept: int, y: int, x: int) -> int:
    """Add a point to a hull; one on or inside the line between its neighbours is no corner."""
    while kept > 1 and (
        (chain[1, kept - 1] - chain[1, kept - 2]) * (y - chain[0, kept - 2])
        >= (x - chain[1, kept - 2]) * (chain[0, kept - 1] - chain[0, kept - 2])
    ):
        kept -= 1
    chain[0, kept], chain[1, kept] = y, x
    return kept + 1


@compiled
def _join(chain: np.ndarray, corners: int, side: int, ring: np.ndarray, count: int) -> int:
    """The corners of both sides in order: down the left, up the right; their number so far."""
    for k in range(corners):
        at = k if side == 0 else corners - 1 - k
        ring[0, count + k] = chain[0, at]
        ring[1, count + k] = chain[1, at] if side == 0 else -chain[1, at]
    return count + corners


@compiled
def _fill(chain: np.ndarray, corners: int, rows: np.ndarray, side: int, height: int) -> int:
    """Set every row's end to the smallest x not left of the hull of diamonds around the corners;
    minus the sum of them."""
    wide = 0
    for k in range(corners - 1, -1, -1):  # in place: a corner becomes three
        y, x = 2 * chain[0, k], 2 * chain[1, k]
        for step in range(3):
            chain[0, 3 * k + step], chain[1, 3 * k + step] = y + step - 1, x - step % 2
    kept = ZERO
    for k in range(3 * corners):
        kept = _add(chain, kept, chain[0, k], chain[1, k])
    k = 0
    for y in range(height):
        while k + 2 < kept and chain[0, k + 1] <= 2 * y:
            k += 1
        y0, x0 = chain[0, k], chain[1, k]
        high = chain[0, k + 1] - y0
        rows[side, y] = -(-(x0 * high + (chain[1, k + 1] - x0) * (2 * y - y0)) // (2 * high))
        wide -= rows[side, y]
    return wide


@compiled
def _widest(ring: np.ndarray, count: int) -> int:
    """Largest squared distance of two corners."""
    found = 0
    for a in range(count):
        for b in range(a):
            found = max(found, (ring[0, a] - ring[0, b]) ** 2 + (ring[1, a] - ring[1, b]) ** 2)
    return found


@compiled
def _narrowest(ring: np.ndarray, count: int) -> float:
    """Smallest width: one of the two lines holds a side of the hull. 0 for a point or line."""
    found = np.inf
    for a in range(count):
        b = (a + 1) % count
        dy, dx = ring[0, b] - ring[0, a], ring[1, b] - ring[1, a]
        if dy == 0 and dx == 0:
            continue
        across = 0
        for c in range(count):
            off = dy * (ring[1, c] - ring[1, a]) - dx * (ring[0, c] - ring[0, a])
            across = max(across, abs(off))
        found = min(found, across / np.sqrt(float(dy * dy + dx * dx)))
    return found if found < np.inf else 0.0


@compiled
def _circle(ring: np.ndarray, count: int) -> tuple[float, float, float]:
    """Smallest circle around the corners (Welzl 1991, without recursion): y, x, radius."""
    y, x, square = float(ring[0, 0]), float(ring[1, 0]), 0.0
    for a in range(1, count):
        if _within(ring, a, y, x, square):
            continue
        y, x, square = float(ring[0, a]), float(ring[1, a]), 0.0
        for b in range(a):
            if _within(ring, b, y, x, square):
                continue
            y, x = (ring[0, a] + ring[0, b]) / 2, (ring[1, a] + ring[1, b]) / 2
            square = (ring[0, a] - y) ** 2 + (ring[1, a] - x) ** 2
            for c in range(b):
                if not _within(ring, c, y, x, square):
                    y, x = _through(ring, a, b, c)
                    square = (ring[0, a] - y) ** 2 + (ring[1, a] - x) ** 2
    return y, x, np.sqrt(square)


@compiled
def _within(ring: np.ndarray, k: int, y: float, x: float, square: float) -> bool:
    return (ring[0, k] - y) ** 2 + (ring[1, k] - x) ** 2 <= square * SLACK


@compiled
def _through(ring: np.ndarray, a: int, b: int, c: int) -> tuple[float, float]:
    """Centre of the circle through three corners, y and x."""
    by, bx = ring[0, b] - ring[0, a], ring[1, b] - ring[1, a]
    cy, cx = ring[0, c] - ring[0, a], ring[1, c] - ring[1, a]
    twice = 2.0 * (bx * cy - by * cx)
    b2, c2 = by * by + bx * bx, cy * cy + cx * cx
    return ring[0, a] + (bx * c2 - cx * b2) / twice, ring[1, a] + (cy * b2 - by * c2) / twice
