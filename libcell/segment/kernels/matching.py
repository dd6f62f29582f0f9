"""How well label images agree with the truth: overlaps, matches, and what is summed over images.

All comparisons are made in whole numbers of pixels, so that an IoU of exactly 0.6 is at least
0.6 on every machine.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

PERCENT = tuple(range(50, 100, 5))  # the IoU thresholds 0.50, 0.55 ... 0.95
PIECES = 10  # a part of a split or merged object holds at least a tenth of the whole


class Pairs(NamedTuple):
    """Each pair of labels that share pixels: truth, found, pixels, all (n,) int64.

    Background (0) is among the labels, so the table holds every object's area as well.
    """

    truth: np.ndarray
    found: np.ndarray
    pixels: np.ndarray


class Counts(NamedTuple):
    """What one image adds to the figures; images are added field by field.

    `tp` holds matches per threshold of PERCENT; `strict` and `iou` count the pairs with an IoU
    above 0.5 and sum it; `seg` sums the IoU of truth objects of which more than half is
    covered; `over` and `under` count split truth objects and found ones that merge several.
    """

    truth: int
    found: int
    tp: tuple[int, ...]
    strict: int
    iou: float
    seg: float
    over: int
    under: int


NOTHING = Counts(0, 0, (0,) * len(PERCENT), 0, 0.0, 0.0, 0, 0)


def overlaps(truth: np.ndarray, found: np.ndarray) -> Pairs:
    """The pairs of two label images (any equal shape, uint32), sorted by truth and found."""
    keys = truth.astype(np.uint64).ravel() << np.uint64(32)
    keys |= found.ravel()
    # labels change rarely along a row: sorting the stretches is many times cheaper
    starts = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    starts = np.concatenate([np.zeros(min(1, keys.size), starts.dtype), starts])
    return _summed(keys[starts], np.diff(starts, append=keys.size))


def merge(parts: Iterable[Pairs]) -> Pairs:
    """The pairs of all windows of one image together."""
    truth, found, pixels = (np.concatenate(a) for a in zip(*parts))
    keys = truth.astype(np.uint64) << np.uint64(32)
    return _summed(keys | found.astype(np.uint64), pixels)


def _summed(keys: np.ndarray, pixels: np.ndarray) -> Pairs:
    unique, place = np.unique(keys, return_inverse=True)
    total = np.zeros(unique.size, np.int64)
    np.add.at(total, place, pixels)
    low = unique & np.uint64(0xFFFFFFFF)
    return Pairs((unique >> np.uint64(32)).astype(np.int64), low.astype(np.int64), total)


def count(pairs: Pairs) -> Counts:
    """The counts of one image from all its pairs."""
    truth_area, n_truth = _areas(pairs.truth, pairs.pixels)
    found_area, n_found = _areas(pairs.found, pairs.pixels)
    both = (pairs.truth > 0) & (pairs.found > 0)
    shared, ours, theirs = pairs.pixels[both], truth_area[both], found_area[both]
    union = ours + theirs - shared
    iou = shared / union
    objects = Pairs(pairs.truth[both], pairs.found[both], shared)
    strict = 2 * shared > union
    return Counts(
        n_truth, n_found, tuple(_matches(objects, union, p) for p in PERCENT),
        int(strict.sum()), float(iou[strict].sum()), float(iou[2 * shared > ours].sum()),
        _in_pieces(objects.truth, shared, ours, theirs),
        _in_pieces(objects.found, shared, theirs, ours),
    )


def _areas(labels: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, int]:
    """The whole area of each pair's label, and how many labels there are besides 0."""
    ids, place = np.unique(labels, return_inverse=True)
    total = np.zeros(ids.size, np.int64)
    np.add.at(total, place, pixels)
    return total[place], int((ids > 0).sum())


def _matches(objects: Pairs, union: np.ndarray, percent: int) -> int:
    """Pairs of the largest one-to-one matching among those that reach the threshold (>= 50 %).

    No assignment has to be solved: pairs above 0.5 exclude one another. At exactly 0.5 one
    object may be cut into two equal halves, each a partner; no half has another, so any one of
    the two makes the matching largest.
    """
    enough = 100 * objects.pixels >= percent * union
    _, first = np.unique(objects.truth[enough], return_index=True)
    return int(np.unique(objects.found[enough][first]).size)


def _in_pieces(
    whole: np.ndarray, shared: np.ndarray, area: np.ndarray, other: np.ndarray
) -> int:
    """Objects `whole` that are in pieces: two or more of the other image's objects, each mostly
    inside and a tenth of the whole or more, together cover more than half of it."""
    piece = (2 * shared > other) & (PIECES * shared >= area)
    ids, first, place = np.unique(whole[piece], return_index=True, return_inverse=True)
    covered = np.zeros(ids.size, np.int64)
    np.add.at(covered, place, shared[piece])
    number = np.bincount(place, minlength=ids.size)
    return int(((number > 1) & (2 * covered > area[piece][first])).sum())


def add(parts: Iterable[Counts]) -> Counts:
    """Several images' counts as one."""
    total = NOTHING
    for part in parts:
        tp = tuple(a + b for a, b in zip(total.tp, part.tp))
        sums = [a + b for a, b in zip(total[3:], part[3:])]
        total = Counts(total.truth + part.truth, total.found + part.found, tp, *sums)  # type: ignore[arg-type]
    return total


def figures(counts: Counts) -> dict[str, float | None]:
    """The figures of one image or of many; None where there is nothing to judge.

    AP = TP / (TP + FP + FN) at each threshold, `AP` their mean; precision, recall and F1 at
    0.5; PQ (Kirillov 2019, matches above 0.5); SEG (Cell Tracking Challenge).
    """
    both = counts.truth + counts.found
    half = counts.tp[0]
    ap = {f"AP{p}": _ratio(tp, both - tp) for p, tp in zip(PERCENT, counts.tp)}
    known = [a for a in ap.values() if a is not None]
    return ap | {
        "AP": sum(known) / len(known) if known else None,
        "precision_50": _ratio(half, counts.found),
        "recall_50": _ratio(half, counts.truth),
        "F1_50": _ratio(2 * half, both),
        "PQ": _ratio(2 * counts.iou, both),
        "SEG": _ratio(counts.seg, counts.truth),
    }


def tallies(counts: Counts) -> dict[str, int]:
    """The plain counts that the figures rest on, at the threshold 0.5."""
    half = counts.tp[0]
    return {"truth": counts.truth, "found": counts.found, "TP_50": half,
            "FP_50": counts.found - half, "FN_50": counts.truth - half,
            "over_segmented": counts.over, "under_segmented": counts.under}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
