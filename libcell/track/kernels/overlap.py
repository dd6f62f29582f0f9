"""Linking two frames by the overlap of their masks, divisions included.

Every object of the earlier frame ends, continues as one, or divides into two; every object of
the later one has at most one source. Among all such answers the one with the largest total
score is taken (a set packing, solved exactly); greedy choices go wrong where cells push each
other along.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from libcell.errors import DataError, UsageFault
from libcell.track.kernels.frame import Frame, describe
from libcell.track.kernels.motion import MOTIONS, global_shift, local_shifts
from libcell.track.solver import packing
from libcell.track.solver.hypotheses import Hypotheses, join, links

LOCAL_ROUNDS = 2  # more gain little
DENSE_PAIRS = 1 << 22  # up to this many possible pairs are counted in a table


class Overlaps(NamedTuple):
    """Pairs of overlapping objects, one row each; ids and areas in px, int64, row-sorted."""

    a: np.ndarray
    b: np.ndarray
    intersection: np.ndarray
    area_a: np.ndarray
    area_b: np.ndarray


class Links(NamedTuple):
    """Links from one frame to the next, one per linked target; positions in the two frames.

    source, target  (n,) int64
    score           (n,) float64, 0..1: IoU of the source with its target, or with both daughters
    division        (n,) bool: the source has another target as well
    """

    source: np.ndarray
    target: np.ndarray
    score: np.ndarray
    division: np.ndarray


@dataclass(frozen=True)
class LinkRules:
    """What counts as a link; fractions of areas.

    min_overlap     a pair shares at least this part of the smaller of both
    min_inside      daughters lie inside the mother at least by this part of their own area
    min_area_ratio, max_area_ratio   of both daughters together to the mother
    min_similarity  of the smaller daughter's area to the larger one's
    """

    min_overlap: float = 0.1
    min_inside: float = 0.5
    min_area_ratio: float = 0.6
    max_area_ratio: float = 1.6
    min_similarity: float = 0.3

    def __post_init__(self) -> None:
        for name in ("min_overlap", "min_inside", "min_similarity"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageFault(f"{name} must be within 0..1, not {getattr(self, name)}")
        if not 0 <= self.min_area_ratio <= self.max_area_ratio:
            raise UsageFault("0 <= min_area_ratio <= max_area_ratio is needed")


def overlap_pairs(
    labels_a: np.ndarray, labels_b: np.ndarray, offset: np.ndarray | None = None
) -> Overlaps:
    """Overlapping pairs of two label images of one shape, (Y, X) or (Z, Y, X).

    offset  whole px added to the coordinates of `labels_a`, (ndim,)
    """
    a, b = describe(labels_a), describe(labels_b)
    source, target, shared = count_shared(a, b, offset)
    return Overlaps(a.labels[source], b.labels[target], shared, a.areas[source], b.areas[target])


def count_shared(
    a: Frame, b: Frame, offset: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions in both frames and shared px (int64, sorted by positions) of overlapping pairs.

    offset  whole px added to the coordinates of `a`: (ndim,), or (n, ndim) for each object
    """
    if a.shape != b.shape:
        raise DataError(f"frames differ in shape: {a.shape} and {b.shape}")
    pixels, owner = (a.pixels, a.owner) if offset is None else _moved(a, np.asarray(offset))
    canvas = np.full(int(np.prod(b.shape)), -1, np.int32)
    canvas[b.pixels] = b.owner
    other = canvas[pixels]
    keys = owner[other >= 0] * b.labels.size + other[other >= 0]
    if a.labels.size * b.labels.size <= DENSE_PAIRS:
        table = np.bincount(keys, minlength=1)
        pairs = np.flatnonzero(table)
        shared = table[pairs]
    else:
        pairs, shared = np.unique(keys, return_counts=True)
    return *np.divmod(pairs, max(1, b.labels.size)), shared


def _moved(frame: Frame, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and owners after the move, without what left the field of view."""
    per_object = np.broadcast_to(offset, (frame.labels.size, len(frame.shape))).astype(np.int64)
    flat = np.zeros_like(frame.pixels)
    inside = np.ones(frame.pixels.size, bool)
    where = np.unravel_index(frame.pixels, frame.shape)
    for axis, n in enumerate(frame.shape):
        along = where[axis] + per_object[frame.owner, axis]
        inside &= (along >= 0) & (along < n)
        flat = flat * n + along
    return flat[inside], frame.owner[inside]


def link_frames(a: Frame, b: Frame, rules: LinkRules, motion: str = "none") -> Links:
    """Links from frame `a` to the next frame `b`, sorted by target.

    motion  'none'    cells stay about where they were
            'global'  one whole-pixel shift for all (stage drift), from the masks' correlation
            'local'   then each cell is moved as its surely linked neighbours moved, and
                      linked again (a growing colony pushes its cells outwards)
    """
    if motion not in MOTIONS:
        raise UsageFault(f"motion must be one of {MOTIONS}, not {motion!r}")
    offset = None if motion == "none" else global_shift(a, b)
    found = best_links(a, b, count_shared(a, b, offset), rules)
    if motion == "local" and found.source.size:
        for _ in range(LOCAL_ROUNDS):
            offset = local_shifts(
                a, b, found.source[~found.division], found.target[~found.division]
            )
            found = best_links(a, b, count_shared(a, b, offset), rules)
    return found


def best_links(
    a: Frame, b: Frame, shared: tuple[np.ndarray, np.ndarray, np.ndarray], rules: LinkRules
) -> Links:
    """The set of continuations and divisions with the largest total score.

    A continuation scores its IoU; a division twice the IoU of the mother with both daughters
    together, because it explains two objects.
    """
    source, target, common = shared
    near = common >= rules.min_overlap * np.minimum(a.areas[source], b.areas[target])
    source, target, common = source[near], target[near], common[near]
    one = common / (a.areas[source] + b.areas[target] - common)
    first, second = _daughters(a, b, source, target, common, rules)
    both = common[first] + common[second]
    areas = a.areas[source[first]] + b.areas[target[first]] + b.areas[target[second]]
    two = both / (areas - both)
    n = a.labels.size
    daughters = np.stack([target[first], target[second]], axis=1)
    chosen = packing.best(join([
        links(source, n + target, one), Hypotheses(source[first], n + daughters, 2 * two)]))
    single, split = chosen[: one.size], chosen[one.size :]
    rows = np.concatenate([np.flatnonzero(single), first[split], second[split]])
    score = np.concatenate([one[single], two[split], two[split]])
    division = np.arange(rows.size) >= single.sum()
    order = np.argsort(target[rows])
    rows = rows[order]
    return Links(source[rows], target[rows], score[order], division[order])


def _daughters(
    a: Frame,
    b: Frame,
    source: np.ndarray,
    target: np.ndarray,
    common: np.ndarray,
    rules: LinkRules,
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows with one source whose targets may be its two daughters."""
    rows = np.flatnonzero(common >= rules.min_inside * b.areas[target])
    if rows.size < 2:
        return rows[:0], rows[:0]
    # rows are sorted by source, so the partners of a row follow it
    counts = np.searchsorted(source[rows], source[rows], "right") - np.arange(rows.size) - 1
    first = np.repeat(np.arange(rows.size), counts)
    second = first + 1 + np.arange(first.size) - np.repeat(np.cumsum(counts) - counts, counts)
    first, second = rows[first], rows[second]
    one, two = b.areas[target[first]], b.areas[target[second]]
    ratio = (one + two) / a.areas[source[first]]
    good = (ratio >= rules.min_area_ratio) & (ratio <= rules.max_area_ratio)
    good &= np.minimum(one, two) >= rules.min_similarity * np.maximum(one, two)
    return first[good], second[good]
