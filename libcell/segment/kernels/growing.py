"""Cells grown from nuclei: every pixel goes to the nearest one, as far as a limit.

Near is meant in pixels (`nearest`) or along the image (`spread`). Both give in a tile what they
would give in the whole image: `nearest` with a halo as wide as the limit, `spread` where it says
that it is certain.
"""

import heapq
import math

import numpy as np

from libcell.compiled import compiled

FAR = np.float32(np.inf)


def nearest(
    labels: np.ndarray, limit_px: float, ratios: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> np.ndarray:
    """Labels (Z,Y,X) uint32 grown to all pixels within `limit_px` of them, in straight lines.

    `ratios` are the sizes of a pixel along z, y, x in units of that along x. Of two that are
    equally near the lower label wins.
    """
    squared = np.where(labels > 0, np.float32(0), FAR)
    owner = labels.astype(np.uint32)
    for axis in (2, 1, 0):
        if labels.shape[axis] > 1:
            weight = np.float32(ratios[axis] ** 2)
            reach = math.floor(limit_px / ratios[axis])
            lines = np.ascontiguousarray(np.moveaxis(squared, axis, -1))
            owners = np.ascontiguousarray(np.moveaxis(owner, axis, -1))
            lines, owners = _along(lines, owners, reach, weight)
            squared, owner = np.moveaxis(lines, -1, axis), np.moveaxis(owners, -1, axis)
    return np.where(squared <= np.float32(limit_px) ** 2, owner, 0).astype(np.uint32)


@compiled
def _along(
    squared: np.ndarray, owner: np.ndarray, reach: int, weight: np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel the best along the last axis: least squared distance, then lowest label."""
    best, name = squared.copy(), owner.copy()
    planes, lines, length = squared.shape
    for p in range(planes):
        for i in range(lines):
            for k in range(length):
                if squared[p, i, k] == np.inf:
                    continue
                source, label = squared[p, i, k], owner[p, i, k]
                for j in range(max(0, k - reach), min(length, k + reach + 1)):
                    value = source + weight * np.float32((j - k) * (j - k))
                    if value < best[p, i, j] or (value == best[p, i, j] and label < name[p, i, j]):
                        best[p, i, j] = value
                        name[p, i, j] = label
    return best, name


def spread(
    labels: np.ndarray, image: np.ndarray, allowed: np.ndarray, regularisation: float,
    cut: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (Y,X) grown over the pixels of `allowed` along the shortest way in the image.

    image           (Y,X) float32, in units in which a step of 1 is the whole contrast
    regularisation  weight of a step against a change of intensity: 0 follows the image alone
    cut             bool (Y,X): pixels so near to a side behind which the image goes on that
                    `allowed` or the intensities around them are not all known; 3 px at least

    A step from pixel to pixel (diagonals too) costs sqrt(change^2 + (regularisation x its
    length)^2), where the change is summed over the 3 x 3 surroundings: the metric of Jones,
    Carpenter and Golland 2005. Of two that are equally near the lower label wins.

    Returns the labels, uint32, and whether each pixel is certain to have them in the whole image:
    nothing that comes in over a cut side could have been nearer.
    """
    steps = _steps(image.astype(np.float64))
    cost, owner = _flood(labels, allowed, steps, regularisation)
    if not cut.any():
        return owner, np.ones(labels.shape, bool)
    outside, _ = _flood(cut.astype(np.uint32), allowed | cut, steps, regularisation)
    return owner, (cost < outside) | ~allowed


def _steps(image: np.ndarray) -> np.ndarray:
    """The change of intensity (4,Y,X) from each pixel to those right, below left, below, below
    right of it, summed over the surroundings of both."""
    padded = np.pad(image, 2, mode="edge")
    height, width = image.shape
    found = np.zeros((4, height, width))
    for k, (dy, dx) in enumerate(((0, 1), (1, -1), (1, 0), (1, 1))):
        for y in range(1, 4):
            for x in range(1, 4):
                here = padded[y : y + height, x : x + width]
                there = padded[y + dy : y + dy + height, x + dx : x + dx + width]
                found[k] += np.abs(here - there)
    return found


@compiled
def _flood(
    labels: np.ndarray, allowed: np.ndarray, steps: np.ndarray, weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Cost (Y,X) float64 and label of the nearest seed for each pixel: Dijkstra's algorithm."""
    height, width = labels.shape
    cost = np.full((height, width), np.inf)
    owner = np.zeros((height, width), np.uint32)
    heap = [(0.0, np.uint32(0), 0)]
    heap.pop()
    for y in range(height):
        for x in range(width):
            if labels[y, x]:
                cost[y, x] = 0.0
                owner[y, x] = labels[y, x]
                heap.append((0.0, labels[y, x], y * width + x))
    heapq.heapify(heap)
    while heap:
        far, label, place = heapq.heappop(heap)
        y, x = place // width, place % width
        if far > cost[y, x] or label != owner[y, x]:
            continue
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                v, u = y + dy, x + dx
                if (dy == 0 and dx == 0) or not (0 <= v < height and 0 <= u < width):
                    continue
                if not allowed[v, u] or labels[v, u]:
                    continue
                if dy == 0:
                    change = steps[0, y, min(x, u)]
                elif dy == 1:
                    change = steps[2 + dx, y, x]
                else:
                    change = steps[2 - dx, v, u]
                length = weight * weight * (dy * dy + dx * dx)
                reached = far + math.sqrt(change * change + length)
                if reached < cost[v, u] or (reached == cost[v, u] and label < owner[v, u]):
                    cost[v, u] = reached
                    owner[v, u] = label
                    heapq.heappush(heap, (reached, label, v * width + u))
    return cost, owner
