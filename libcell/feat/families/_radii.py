"""Distances of an object's pixels to the nearest pixel outside it."""

from typing import NamedTuple

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._runs import Runs, heights, most, widths


class Radii(NamedTuple):
    """Largest, mean and median distance of an object's pixels, float64 (n,), px."""

    largest: np.ndarray
    mean: np.ndarray
    median: np.ndarray


def radii(runs: Runs) -> Radii:
    """Euclidean distances; other objects and everything beyond the image are outside."""
    height, width = heights(runs) + 2, widths(runs)
    found = np.zeros((3, len(runs.area)))
    column = np.empty((2, most(height)), np.int64)
    reach = min(most(height), most(width) + 2) // 2 + 1
    _radii(runs, np.empty(most(height * width), np.int32), column[0], column[1],
           np.zeros(reach * reach + 1, np.int64), found)
    return Radii(*found)


@compiled
def _radii(
    runs: Runs, scratch: np.ndarray, parabola: np.ndarray, start: np.ndarray, count: np.ndarray,
    found: np.ndarray,
) -> None:
    """By rows, then by columns, exact in whole numbers and in time that grows with the box alone
    (Meijster, Roerdink and Hesselink 2000)."""
    for i in range(runs.area.size):
        height, width = runs.box[i, 2] - runs.box[i, 0] + 2, runs.box[i, 3] - runs.box[i, 1]
        along = scratch[: height * width].reshape(width, height)  # a column is contiguous
        _along_rows(runs, i, along)
        far = 0
        for x in range(width):
            y = 0
            while y < height:
                first = y
                while y < height and along[x, y] > 0:
                    y += 1
                if y > first:  # pixels in one piece, between one outside above and one below
                    piece = along[x, first - 1 : y + 1]
                    far = max(far, _down(piece, parabola, start, count))
                y += 1
        found[0, i] = np.sqrt(float(far))
        found[1, i], found[2, i] = _middle(count, far, runs.area[i])


@compiled
def _along_rows(runs: Runs, i: int, along: np.ndarray) -> None:
    """Squared distance of every pixel to the end of its run, 0 outside, as (X,Y)."""
    along[:] = 0
    y0, x0 = runs.box[i, 0] - 1, runs.box[i, 1]
    for r in range(runs.first[i], runs.first[i + 1]):
        y, a, b = runs.y[r] - y0, runs.x0[r], runs.x1[r]
        for x in range(a, b):
            nearest = min(x - a + 1, b - x)
            along[x - x0, y] = nearest * nearest


@compiled
def _down(along: np.ndarray, parabola: np.ndarray, start: np.ndarray, count: np.ndarray) -> int:
    """Count the pixels of a column's piece by squared distance; the largest."""
    last = 0  # of the parabolas over rows whose lowest is the distance, from which row on
    parabola[0], start[0] = 0, 0
    for y in range(1, along.size):
        while last > 0 and (_over(along, parabola[last], start[last])
                            > _over(along, y, start[last])):
            last -= 1
        other = parabola[last]
        # exact: a quotient of numbers this small is no whole number by rounding alone
        above = float(y * y - other * other + along[y] - along[other])
        cross = 1 + int(np.floor(above / (2 * (y - other))))
        if cross < along.size:
            last += 1
            parabola[last], start[last] = y, cross
    far = 0
    for y in range(along.size - 2, 0, -1):
        while y < start[last]:
            last -= 1
        square = _over(along, parabola[last], y)
        count[square] += 1
        far = max(far, square)
    return far


@compiled
def _over(along: np.ndarray, row: int, y: int) -> int:
    """Height at row y of the parabola over a row."""
    return (y - row) * (y - row) + along[row]


@compiled
def _middle(count: np.ndarray, far: int, area: int) -> tuple[float, float]:
    """Mean and median root of whole numbers up to `far` that are counted; sets the counts to 0.

    Of two in the middle the median is their mean.
    """
    total, low, high, seen = 0.0, 0.0, 0.0, 0
    for square in range(1, far + 1):
        if count[square]:
            root = np.sqrt(float(square))
            total += count[square] * root
            if seen <= (area - 1) // 2:
                low = root
            if seen <= area // 2:
                high = root
            seen += count[square]
            count[square] = 0
    return total / area, (low + high) / 2
