"""Tracks as a graph: nodes are objects in frames, edges lead to where each one went."""

from dataclasses import dataclass

import numpy as np

from libcell.errors import DataError


@dataclass(frozen=True)
class Tracks:
    """Rows of a tracking, one per object and frame, in any order; all (n,) int64.

    parent_track_id  the same in all rows of a track; 0: none
    """

    t: np.ndarray
    label: np.ndarray
    track_id: np.ndarray
    parent_track_id: np.ndarray

    def __post_init__(self) -> None:
        sizes = {a.shape for a in (self.t, self.label, self.track_id, self.parent_track_id)}
        if len(sizes) > 1:
            raise DataError(f"the columns differ in length: {sorted(sizes)}")
        for name, column in (("label", self.label), ("track", self.track_id)):
            pairs = np.stack([self.t, column], axis=1)
            if len(np.unique(pairs, axis=0)) < len(pairs):
                raise DataError(f"a {name} occurs twice in a frame")


@dataclass(frozen=True)
class Edges:
    """Links of a tracking: row numbers (m,) int64, and whether a link leads to a daughter."""

    source: np.ndarray
    target: np.ndarray
    parent: np.ndarray


@dataclass(frozen=True)
class Division:
    """A mother track with its daughter tracks; t is the mother's last frame."""

    t: int
    mother: int
    daughters: tuple[int, ...]


def edges(tracks: Tracks) -> Edges:
    """Links along each track (over gaps too), and from a parent's last row to its child's first."""
    order = np.lexsort((tracks.t, tracks.track_id))
    ids = tracks.track_id[order]
    along = np.flatnonzero(ids[1:] == ids[:-1])
    first, last = ends(tracks)
    parents = {k: int(tracks.parent_track_id[row]) for k, row in first.items()}
    births = [(last[p], first[k]) for k, p in parents.items() if p in last]
    mothers, daughters = np.array(births, np.int64).reshape(-1, 2).T
    return Edges(
        np.concatenate([order[along], mothers]),
        np.concatenate([order[along + 1], daughters]),
        np.arange(along.size + mothers.size) >= along.size,
    )


def ends(tracks: Tracks) -> tuple[dict[int, int], dict[int, int]]:
    """First and last row of every track id."""
    order = np.lexsort((tracks.t, tracks.track_id))
    ids, start, count = np.unique(tracks.track_id[order], return_index=True, return_counts=True)
    keys = ids.tolist()
    return (
        dict(zip(keys, order[start].tolist())),
        dict(zip(keys, order[start + count - 1].tolist())),
    )


def divisions(tracks: Tracks) -> list[Division]:
    """All mothers with two or more daughters, by mother id."""
    first, last = ends(tracks)
    children: dict[int, list[int]] = {}
    for track, row in first.items():
        children.setdefault(int(tracks.parent_track_id[row]), []).append(track)
    return [
        Division(int(tracks.t[last[mother]]), mother, tuple(daughters))
        for mother, daughters in sorted(children.items())
        if mother in last and len(daughters) > 1
    ]
