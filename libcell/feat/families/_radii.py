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
    _radii(runs, np.empty(most(height * width), np.int64), column[0], column[1],
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
        total, far = 0.0, 0
        for x in range(width):
            farthest, sums = _down_column(along[x], parabola, start, count)
            total, far = total + sums, max(far, farthest)
        found[0, i], found[1, i] = np.sqrt(float(far)), total / runs.area[i]
        found[2, i] = _median(count, runs.area[i])
        count[: far + 1] = 0


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
def _down_column(
    along: np.ndarray, parabola: np.ndarray, start: np.ndarray, count: np.ndarray
) -> tuple[int, float]:
    """Count the pixels of a column by squared distance; the largest, and the sum of distances."""
    last = 0  # of the parabolas over rows whose lowest is the distance, from which row on
    parabola[0], start[0] = 0, 0
    for y in range(1, along.size):
        while last >= 0 and (_over(along, parabola[last], start[last])
                             > _over(along, y, start[last])):
            last -= 1
        if last < 0:
            last, parabola[0], start[0] = 0, y, 0
            continue
        other = parabola[last]
        cross = 1 + (y * y - other * other + along[y] - along[other]) // (2 * (y - other))
        if cross < along.size:
            last += 1
            parabola[last], start[last] = y, cross
    far, total = 0, 0.0
    for y in range(along.size - 1, -1, -1):
        if along[y] > 0:
            square = _over(along, parabola[last], y)
            count[square] += 1
            total += np.sqrt(float(square))
            far = max(far, square)
        if y == start[last]:
            last -= 1
    return far, total


@compiled
def _over(along: np.ndarray, row: int, y: int) -> int:
    """Height at row y of the parabola over a row."""
    return (y - row) * (y - row) + along[row]


@compiled
def _median(count: np.ndarray, area: int) -> float:
    """Median root of whole numbers that are counted; of two in the middle their mean."""
    low, high, seen, square = -1, -1, 0, -1
    while high < 0:
        square += 1
        seen += count[square]
        if low < 0 and seen > (area - 1) // 2:
            low = square
        if seen > area // 2:
            high = square
    return (np.sqrt(float(low)) + np.sqrt(float(high))) / 2
