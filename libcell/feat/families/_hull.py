"""Convex hulls of objects in whole numbers: area in pixels, largest and smallest width.

An object's hull is a left and a right chain of row ends. A right chain is the left chain of the
mirrored object, so there is one kind only: points by (object, row), x as small as can be.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from libcell.feat.families._groups import Groups
from libcell.feat.families._index import ObjectIndex

PAIRS = 2**20  # pairs of corners looked at in one go


class Chain(NamedTuple):
    """Points in ascending order of object, then row; int64 (m,) each."""

    owner: np.ndarray
    y: np.ndarray
    x: np.ndarray


def hulls(index: ObjectIndex) -> dict[str, np.ndarray]:
    """`ConvexArea`, `MaxFeretDiameter` and `MinFeretDiameter` of every object (n,)."""
    if not len(index):
        return {k: np.zeros(0) for k in ("ConvexArea", "MaxFeretDiameter", "MinFeretDiameter")}
    left, right = (_convex(c) for c in _row_ends(index))
    longest, narrowest = _widths(left, right, len(index))
    return {"ConvexArea": _area(index, left, right),
            "MaxFeretDiameter": longest, "MinFeretDiameter": narrowest}


def _row_ends(index: ObjectIndex) -> tuple[Chain, Chain]:
    """First pixel, and mirrored last pixel, of every row of every object."""
    owner = index.runs.owner
    new = (np.diff(owner, prepend=-1) != 0) | (np.diff(index.run_y, prepend=-1) != 0)
    first = np.flatnonzero(new)
    last = np.append(first[1:], owner.size) - 1
    where = owner[first], index.run_y[first]
    return Chain(*where, index.run_x0[first]), Chain(*where, 1 - index.run_x1[last])


def _convex(chain: Chain) -> Chain:
    """The corners of a chain's hull.

    A point on or inside the line between its neighbours is no corner, whoever they are: all
    such points go at once, until there are none. Objects without any are done.
    """
    done = []
    while chain.owner.size:
        drop = np.zeros(chain.owner.size, bool)
        drop[1:-1] = _inside(chain)
        busy = np.zeros(int(chain.owner.max()) + 1, bool)
        busy[chain.owner[drop]] = True
        active = busy[chain.owner]
        done.append(Chain(*(a[~active] for a in chain)))
        chain = Chain(*(a[active & ~drop] for a in chain))
    joined = Chain(*(np.concatenate(a) for a in zip(*done)))
    order = np.lexsort((joined.y, joined.owner))
    return Chain(*(a[order] for a in joined))


def _inside(chain: Chain) -> np.ndarray:
    owner, y, x = chain
    along = (x[1:-1] - x[:-2]) * (y[2:] - y[:-2])
    return (owner[:-2] == owner[2:]) & (along >= (x[2:] - x[:-2]) * (y[1:-1] - y[:-2]))


def _area(index: ObjectIndex, left: Chain, right: Chain) -> np.ndarray:
    """Pixel centres in or on the hull of the objects' pixels, each a diamond half a pixel around
    its centre (scikit-image's convex_hull_image with offset_coordinates)."""
    rows = Groups(index.y1 - index.y0)
    owner = rows.owner
    y = np.arange(owner.size) + rows.spread(index.y0 - rows.starts)
    lowest, highest = (_boundary(_diamonds(c), owner, y) for c in (left, right))
    return rows.sum(1 - highest - lowest)


def _diamonds(chain: Chain) -> Chain:
    """The hull of diamonds around a chain's corners, in half pixels."""
    owner = np.repeat(chain.owner, 3)
    y = (2 * chain.y[:, None] + (-1, 0, 1)).ravel()
    x = (2 * chain.x[:, None] + (0, -1, 0)).ravel()
    return _convex(Chain(owner, y, x))


def _boundary(chain: Chain, owner: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Smallest x, px, not left of a chain in half pixels, at rows y of objects `owner` (m,)."""
    tall = 2 * int(y.max()) + 4
    at = np.searchsorted(chain.owner * tall + chain.y + 1, owner * tall + 2 * y + 1, "right") - 1
    y0, x0 = chain.y[at], chain.x[at]
    height = chain.y[at + 1] - y0
    return -(-(x0 * height + (chain.x[at + 1] - x0) * (2 * y - y0)) // (2 * height))


def _widths(left: Chain, right: Chain, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest and smallest distance (n,), px, of parallel lines around pixel centres.

    The largest is between two corners; for the smallest one line holds an edge. 0 for a pixel,
    and the smallest 0 for a straight line.
    """
    side = np.repeat([1, -1], [left.owner.size, right.owner.size])
    owner = np.concatenate([left.owner, right.owner])
    y = np.concatenate([left.y, right.y])
    x = np.concatenate([left.x, -right.x])
    order = np.lexsort((y * side, -side, owner))  # down the left, up the right
    corners = np.column_stack([y, x])[order]
    counts = np.bincount(owner, minlength=n)
    longest, narrowest = np.zeros(n), np.zeros(n)
    for start, stop in _blocks(counts):
        block = slice(start, stop)
        first = int(counts[:start].sum())
        part = corners[first : first + int(counts[block].sum())]
        longest[block], narrowest[block] = _of_block(part, counts[block])
    return longest, narrowest


def _blocks(counts: np.ndarray) -> list[tuple[int, int]]:
    """Objects first to last + 1, so many that their pairs of corners fit into memory."""
    cuts = np.flatnonzero(np.diff(np.cumsum(counts**2) // PAIRS)) + 1
    edges = [0, *cuts.tolist(), len(counts)]
    return [(a, b) for a, b in pairwise(edges) if a < b]


def _of_block(corners: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    objects = Groups(counts)
    after = np.arange(len(corners)) + 1
    after[objects.stops - 1] = objects.starts
    edge = corners[after] - corners
    length = np.hypot(edge[:, 0], edge[:, 1])
    # every corner (group) with every corner of its object
    pairs = Groups(objects.spread(counts))
    other = np.arange(pairs.stops[-1]) + pairs.spread(objects.spread(objects.starts) - pairs.starts)
    dy, dx = (corners[other, k] - pairs.spread(corners[:, k]) for k in (0, 1))
    distance = pairs.largest(dy * dy + dx * dx)
    across = pairs.largest(np.abs(pairs.spread(edge[:, 0]) * dx - pairs.spread(edge[:, 1]) * dy))
    width = np.divide(across, length, where=length > 0, out=np.full(len(corners), np.inf))
    width = objects.smallest(width)
    return np.sqrt(objects.largest(distance)), np.where(np.isfinite(width), width, 0.0)
