"""What annotated tracks say of two frames: who became whom, who is known, how they moved."""

from dataclasses import dataclass

import numpy as np

from libcell.nn.flow import Flow
from libcell.nn.tracker.cells import Cells
from libcell.nn.tracker.geometry import Candidates

NONE, UNKNOWN = -1, -2
FEW = 8  # known moves; of fewer each is part of its own expectation


@dataclass(frozen=True)
class Fate:
    """Who became whom between n cells of a frame and m cells of a later one.

    source  (m,) int64: row of the earlier frame; NONE: it has none; UNKNOWN
    count   (n,) int64: how many came of each; UNKNOWN
    """

    source: np.ndarray
    count: np.ndarray


def fate(
    before: np.ndarray, after: np.ndarray, parents: dict[int, int], complete: bool
) -> Fate:
    """Of the tracks (n,) and (m,) of two frames' cells, 0 where nobody annotated them."""
    row = {int(k): i for i, k in enumerate(before) if k}
    source = np.full(after.size, UNKNOWN, np.int64)
    for j, track in enumerate(after.tolist()):
        k: int | None = track
        while k and k not in row:
            k = parents.get(k)
        if k:
            source[j] = row[k]
        elif track and complete:
            source[j] = NONE
    count = np.bincount(source[source >= 0], minlength=before.size)
    return Fate(source, np.where((count == 0) & ~((before > 0) & complete), UNKNOWN, count))


def moves(a: Cells, b: Cells, known: Fate) -> np.ndarray:
    """(n, d) how far each cell of `a` moved, to the middle of what came of it; nan unknown."""
    made = np.full_like(a.centres, np.nan)
    there = np.flatnonzero(known.source >= 0)
    i = known.source[there]
    weight = np.bincount(i, b.sizes[there], minlength=len(a))
    for axis in range(a.centres.shape[1]):
        total = np.bincount(i, b.sizes[there] * b.centres[there, axis], minlength=len(a))
        with np.errstate(invalid="ignore"):
            made[:, axis] = total / weight - a.centres[:, axis]
    return made


def expected(a: Cells, true: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, d) how far the cells of `a` are expected to move, as a tracker would believe it.

    Each is read from the moves of others alone: of the half that it is not in.
    """
    rows = rng.permutation(np.flatnonzero(np.isfinite(true[:, 0])))
    half = rng.permutation(len(a)) % 2 == 0
    if rows.size < FEW:
        return Flow(a.centres[rows], true[rows]).at(a.centres)
    made = np.zeros_like(true)
    for part in (half, ~half):
        others = rows[~part[rows]]
        made[part] = Flow(a.centres[others], true[others]).at(a.centres[part])
    return made


@dataclass(frozen=True)
class Right:
    """Which candidates are true, and of which cells it is known.

    links (m,), splits (k,)  bool
    sources (n,), targets (m,)  bool: cells whose fate, or origin, is known and among the
            candidates (or nothing)
    """

    links: np.ndarray
    splits: np.ndarray
    sources: np.ndarray
    targets: np.ndarray


def right(given: Candidates, known: Fate) -> Right:
    """Truth of the candidates of two frames."""
    source, count = known.source, known.count
    i, j = given.links.T
    links = (source[j] == i) & (count[i] == 1)
    i, j, k = given.splits.T
    splits = (source[j] == i) & (source[k] == i) & (count[i] == 2)
    found = np.zeros(count.size, bool)
    found[given.links[links, 0]] = found[given.splits[splits, 0]] = True
    taken = np.zeros(source.size, bool)
    taken[given.links[links, 1]] = True
    taken[given.splits[splits, 1:].ravel()] = True
    return Right(links, splits, found | (count == 0), taken | (source == NONE))
