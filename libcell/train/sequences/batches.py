"""Sequences of different lengths in one batch: padded, with what is missing marked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from libcell.train.pictures.contract import reader_of
from libcell.train.sequences.courses import Course


def read(path: Path, contract: dict[str, Any], courses: Sequence[Course]) -> dict[str, np.ndarray]:
    """crops (B,T,C,H,W) in the store's dtype, 0 where nothing is; masks (B,T,H,W) bool; there
    (B,T) bool; frames int64 (B,), gaps counted; y int64 (B,T), -1 where no stage is known."""
    length = max(map(len, courses))
    rows = np.full((len(courses), length), -1)
    y = np.full((len(courses), length), -1)
    for i, one in enumerate(courses):
        rows[i, : len(one)], y[i, : len(one)] = one.rows, one.y
    there = rows >= 0
    # neighbours are read together, and a crop of two sequences once
    wanted, place = np.unique(rows[there], return_inverse=True)
    reader = reader_of(contract, path, wanted)
    height, width = reader.size_px
    crops = np.zeros((*rows.shape, len(reader.channels), height, width), reader.dtype)
    masks = np.zeros((*rows.shape, height, width), bool)
    if len(wanted):
        batch = next(iter(reader.in_order(len(wanted))))
        crops[there], masks[there] = batch.crops[place], batch.masks[place]
    frames = np.array([len(c) for c in courses], np.int64)
    return {"crops": crops, "masks": masks, "there": there, "frames": frames, "y": y}


def alike(courses: Sequence[Course], size: int, random: np.random.Generator) -> list[list[Course]]:
    """Batches of `size` sequences of about the same length, so that little is padded, in random
    order; the rest, fewer than `size`, is left out unless it is all there is."""
    jitter = random.uniform(0.8, 1.25, len(courses))
    order = np.argsort([len(c) * j for c, j in zip(courses, jitter)], kind="stable")
    spare = len(courses) % size if len(courses) > size else 0
    kept = np.delete(order, random.choice(len(courses), spare, replace=False))
    batches = [kept[i : i + size] for i in range(0, len(kept), size)]
    return [[courses[i] for i in batches[k]] for k in random.permutation(len(batches))]
