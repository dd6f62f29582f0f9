"""Families of tracks as trees: time runs to the right, each track has a line of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

HALF = 0.5  # frames: where a division is drawn between two frames


@dataclass(frozen=True)
class Branch:
    """A track of a family.

    rows   (n,) int64: its rows of the table, in the order of time
    t      (n,) int64: their frames
    place  which line it is drawn on; a mother's is midway between her daughters'
    """

    track: int
    parent: int
    rows: np.ndarray
    t: np.ndarray
    place: float


@dataclass(frozen=True)
class Stroke:
    """A straight line of a drawing, in frames and lines; `row`: whose colour it has."""

    x: tuple[float, float]
    y: tuple[float, float]
    row: int


def families(table: pa.Table) -> list[list[Branch]]:
    """The tracks of one field of view (table `links`) by founder, founders in their order."""
    t, track, parent = (table.column(n).to_numpy().astype(np.int64)
                        for n in ("Metadata_T", "track_id", "parent_track_id"))
    order = np.lexsort((t, track))
    ids, start = np.unique(track[order], return_index=True)
    rows = dict(zip(ids.tolist(), np.split(order, start[1:])))
    mother = {k: int(parent[r[0]]) for k, r in rows.items()}
    children: dict[int, list[int]] = {k: [] for k in rows}
    for k, p in mother.items():
        if p in children:
            children[p].append(k)
    founders = [k for k, p in mother.items() if p not in children]
    made = []
    for founder in founders:
        members = _depth_first(founder, children)
        places = _places(members, children)
        made.append([Branch(k, mother[k], rows[k], t[rows[k]], places[k]) for k in members])
    return made


def _depth_first(founder: int, children: dict[int, list[int]]) -> list[int]:
    """All of a family, every track before its daughters."""
    found, waiting = [], [founder]
    while waiting:
        found.append(waiting.pop())
        waiting += reversed(children[found[-1]])
    return found


def _places(members: list[int], children: dict[int, list[int]]) -> dict[int, float]:
    leaves = [k for k in members if not children[k]]
    places = {k: float(n) for n, k in enumerate(leaves)}
    for k in reversed(members):
        if children[k]:
            places[k] = sum(places[c] for c in children[k]) / len(children[k])
    return places


def strokes(family: list[Branch], colours: np.ndarray) -> Iterator[Stroke]:
    """Lines of a tree; a track is cut where its colour (by row of the table) changes."""
    by_track = {b.track: b for b in family}
    for branch in family:
        first = float(branch.t[0])
        mother = by_track.get(branch.parent)
        if mother:
            fork = float(mother.t[-1]) + HALF
            yield Stroke((fork - HALF, fork), (mother.place,) * 2, int(mother.rows[-1]))
            yield Stroke((fork, fork), (mother.place, branch.place), int(branch.rows[0]))
            first = fork
        yield from _along(branch, first, colours)


def _along(branch: Branch, first: float, colours: np.ndarray) -> Iterator[Stroke]:
    seen = colours[branch.rows]
    begin = np.flatnonzero(np.concatenate([[True], seen[1:] != seen[:-1]]))
    for a, b in zip(begin, [*begin[1:], seen.size]):
        left = first if a == 0 else branch.t[a] - HALF
        right = branch.t[b] - HALF if b < seen.size else branch.t[b - 1]
        yield Stroke((float(left), float(right)), (branch.place,) * 2, int(branch.rows[a]))
