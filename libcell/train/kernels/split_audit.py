"""What leaks between the parts of a split, and what is absent from them."""

from collections import defaultdict
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from libcell.data.grouped import members
from libcell.errors import DataError
from libcell.train.kernels.codes import codes, same_length


@dataclass(frozen=True)
class Leak:
    """Something that is in two or more splits.

    `kind` says what: a group (`what` is its name), identical rows (`what` is the hash of their
    values), or one object in neighbouring frames (`what` is where). `rows` are all row numbers
    concerned, ascending.
    """

    kind: Literal["group", "duplicate rows", "neighbours in time"]
    what: str
    splits: tuple[str, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class AbsentClass:
    """A class without a single row in a split."""

    label: str
    split: str


def audit(groups: ArrayLike, split: ArrayLike, rows: np.ndarray | None = None) -> list[Leak]:
    """All leaks, groups first; an empty list is a clean split.

    `groups` and `split` (n,) as in `group_split`, or fold numbers. `rows` float (n, p): the
    features; identical rows in two splits are the same object twice. Constant rows and rows
    that are NaN throughout say nothing about identity and are left out.
    """
    names, group = codes(groups, "group")
    parts, part = codes(split, "split")
    same_length(groups=group, split=part)
    table = np.zeros((len(names), len(parts)), bool)
    table[group, part] = True
    leaking = table.sum(axis=1) > 1
    leaks = [_leak("group", str(names[i]), rows_of, parts, part)
             for i, rows_of in enumerate(members(group, len(names))) if leaking[i]]
    if rows is None:
        return leaks
    for digest, equal in _by_hash(rows, len(part)).items():
        if len(set(part[equal])) > 1:
            leaks.append(_leak("duplicate rows", digest, np.array(equal), parts, part))
    return leaks


def audit_time(
    movie: ArrayLike, t: np.ndarray, yx: np.ndarray, split: ArrayLike, reach_px: float
) -> list[Leak]:
    """Objects that were in nearly the same place of the same movie in the frame before, and are in
    another part there: nearly the same picture. One leak per movie.

    `movie`, `t` int, `split` (n,); `yx` float (n, 2), in pixels.
    """
    from scipy.spatial import cKDTree

    names, film = codes(movie, "movie")
    parts, part = codes(split, "split")
    same_length(movie=film, split=part, t=t, yx=yx)
    usable = np.isfinite(yx).all(axis=1)
    leaks = []
    for name, every in zip(names, members(film, len(names))):
        rows = every[usable[every]]
        if len(np.unique(part[rows])) < 2:
            continue
        # frames lie so far apart that none but the next is within reach
        points = np.column_stack([t[rows] * reach_px, yx[rows]])
        pairs = cKDTree(points).query_pairs(reach_px * np.sqrt(2), output_type="ndarray")
        first, second = rows[pairs.T] if len(pairs) else (rows[:0], rows[:0])
        apart = (part[first] != part[second]) & (np.abs(t[first] - t[second]) == 1)
        apart &= np.hypot(*(yx[first] - yx[second]).T) <= reach_px
        if apart.any():
            both = np.unique(np.concatenate([first[apart], second[apart]]))
            leaks.append(_leak("neighbours in time", str(name), both, parts, part))
    return leaks


def absent_classes(y: ArrayLike, split: ArrayLike) -> list[AbsentClass]:
    """Which class is missing from which part of the split (or fold); for the report."""
    classes, label = codes(y, "class")
    parts, part = codes(split, "split")
    same_length(y=label, split=part)
    present = np.zeros((len(classes), len(parts)), bool)
    present[label, part] = True
    return [AbsentClass(str(classes[i]), str(parts[j])) for i, j in np.argwhere(~present)]


def _leak(
    kind: Literal["group", "duplicate rows", "neighbours in time"],
    what: str,
    members: np.ndarray,
    parts: np.ndarray,
    part: np.ndarray,
) -> Leak:
    """`members` int (m,): the rows; their splits are looked up in `part` (n,)."""
    splits = tuple(str(parts[i]) for i in np.unique(part[members]))
    return Leak(kind, what, splits, tuple(int(row) for row in members))


def _by_hash(rows: np.ndarray, n_rows: int) -> dict[str, list[int]]:
    """Row numbers by 128-bit hash of their values; -0.0 is 0.0, every NaN is the same."""
    values = np.array(rows, np.float64)
    if values.ndim != 2 or len(values) != n_rows:
        raise DataError(f"rows have shape {values.shape}; expected ({n_rows}, p)")
    missing = np.isnan(values)
    values[missing] = np.nan  # one bit pattern
    values += 0.0
    filled = np.where(missing, -np.inf, values).max(axis=1, initial=-np.inf)
    lowest = np.where(missing, np.inf, values).min(axis=1, initial=np.inf)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(filled > lowest):
        found[blake2b(values[row].tobytes(), digest_size=16).hexdigest()].append(int(row))
    return found
