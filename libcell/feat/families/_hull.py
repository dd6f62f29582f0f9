"""Convex hulls of objects: area in pixels, largest and smallest width."""

from itertools import pairwise

import numpy as np

from libcell.feat.families._index import ObjectIndex

NUDGE = 1e-10  # pixel centres on the hull's edge are inside, as in scikit-image
HALF = np.array([(-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5)])


def hulls(index: ObjectIndex) -> dict[str, np.ndarray]:
    """`ConvexArea`, `MaxFeretDiameter`, `MinFeretDiameter` of every object (n,)."""
    found = {k: np.zeros(len(index)) for k in
             ("ConvexArea", "MaxFeretDiameter", "MinFeretDiameter")}
    for i, points in enumerate(_row_ends(index)):
        centres = convex_hull(points)
        found["MaxFeretDiameter"][i] = _longest(centres)
        found["MinFeretDiameter"][i] = _narrowest(centres)
        # a pixel reaches half a pixel to every side (scikit-image's offset_coordinates)
        grown = convex_hull((centres[:, None] + HALF).reshape(-1, 2))
        found["ConvexArea"][i] = _centres_inside(grown)
    return found


def _row_ends(index: ObjectIndex) -> list[np.ndarray]:
    """First and last pixel (y, x) of every row of every object: all that a hull can touch."""
    if not len(index):
        return []
    new = np.flatnonzero((np.diff(index.owner) != 0) | (np.diff(index.y) != 0)) + 1
    first = np.concatenate([[0], new])
    last = np.concatenate([new, [len(index.pixels)]]) - 1
    ends = np.stack([np.column_stack([index.y[r], index.x[r]]) for r in (first, last)], axis=1)
    edges = np.searchsorted(index.owner[first], np.arange(len(index) + 1))
    return [ends[a:b].reshape(-1, 2).astype(np.float64) for a, b in pairwise(edges)]


def convex_hull(points: np.ndarray) -> np.ndarray:
    """Corners (m,2) of the convex hull in order; Andrew's monotone chain (1979)."""
    ordered = sorted(set(map(tuple, points.tolist())))
    if len(ordered) < 3:
        return np.array(ordered)
    lower, upper = _chain(ordered), _chain(ordered[::-1])
    return np.array(lower[:-1] + upper[:-1])


def _chain(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for point in points:
        while len(kept) > 1 and _turn(kept[-2], kept[-1], point) <= 0:
            kept.pop()
        kept.append(point)
    return kept


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _longest(corners: np.ndarray) -> float:
    difference = corners[:, None] - corners
    return float(np.sqrt((difference**2).sum(axis=-1)).max())


def _narrowest(corners: np.ndarray) -> float:
    """Smallest distance between parallel lines around the hull; one of them holds an edge."""
    if len(corners) < 3:
        return 0.0
    edge = np.roll(corners, -1, axis=0) - corners
    normal = np.column_stack([-edge[:, 1], edge[:, 0]]) / np.hypot(*edge.T)[:, None]
    return float(np.ptp(corners @ normal.T, axis=0).min())


def _centres_inside(corners: np.ndarray) -> float:
    """Pixel centres inside or on a convex polygon, row by row."""
    start, stop = corners, np.roll(corners, -1, axis=0)
    rows = np.arange(np.ceil(corners[:, 0].min() - NUDGE), np.floor(corners[:, 0].max()) + 1)
    low, high = np.minimum(start[:, 0], stop[:, 0]), np.maximum(start[:, 0], stop[:, 0])
    crosses = (rows[:, None] >= low) & (rows[:, None] <= high) & (low < high)
    rise = np.where(low < high, stop[:, 0] - start[:, 0], 1.0)
    place = start[:, 1] + (rows[:, None] - start[:, 0]) * (stop[:, 1] - start[:, 1]) / rise
    left = np.where(crosses, place, np.inf).min(axis=1)
    right = np.where(crosses, place, -np.inf).max(axis=1)
    return float((np.floor(right + NUDGE) - np.ceil(left - NUDGE) + 1).sum())
