"""Tracks as the Cell Tracking Challenge writes them, and what must be true of them.

A row of its text is L B E P: label, first frame, last frame, parent's label (0: none). A label
is in every frame from its first to its last. A cell that is away for some frames comes back
under a new label, whose parent is the old one (the challenge's `Annotation procedure`): so a
parent with one child is no division.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from libcell.errors import DataError

LARGEST = 65_535  # masks are uint16
Say = Callable[[int], str]  # what is wrong with the row of that number


@dataclass(frozen=True)
class Rows:
    """Rows of the text; all (n,) int64."""

    label: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    parent: np.ndarray

    def text(self) -> str:
        """The rows as the challenge has them, by label."""
        order = np.argsort(self.label)
        columns = [c[order].tolist() for c in (self.label, self.begin, self.end, self.parent)]
        return "".join(f"{a} {b} {c} {d}\n" for a, b, c, d in zip(*columns))


def parse(text: str, where: str) -> Rows:
    """Rows of a text; blank lines are left out. DataError names the first line that is none."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 4 or not all(w.isdecimal() and len(w) < 19 for w in words):
            raise DataError(f"{where}: line {number} is {line.strip()[:40]!r}; expected four whole "
                            "numbers: label, first frame, last frame, parent (0: none)")
        rows.append([int(w) for w in words])
    return Rows(*np.array(rows, np.int64).reshape(-1, 4).T)


def check_rows(rows: Rows, first: int, last: int, where: str) -> None:
    """DataError unless labels are unique, frames are there, and parents end before children."""
    labels, counts = np.unique(rows.label, return_counts=True)
    parent = _place(rows.label, rows.parent)
    born = rows.parent > 0
    unknown = born & (parent < 0)
    late = born & ~unknown & (rows.end[parent] >= rows.begin) if rows.label.size else born
    faults = [
        _fault(rows.label < 1, lambda i: "a label is 0; labels begin at 1"),
        _fault(counts > 1, lambda i: f"track {labels[i]} stands there twice"),
        _fault(rows.end < rows.begin, lambda i: f"track {rows.label[i]} ends in frame "
               f"{rows.end[i]}, before it begins in {rows.begin[i]}"),
        _fault((rows.end > last) | (rows.begin < first), lambda i: f"track {rows.label[i]} is of "
               f"frames {rows.begin[i]} to {rows.end[i]}, but there are {first} to {last}"),
        _fault(unknown, lambda i: f"track {rows.label[i]} has the parent {rows.parent[i]}, which "
               "is not there"),
        _fault(late, lambda i: f"track {rows.label[i]} begins in frame {rows.begin[i]}, but its "
               f"parent {rows.parent[i]} is there until {rows.end[parent[i]]}"),
    ]
    _raise(faults, where)


def check_masks(rows: Rows, t: np.ndarray, label: np.ndarray, where: str, gaps: bool) -> None:
    """DataError unless the objects (t, label), each (m,) int64, are those that the rows tell of.

    `gaps`: a label may be away between its first and its last frame.
    """
    place = _place(rows.label, label)
    begin, end = np.append(rows.begin, 0), np.append(rows.end, 0)  # for place -1
    known = place >= 0
    astray = known & ((t < begin[place]) | (t > end[place]))
    there = known & ~astray
    seen = np.bincount(place[there], minlength=rows.label.size)
    holes = (seen > 0) & _away(rows, t[there], place[there], gaps)
    faults = [
        _fault(~known, lambda i: f"label {label[i]} in the mask of frame {t[i]} is not there",
               len(np.unique(label[~known]))),
        _fault(seen == 0, lambda i: f"track {rows.label[i]} (frames {rows.begin[i]} to "
               f"{rows.end[i]}) is in no mask"),
        _fault(astray, lambda i: f"track {label[i]} is in the mask of frame {t[i]}, outside its "
               f"frames {begin[place[i]]} to {end[place[i]]}"),
        _fault(holes, lambda i: _hole(rows, i, t[place == i], gaps)),
    ]
    _raise(faults, where)


def _away(rows: Rows, t: np.ndarray, place: np.ndarray, gaps: bool) -> np.ndarray:
    """Which rows lack a frame, (n,) bool: any, or with `gaps` the first or the last."""
    if not gaps:
        return np.bincount(place, minlength=rows.label.size) < rows.end - rows.begin + 1
    ends = np.zeros((2, rows.label.size), bool)
    for row, edge in zip(ends, (rows.begin, rows.end)):
        row[place[t == edge[place]]] = True
    return ~(ends[0] & ends[1])


def _hole(rows: Rows, i: int, there: np.ndarray, gaps: bool) -> str:
    absent = np.setdiff1d([rows.begin[i], rows.end[i]] if gaps else
                          np.arange(rows.begin[i], rows.end[i] + 1), there)
    why = "" if gaps else ("; after a gap a cell has a new label, whose parent is the old one (or "
                           "use --gaps join)")
    return (f"track {rows.label[i]} (frames {rows.begin[i]} to {rows.end[i]}) is away in frame "
            f"{absent[0]}{why}")


def _fault(wrong: np.ndarray, say: Say, count: int | None = None) -> str | None:
    """The first fault in words, and how many more there are."""
    found = np.flatnonzero(wrong)
    if not found.size:
        return None
    more = (len(found) if count is None else count) - 1
    return say(int(found[0])) + (f" (and {more} more such)" if more else "")


def _raise(faults: list[str | None], where: str) -> None:
    said = [f for f in faults if f]
    if said:
        raise DataError(f"{where}: {'; '.join(said)}")


def _place(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each of `wanted` is in `known`; -1: nowhere."""
    if not known.size:
        return np.full(wanted.shape, -1)
    order = np.argsort(known, kind="stable")
    at = order[np.searchsorted(known[order], wanted).clip(max=known.size - 1)]
    return np.where(known[at] == wanted, at, -1)


def as_tracks(rows: Rows, join: bool) -> tuple[np.ndarray, np.ndarray]:
    """(track_id, parent_track_id), each (n,) int64, of the rows.

    A track is a label. `join`: a label that comes after a gap, as its parent's only child, is
    of its parent's track.
    """
    track, parent = rows.label.copy(), rows.parent.copy()
    if not join:
        return track, parent
    mother = _place(rows.label, rows.parent)
    born = mother >= 0
    children = np.bincount(mother[born], minlength=rows.label.size)
    back = born & (children[mother] == 1) & (rows.begin > rows.end[mother] + 1)
    for i in np.argsort(rows.begin, kind="stable"):  # parents come first
        if back[i]:
            track[i], parent[i] = track[mother[i]], parent[mother[i]]
        elif born[i]:
            parent[i] = track[mother[i]]
    return track, parent


def as_rows(
    t: np.ndarray, track: np.ndarray, parent: np.ndarray, where: str
) -> tuple[np.ndarray, Rows]:
    """Labels (m,) int64 of objects in tracks, all (m,) int64, and the rows that tell of them.

    A label is the track's id; what comes after a gap has a label beyond all ids. DataError
    where a parent is not there, or a label is larger than masks hold.
    """
    order = np.lexsort((t, track))
    times, ids = t[order], track[order]
    new = np.ones(len(ids), bool)
    new[1:] = ids[1:] != ids[:-1]
    back = np.zeros(len(ids), bool)
    back[1:] = ~new[1:] & (times[1:] > times[:-1] + 1)
    start = np.flatnonzero(new | back)
    stop = np.append(start[1:], len(ids)) - 1 if start.size else start
    names = ids[start].copy()
    later = back[start]
    names[later] = ids.max(initial=0) + 1 + np.arange(later.sum())
    if names.max(initial=0) > LARGEST:
        raise DataError(f"{where}: track {names.max()} is beyond {LARGEST}, the largest label of "
                        "the format's masks (uint16); number the tracks anew")
    last_piece = dict(zip(ids[start].tolist(), names.tolist()))  # the later ones win
    before = np.append(0, names[:-1])
    parents = [int(before[k]) if later[k] else _mother(last_piece, int(ids[s]), int(p), where)
               for k, (s, p) in enumerate(zip(start, parent[order][start].tolist()))]
    labels = np.empty(len(ids), np.int64)
    labels[order] = np.repeat(names, stop - start + 1)
    return labels, Rows(names, times[start], times[stop], np.array(parents, np.int64))


def _mother(last_piece: dict[int, int], track: int, parent: int, where: str) -> int:
    if parent and parent not in last_piece:
        raise DataError(f"{where}: track {track} has the parent {parent}, which is not there")
    return last_piece.get(parent, 0)
