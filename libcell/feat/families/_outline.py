"""What the outlines of objects tell: perimeters, Euler number, area with its holes filled."""

from typing import NamedTuple

import numpy as np

from libcell.compiled import compiled
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
    found = np.zeros((4, len(runs.area)))
    largest = most((heights(runs) + 2) * (widths(runs) + 2))
    waiting = np.empty(largest if _gaps(runs).any() else 0, np.int64)
    _outlines(runs, WEIGHTS, CROFTON, PARTS, np.empty(largest, np.uint8), waiting, found)
    return Outlines(*found)


def _gaps(runs: Runs) -> np.ndarray:
    """Whether a row of an object may have a gap, bool (n,); without one it has no hole."""
    return np.diff(runs.first) > heights(runs)


@compiled
def _outlines(
    runs: Runs, weights: np.ndarray, crofton: np.ndarray, parts: np.ndarray, scratch: np.ndarray,
    waiting: np.ndarray, found: np.ndarray,
) -> None:
    for i in range(runs.area.size):
        height, width = runs.box[i, 2] - runs.box[i, 0] + 2, runs.box[i, 3] - runs.box[i, 1] + 2
        drawn = scratch[: height * width].reshape(height, width)
        _draw(runs, i, drawn)
        count = 0
        for y in range(height - 1):
            for x in range(width - 1):
                square = (drawn[y, x] + 2 * drawn[y + 1, x] + 4 * drawn[y, x + 1]
                          + 8 * drawn[y + 1, x + 1])
                found[1, i] += crofton[square]
                count += parts[square]
        found[2, i] = count // 4
        found[3, i] = runs.area[i]
        if runs.first[i + 1] - runs.first[i] > height - 2:
            found[3, i] = height * width - _outside(drawn, waiting)
        found[0, i] = _perimeter(drawn, weights)


@compiled
def _draw(runs: Runs, i: int, drawn: np.ndarray) -> None:
    """1 in the object, 0 around it and one pixel beyond its box."""
    drawn[:] = 0
    y0, x0 = runs.box[i, 0] - 1, runs.box[i, 1] - 1
    for r in range(runs.first[i], runs.first[i + 1]):
        drawn[runs.y[r] - y0, runs.x0[r] - x0 : runs.x1[r] - x0] = 1


@compiled
def _outside(drawn: np.ndarray, waiting: np.ndarray) -> int:
    """Pixels that a flood from the corner reaches, also diagonally (binary_fill_holes as
    scikit-image calls it). Marks them by 4, then unmarks them."""
    height, width = drawn.shape
    waiting[0], count, reached = 0, 1, 0
    drawn[0, 0] = 4
    while reached < count:
        y, x = waiting[reached] // width, waiting[reached] % width
        reached += 1
        for b in range(max(y - 1, 0), min(y + 2, height)):
            for a in range(max(x - 1, 0), min(x + 2, width)):
                if drawn[b, a] == 0:
                    drawn[b, a] = 4
                    waiting[count] = b * width + a
                    count += 1
    for k in range(count):
        drawn[waiting[k] // width, waiting[k] % width] = 0
    return count


@compiled
def _perimeter(drawn: np.ndarray, weights: np.ndarray) -> float:
    """Sum of the weights; the outline is marked by 2, pixels that touch the outside."""
    height, width = drawn.shape
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if drawn[y, x] and not (drawn[y - 1, x] and drawn[y + 1, x]
                                    and drawn[y, x - 1] and drawn[y, x + 1]):
                drawn[y, x] = 2
    total = 0.0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if drawn[y, x] == 2:
                beside = ((drawn[y - 1, x] == 2) + (drawn[y + 1, x] == 2)
                          + (drawn[y, x - 1] == 2) + (drawn[y, x + 1] == 2))
                diagonal = ((drawn[y - 1, x - 1] == 2) + (drawn[y - 1, x + 1] == 2)
                            + (drawn[y + 1, x - 1] == 2) + (drawn[y + 1, x + 1] == 2))
                total += weights[1 + 2 * beside + 10 * diagonal]
    return total
