"""Convex hulls of all objects at once: area in pixels, largest and smallest width.

A hull is told by its left side, x as a convex function of y, and its right side. Points that lie
on or inside the line between their neighbours are on no hull, so all of them can go at once,
again and again until none does; no loop over objects is needed.
"""

from typing import NamedTuple

import numpy as np

from libcell.feat.families._index import ObjectIndex

NUDGE = 1e-10  # pixel centres on the hull's edge are inside, as in scikit-image


class Side(NamedTuple):
    """Corners of one side of all hulls, by object, then y; `owner` (m,) int64, y and x float64."""

    owner: np.ndarray
    y: np.ndarray
    x: np.ndarray


def hulls(index: ObjectIndex) -> dict[str, np.ndarray]:
    """`ConvexArea`, `MaxFeretDiameter`, `MinFeretDiameter` of every object (n,)."""
    n = len(index)
    if not n:
        return dict.fromkeys(("ConvexArea", "MaxFeretDiameter", "MinFeretDiameter"), np.zeros(0))
    left, right = (_side(*ends) for ends in _row_ends(index))
    return {
        "ConvexArea": _centres_inside(_grown(left), _grown(right), index),
        "MaxFeretDiameter": _longest(left, right, n),
        "MinFeretDiameter": _narrowest(left, right, n),
    }


def _row_ends(index: ObjectIndex) -> tuple[Side, Side]:
    """First and last pixel of every row of every object; right sides are mirrored (x negative),
    so that both sides are lower envelopes of x."""
    new = np.flatnonzero((np.diff(index.owner) != 0) | (np.diff(index.y) != 0)) + 1
    first = np.concatenate([[0], new])
    last = np.concatenate([new, [len(index.pixels)]]) - 1
    owner, y = index.owner[first], index.y[first].astype(np.float64)
    return (Side(owner, y, index.x[first].astype(np.float64)),
            Side(owner, y, -index.x[last].astype(np.float64)))


def _side(owner: np.ndarray, y: np.ndarray, x: np.ndarray) -> Side:
    """The lower convex envelope of x over y, for each object."""
    while True:
        inner = (owner[2:] == owner[:-2])
        before, after = y[1:-1] - y[:-2], y[2:] - y[1:-1]
        bend = (x[2:] - x[1:-1]) * before - (x[1:-1] - x[:-2]) * after
        drop = np.zeros(len(owner), bool)
        drop[1:-1] = inner & (bend <= 0)
        if not drop.any():
            return Side(owner, y, x)
        owner, y, x = owner[~drop], y[~drop], x[~drop]


def _grown(side: Side) -> Side:
    """The side of the hull of whole pixels: each reaches half a pixel up, down and outwards
    (scikit-image's offset_coordinates)."""
    y = side.y[:, None] + np.array([-0.5, 0.0, 0.5])
    x = side.x[:, None] + np.array([0.0, -0.5, 0.0])
    owner = np.repeat(side.owner, 3)
    order = np.lexsort((x.ravel(), y.ravel(), owner))
    owner, y_all, x_all = owner[order], y.ravel()[order], x.ravel()[order]
    # of points at one height only the outermost counts
    first = np.ones(len(owner), bool)
    first[1:] = (np.diff(owner) != 0) | (np.diff(y_all) != 0)
    return _side(owner[first], y_all[first], x_all[first])


def _centres_inside(left: Side, right: Side, index: ObjectIndex) -> np.ndarray:
    """Pixel centres inside or on each hull, row by row."""
    heights = index.y1 - index.y0
    owner = np.repeat(np.arange(len(index)), heights)
    start = np.cumsum(heights) - heights
    rows = (np.arange(heights.sum()) - start[owner] + index.y0[owner]).astype(np.float64)
    low, high = _at(left, owner, rows), -_at(right, owner, rows)
    inside = np.floor(high + NUDGE) - np.ceil(low - NUDGE) + 1
    return np.bincount(owner, weights=inside, minlength=len(index))


def _at(side: Side, owner: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """x of a side at given rows, linear between corners."""
    span = float(np.ptp(side.y)) + 2.0
    lowest = float(side.y.min())
    keys = side.owner * span + (side.y - lowest)
    place = np.searchsorted(keys, owner * span + (rows - lowest), side="right") - 1
    place = np.clip(place, 0, len(keys) - 2)
    # a row at a hull's last corner belongs to the piece before it
    place -= side.owner[place] != side.owner[place + 1]
    y0, y1 = side.y[place], side.y[place + 1]
    part = (rows - y0) / (y1 - y0)
    return side.x[place] + part * (side.x[place + 1] - side.x[place])


def _corners(left: Side, right: Side) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners (owner, y, x) of all hulls, sorted by owner."""
    owner = np.concatenate([left.owner, right.owner])
    order = np.argsort(owner, kind="stable")
    y, x = np.concatenate([left.y, right.y]), np.concatenate([left.x, -right.x])
    return owner[order], y[order], x[order]


def _pairs(
    owner_a: np.ndarray, owner_b: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (position in a, position in b) of the same object; both sorted by owner."""
    counts = np.bincount(owner_b, minlength=n)
    starts = np.cumsum(counts) - counts
    repeats = counts[owner_a]
    first = np.repeat(np.arange(len(owner_a)), repeats)
    step = np.arange(len(first)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return first, starts[owner_a[first]] + step


def _longest(left: Side, right: Side, n: int) -> np.ndarray:
    """Largest distance between two corners."""
    owner, y, x = _corners(left, right)
    a, b = _pairs(owner, owner, n)
    far = np.zeros(n)
    np.maximum.at(far, owner[a], np.hypot(y[a] - y[b], x[a] - x[b]))
    return far


def _narrowest(left: Side, right: Side, n: int) -> np.ndarray:
    """Smallest distance of parallel lines around the hull; one of them holds an edge.

    0 for objects one pixel wide.
    """
    owner, y, x = _corners(left, right)
    edges = _edges(left, right)
    a, b = _pairs(edges[0], owner, n)
    _, ey, ex, dy, dx = edges
    away = np.abs((x[b] - ex[a]) * dy[a] - (y[b] - ey[a]) * dx[a]) / np.hypot(dy[a], dx[a])
    width = np.zeros(len(edges[0]))
    np.maximum.at(width, a, away)
    found = np.full(n, np.inf)
    np.minimum.at(found, edges[0], width)
    return np.where(np.isfinite(found), found, 0.0)


def _edges(left: Side, right: Side) -> tuple[np.ndarray, ...]:
    """Edges of all hulls, sorted by owner: owner, y, x of the start, dy, dx."""
    pieces = []
    for side, sign in ((left, 1.0), (right, -1.0)):
        same = side.owner[1:] == side.owner[:-1]
        pieces.append((side.owner[:-1][same], side.y[:-1][same], sign * side.x[:-1][same],
                       np.diff(side.y)[same], sign * np.diff(side.x)[same]))
    for last in (False, True):  # across the top and the bottom row
        ends = [_ends(s, last) for s in (left, right)]
        across = -right.x[ends[1]] - left.x[ends[0]]
        some = across > 0
        pieces.append((left.owner[ends[0]][some], left.y[ends[0]][some], left.x[ends[0]][some],
                       np.zeros(int(some.sum())), across[some]))
    joined = [np.concatenate(parts) for parts in zip(*pieces)]
    order = np.argsort(joined[0], kind="stable")
    return tuple(part[order] for part in joined)


def _ends(side: Side, last: bool) -> np.ndarray:
    """Position of each object's first (or last) corner."""
    change = np.flatnonzero(np.diff(side.owner))
    if last:
        return np.concatenate([change, [len(side.owner) - 1]])
    return np.concatenate([[0], change + 1])
