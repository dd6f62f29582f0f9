"""What the outlines of objects tell: perimeters, Euler number, area with its holes filled."""

from typing import NamedTuple

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._holes import holes
from libcell.feat.families._runs import Runs, heights, most, widths

# weights of outline pixels by their neighbourhood (Benkrid and Crookes 2000), as in scikit-image:
# 1 for the pixel, 2 for each outline pixel beside it, 10 for each one diagonal to it
WEIGHTS = np.zeros(50)
WEIGHTS[[5, 7, 15, 17, 25, 27]] = 1
WEIGHTS[[21, 33]] = np.sqrt(2)
WEIGHTS[[13, 23]] = (1 + np.sqrt(2)) / 2

# squares of 2 x 2 pixels by which are in the object, 1 upper left, 2 lower left, 4 upper right,
# 8 lower right: what each adds to the length in four directions (Crofton), as in scikit-image,
# and four times what it adds to the 8-connected parts minus holes
A, B = np.pi / 4 * (1 + 1 / np.sqrt(2)), np.pi / (4 * np.sqrt(2))
CROFTON = np.array([0, A, B, 2 * B, 0, A, 0, B, np.pi / 4, np.pi / 2, B, B, np.pi / 4, np.pi / 2,
                    0, 0])
PARTS = np.array([0, 1, 1, 0, 1, 0, -2, -1, 1, -2, 0, -1, 0, -1, -1, 0])


class Outlines(NamedTuple):
    """perimeter, crofton: lengths of the outline, px; euler: 8-connected parts minus holes;
    filled: px² with holes, all float64 (n,). Each object is seen as if it were alone."""

    perimeter: np.ndarray
    crofton: np.ndarray
    euler: np.ndarray
    filled: np.ndarray


def outlines(runs: Runs) -> Outlines:
    """The outlines of all objects; a single pixel's perimeter is 0."""
    found = np.zeros((3, len(runs.area)))
    largest = most((heights(runs) + 2) * (widths(runs) + 2))
    _outlines(runs, WEIGHTS, CROFTON, PARTS, np.empty(largest, np.uint8),
              np.empty(largest, np.int64), found)
    return Outlines(found[0], found[1], found[2], (runs.area + holes(runs)).astype(np.float64))


@compiled
def _outlines(
    runs: Runs, weights: np.ndarray, crofton: np.ndarray, parts: np.ndarray, scratch: np.ndarray,
    places: np.ndarray, found: np.ndarray,
) -> None:
    for i in range(runs.area.size):
        height, width = runs.box[i, 2] - runs.box[i, 0] + 2, runs.box[i, 3] - runs.box[i, 1] + 2
        drawn = scratch[: height * width].reshape(height, width)
        _draw(runs, i, drawn)
        count = _mark(runs, i, drawn, places)
        for k in range(count):
            y, x = places[k] // width, places[k] % width
            found[0, i] += weights[_neighbours(drawn, y, x)]
            for square in range(4):  # that it is part of, unless an earlier pixel of it was there
                top, left = y - square % 2, x - square // 2
                kind = _square(drawn, top, left, square)
                found[1, i] += crofton[kind]
                found[2, i] += parts[kind] / 4


@compiled
def _draw(runs: Runs, i: int, drawn: np.ndarray) -> None:
    """1 in the object, 0 around it and one pixel beyond its box."""
    drawn[:] = 0
    y0, x0 = runs.box[i, 0] - 1, runs.box[i, 1] - 1
    for r in range(runs.first[i], runs.first[i + 1]):
        drawn[runs.y[r] - y0, runs.x0[r] - x0 : runs.x1[r] - x0] = 1


@compiled
def _mark(runs: Runs, i: int, drawn: np.ndarray, places: np.ndarray) -> int:
    """Mark the outline by 3, pixels that touch the outside, and list it; its length."""
    width, count = drawn.shape[1], 0
    y0, x0 = runs.box[i, 0] - 1, runs.box[i, 1] - 1
    for r in range(runs.first[i], runs.first[i + 1]):
        y, a, b = runs.y[r] - y0, runs.x0[r] - x0, runs.x1[r] - x0
        here, above, below = drawn[y, a:b], drawn[y - 1, a:b], drawn[y + 1, a:b]
        for k in range(b - a):
            if k == 0 or k == b - a - 1 or not above[k] & below[k] & 1:
                here[k] = 3
                places[count] = y * width + a + k
                count += 1
    return count


@compiled
def _neighbours(drawn: np.ndarray, y: int, x: int) -> int:
    """1 for an outline pixel, 2 for each beside it, 10 for each diagonal to it."""
    beside = drawn[y - 1, x] // 2 + drawn[y + 1, x] // 2 + drawn[y, x - 1] // 2 + (
        drawn[y, x + 1] // 2)
    diagonal = drawn[y - 1, x - 1] // 2 + drawn[y - 1, x + 1] // 2 + drawn[y + 1, x - 1] // 2 + (
        drawn[y + 1, x + 1] // 2)
    return 1 + 2 * beside + 10 * diagonal


@compiled
def _square(drawn: np.ndarray, y: int, x: int, place: int) -> int:
    """Which pixels of a square are in the object; 0 if one before `place` is of the outline."""
    found = 0
    for k in range(4):
        here = drawn[y + k % 2, x + k // 2]
        if k < place and here == 3:
            return 0
        found += (here & 1) << k
    return found
