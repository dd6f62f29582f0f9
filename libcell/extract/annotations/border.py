"""Where pycocotools' rule puts the border of a polygon, as machine code.

The rule is `rleFrPoly` of maskApi.c: corners are rounded to fifths of a pixel, each edge is drawn
through whole fifths along its longer axis, and the border meets column x where that drawing steps
from fifth 5x+2 to 5x+3. From the row there on, downwards, inside and outside change places; so a
pixel is inside where an odd number of crossings lies at its row or above. Here an edge is not
drawn: the step is looked up for each column, with the same arithmetic, in the same order. (Where
in the image an edge lies decides ties in that arithmetic, so none of it can be done in the box.)

Masks are bits: row r of `bits` (rows, words) uint64 holds 64 columns to a word, lowest bit first.
"""

import numpy as np

from libcell.compiled import compiled

FIFTHS = 5


@compiled
def scaled(value: float) -> int:
    """A coordinate in whole fifths, cut towards 0 as C does."""
    return int(FIFTHS * value + 0.5)


@compiled
def row_of(fifths: int, height: int) -> int:
    """The first row below a crossing, 0..height."""
    return min(max((fifths + 2) // FIFTHS, 0), height)


@compiled
def bounds(points: np.ndarray, height: int, width: int) -> tuple[int, int, int, int]:
    """Rows and columns y0, x0, y1, x1 (ends exclusive) that a polygon's pixels can be in.

    `points` (2k,) are x, y, x, y, ...
    """
    left = right = scaled(points[0])
    top = bottom = scaled(points[1])
    for j in range(2, len(points) - 1, 2):
        u, v = scaled(points[j]), scaled(points[j + 1])
        left, right = min(left, u), max(right, u)
        top, bottom = min(top, v), max(bottom, v)
    x0, x1 = max((left + 2) // FIFTHS, 0), min((right - 3) // FIFTHS + 1, width)
    return row_of(top, height), x0, row_of(bottom, height), max(x0, x1)


@compiled
def cross(
    points: np.ndarray, bits: np.ndarray, top: int, left: int, height: int, width: int
) -> None:
    """Flip the bit of every crossing of a polygon; (0,0) of `bits` is pixel (top, left)."""
    xs, ys = scaled(points[-2]), scaled(points[-1])
    for j in range(0, len(points) - 1, 2):
        xe, ye = scaled(points[j]), scaled(points[j + 1])
        if abs(xe - xs) >= abs(ye - ys):
            if xs <= xe:
                _flat(xs, ys, xe, ye, bits, top, left, height, width)
            else:
                _flat(xe, ye, xs, ys, bits, top, left, height, width)
        elif ys <= ye:
            _steep(xs, ys, xe, ye, bits, top, left, height, width)
        else:
            _steep(xe, ye, xs, ys, bits, top, left, height, width)
        xs, ys = xe, ye


@compiled
def flip(bits: np.ndarray, row: int, column: int) -> None:
    """Flip one bit; a crossing below the last row is of no effect."""
    if row < bits.shape[0]:
        bits[row, column >> 6] ^= np.uint64(1) << np.uint64(column & 63)


@compiled
def _flat(
    xs: int, ys: int, xe: int, ye: int, bits: np.ndarray, top: int, left: int, height: int,
    width: int,
) -> None:
    """An edge drawn along x, xs <= xe: its height at both sides of each column's step."""
    if xs == xe:
        return
    slope = (ye - ys) / (xe - xs)
    for x in range(max((xs + 2) // FIFTHS, 0), min((xe - 3) // FIFTHS, width - 1) + 1):
        step = FIFTHS * x + 2 - xs
        here, there = int(ys + slope * step + 0.5), int(ys + slope * (step + 1) + 0.5)
        flip(bits, row_of(min(here, there), height) - top, x - left)


@compiled
def _steep(
    xs: int, ys: int, xe: int, ye: int, bits: np.ndarray, top: int, left: int, height: int,
    width: int,
) -> None:
    """An edge drawn along y, ys < ye: the step at which it gets past each column's."""
    if xs == xe:
        return
    steps = ye - ys
    slope = (xe - xs) / steps
    first, last = int(xs + 0.5), int(xs + slope * steps + 0.5)
    low, high = min(first, last), max(first, last)
    for x in range(max((low + 2) // FIFTHS, 0), min((high - 3) // FIFTHS, width - 1) + 1):
        border = FIFTHS * x + 2
        step = min(max(int((border + 0.5 - xs) / slope), 1), steps)
        # the guess may be a step off; the drawing's own arithmetic decides
        while step > 1 and (int(xs + slope * (step - 1) + 0.5) > border) == (slope > 0):
            step -= 1
        while step < steps and (int(xs + slope * step + 0.5) > border) != (slope > 0):
            step += 1
        flip(bits, row_of(ys + step - 1, height) - top, x - left)
