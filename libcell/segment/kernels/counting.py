"""From roots to labels 1..N: counting pixels over tiles, dropping objects, renumbering."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from libcell.segment.kernels.window import Box


class RootCounts(NamedTuple):
    """ids (n,) int64 sorted, counts (n,) int64 pixels, touches_border (n,) bool."""

    ids: np.ndarray
    counts: np.ndarray
    touches_border: np.ndarray


class Kept(Protocol):
    """Which objects remain: sizes in pixels within [min, max], and whether at the border too."""

    @property
    def min_area_px(self) -> int: ...
    @property
    def max_area_px(self) -> int | None: ...
    @property
    def clear_border(self) -> bool: ...


def count_roots(roots: np.ndarray, origin: Sequence[int], full_shape: Sequence[int]) -> RootCounts:
    """Pixels per root (> 0) of one core at `origin`, and which roots touch the image's border."""
    values, lengths = _runs(roots)
    ids, place = np.unique(values, return_inverse=True)
    counts = np.bincount(place, weights=lengths, minlength=ids.size).astype(np.int64)
    touches = np.zeros(ids.size, bool)
    for face, is_cut in Box(tuple(origin), roots.shape, tuple(full_shape)).faces():
        if not is_cut and roots.size:
            touches[np.searchsorted(ids, np.unique(roots[face]))] = True
    objects = ids > 0
    return RootCounts(ids[objects], counts[objects], touches[objects])


def merge_counts(parts: Iterable[RootCounts]) -> RootCounts:
    """The counts of all cores together; their order does not matter."""
    parts = list(parts)
    if not parts:
        return RootCounts(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool))
    ids, place = np.unique(np.concatenate([p.ids for p in parts]), return_inverse=True)
    counts, touches = np.zeros(ids.size, np.int64), np.zeros(ids.size, bool)
    np.add.at(counts, place, np.concatenate([p.counts for p in parts]))
    np.logical_or.at(touches, place, np.concatenate([p.touches_border for p in parts]))
    return RootCounts(ids, counts, touches)


def final_ids(found: RootCounts, params: Kept) -> np.ndarray:
    """The roots that remain, int64 sorted (raster order); the label is the position + 1."""
    keep = found.counts >= params.min_area_px
    if params.max_area_px is not None:
        keep &= found.counts <= params.max_area_px
    if params.clear_border:
        keep &= ~found.touches_border
    return found.ids[keep]


def relabel(roots: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Labels (uint32, shaped like `roots`): 1 + position in `kept` (sorted), 0 elsewhere."""
    values, lengths = _runs(roots)
    if not kept.size or not values.size:
        return np.zeros(roots.shape, np.uint32)
    place = np.minimum(np.searchsorted(kept, values), kept.size - 1)
    labels = np.where(kept[place] == values, place + 1, 0).astype(np.uint32)
    return np.repeat(labels, lengths).reshape(roots.shape)


def _runs(roots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and lengths of the stretches of equal value in raster order.

    Roots change rarely along a row: sorting or searching the stretches is ten times cheaper.
    """
    flat = roots.ravel()
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([np.zeros(min(1, flat.size), starts.dtype), starts])
    return flat[starts], np.diff(starts, append=flat.size)
