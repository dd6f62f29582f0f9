"""Which object of another label image an object lies in."""

from collections.abc import Iterable

import numpy as np


def overlaps(labels: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (m,2) int64 of labels that lie on each other in two label images of one shape, and on
    how many pixels (m,)."""
    both = (labels > 0) & (others > 0)
    keys = labels[both].astype(np.uint64) << np.uint64(32) | others[both].astype(np.uint64)
    keys, counts = np.unique(keys, return_counts=True)
    pairs = np.column_stack([keys >> np.uint64(32), keys & np.uint64(2**32 - 1)])
    return pairs.astype(np.int64), counts


def partners(found: np.ndarray, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """For each label of `found` (n,) the other label that covers most of it, 0 where none does;
    of equals the lower. `parts` are the `overlaps` of an image's windows."""
    every = list(parts)
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *(p for p, _ in every)])
    counts = np.concatenate([np.zeros(0, np.int64), *(c for _, c in every)])
    pairs, place = np.unique(pairs, axis=0, return_inverse=True)
    total = np.bincount(place.ravel(), weights=counts, minlength=len(pairs))
    order = np.lexsort((-pairs[:, 1], total))  # the last one of a label wins
    best = dict(zip(pairs[order, 0].tolist(), pairs[order, 1].tolist()))
    return np.array([best.get(label, 0) for label in found.tolist()], np.int64)
