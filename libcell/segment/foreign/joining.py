"""One label image from tiles that overlap: whose object it is where two tiles saw it.

Each tile is segmented with a halo, so an object at a seam is seen whole by several tiles, by each
in its own way. The one whose tile holds its centre farthest from the seam is taken first; another
that shares more than half of its area (or of the other's) with those taken is the same object,
or part of it, and is dropped. Where two that stay overlap, the pixel is the first taken's.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

SAME = 0.5  # shared area, of the smaller object's, above which two are one


@dataclass(frozen=True)
class Tile:
    """Where a tile lies in its field: its window and, in it, its core (y0, x0, y1, x1)."""

    window: tuple[int, int, int, int]
    core: tuple[int, int, int, int]

    def depth(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """How far inside the core's seams points lie, px; below 0 outside; inf without a seam.

        A side of the core that is a side of the window too is the field's edge and no seam.
        """
        found = np.full(len(y), np.inf)
        for value, side, sign in ((y, 0, 1), (x, 1, 1), (y, 2, -1), (x, 3, -1)):
            if self.core[side] != self.window[side]:
                found = np.minimum(found, sign * (value - self.core[side]))
        return found


@dataclass(frozen=True)
class Objects:
    """What one tile found: labels (n,) ascending, area (n,) px, centres y and x (n,) in the
    field, depth (n,) (see `Tile.depth`), and edge (n,): whether it touches the field's edge."""

    labels: np.ndarray
    area: np.ndarray
    y: np.ndarray
    x: np.ndarray
    depth: np.ndarray
    edge: np.ndarray

    def where(self, keep: np.ndarray) -> "Objects":
        """Those of them."""
        return Objects(*(getattr(self, f)[keep] for f in self.__dataclass_fields__))


def describe(labels: np.ndarray, tile: Tile, shape: tuple[int, int]) -> Objects:
    """The objects of labels (Z,h,w) of a tile in a field of `shape` (Y,X)."""
    flat = np.flatnonzero(labels)
    found, place = np.unique(labels.ravel()[flat], return_inverse=True)
    height, width = labels.shape[-2:]
    rows = (flat // width) % height + tile.window[0]
    columns = flat % width + tile.window[1]
    area = np.bincount(place, minlength=len(found))
    y, x = (np.bincount(place, weights=v, minlength=len(found)) / np.maximum(area, 1)
            for v in (rows, columns))
    edge = np.zeros(len(found), bool)
    at_edge = (rows == 0) | (columns == 0) | (rows == shape[0] - 1) | (columns == shape[1] - 1)
    edge[np.unique(place[at_edge])] = True
    return Objects(found.astype(np.int64), area, y, x, tile.depth(y, x), edge)


def shared(
    first: np.ndarray, first_tile: Tile, second: np.ndarray, second_tile: Tile
) -> np.ndarray:
    """Pairs of labels of two tiles and the pixels that they share: (n,3) int64."""
    y0, x0 = (max(first_tile.window[i], second_tile.window[i]) for i in (0, 1))
    y1, x1 = (min(first_tile.window[i], second_tile.window[i]) for i in (2, 3))
    if y0 >= y1 or x0 >= x1:
        return np.zeros((0, 3), np.int64)
    ours, theirs = (
        part[:, y0 - t.window[0] : y1 - t.window[0], x0 - t.window[1] : x1 - t.window[1]]
        for part, t in ((first, first_tile), (second, second_tile))
    )
    both = (ours > 0) & (theirs > 0)
    keys = ours[both].astype(np.uint64) << np.uint64(32) | theirs[both].astype(np.uint64)
    pairs, pixels = np.unique(keys, return_counts=True)
    low = np.uint64(0xFFFFFFFF)
    return np.column_stack([(pairs >> np.uint64(32)), pairs & low, pixels]).astype(np.int64)


def ranks(
    tiles: Sequence[Objects], overlaps: Iterable[tuple[int, int, np.ndarray]]
) -> list[np.ndarray]:
    """For each tile the rank of each of its objects, int64, 0 for dropped ones; the first taken
    has the highest.

    `overlaps` are (tile, tile, pairs as `shared` gives them).
    """
    starts = np.cumsum([0] + [len(t.labels) for t in tiles])
    area = np.concatenate([t.area for t in tiles]) if tiles else np.zeros(0, np.int64)
    depth = np.concatenate([t.depth for t in tiles]) if tiles else np.zeros(0)
    links: dict[int, list[tuple[int, int]]] = {}
    for i, j, pairs in overlaps:
        ours = starts[i] + np.searchsorted(tiles[i].labels, pairs[:, 0])
        theirs = starts[j] + np.searchsorted(tiles[j].labels, pairs[:, 1])
        for a, b, n in zip(ours.tolist(), theirs.tolist(), pairs[:, 2].tolist()):
            links.setdefault(a, []).append((b, n))
            links.setdefault(b, []).append((a, n))
    rank = np.zeros(len(area), np.int64)
    for position, k in enumerate(np.argsort(-depth, kind="stable").tolist()):
        taken = [(b, n) for b, n in links.get(k, ()) if rank[b]]
        same = any(n > SAME * min(area[k], area[b]) for b, n in taken)
        if not same and sum(n for _, n in taken) <= SAME * area[k]:
            rank[k] = len(area) - position
    return [rank[a:b] for a, b in itertools.pairwise(starts)]


def numbers(tiles: Sequence[Objects], rank: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Final labels 1..N of each tile's objects (0: dropped), in raster order of their centres."""
    kept = [(i, k) for i, r in enumerate(rank) for k in np.flatnonzero(r)]
    final = [np.zeros(len(r), np.uint32) for r in rank]
    order = sorted(kept, key=lambda p: (np.floor(tiles[p[0]].y[p[1]]), tiles[p[0]].x[p[1]], p))
    for number, (i, k) in enumerate(order, 1):
        final[i][k] = number
    return final


def paint(
    parts: Iterable[tuple[np.ndarray, Tile, np.ndarray, np.ndarray, np.ndarray]],
    box: tuple[int, int, int, int], outer: tuple[int, int],
) -> np.ndarray:
    """Labels (K,Z,h,w) uint32 of a box (y0, x0, y1, x1) of the field; `outer` is (K, Z).

    A part is a tile's labels (K,Z,h,w), the tile, and its objects' labels, ranks and numbers.
    """
    y0, x0, y1, x1 = box
    result = np.zeros((*outer, y1 - y0, x1 - x0), np.uint32)
    best = np.zeros(result.shape[1:], np.int64)
    for labels, tile, known, rank, number in parts:
        top, left = max(y0, tile.window[0]), max(x0, tile.window[1])
        bottom, right = min(y1, tile.window[2]), min(x1, tile.window[3])
        if top >= bottom or left >= right:
            continue
        here = (..., slice(top - tile.window[0], bottom - tile.window[0]),
                slice(left - tile.window[1], right - tile.window[1]))
        there = (..., slice(top - y0, bottom - y0), slice(left - x0, right - x0))
        seen = labels[here]
        whole = seen.max(axis=0)
        wins = _looked_up(whole, known, rank)
        better = wins > best[there]
        best[there][better] = wins[better]
        final = _looked_up(seen, known, number)
        result[there][:, better] = final[:, better]
    return result


def _looked_up(labels: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values of labels; 0 for the background and for labels that are not known."""
    if not known.size:
        return np.zeros(labels.shape, values.dtype)
    table = np.zeros(int(max(labels.max(initial=0), known[-1])) + 1, values.dtype)
    table[known] = values
    return table[labels]
