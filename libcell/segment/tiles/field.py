"""A large field of view by threshold: the passes over all its tiles, and what is merged between."""

from dataclasses import replace

import numpy as np

from libcell.data import digests
from libcell.run.job import Job
from libcell.segment.kernels import threshold
from libcell.segment.tiles import passes
from libcell.segment.tiles.cut import Cut
from libcell.segment.tiles.frame import Frame


def segment_large(job: Job, cut: Cut) -> tuple[int, str]:
    """Objects and digest of a field of view, frame by frame; holds nothing larger than a tile.

    Raises TileFailed.
    """
    shape = cut.image().about.shape
    count, content = 0, []
    for t in range(shape[0]):
        now = replace(cut, t=t)
        found, parts = _segment(Frame(job, now, shape[2:]), now)
        count += found
        content += parts
    return count, digests.of_json(content)


def _segment(frame: Frame, cut: Cut) -> tuple[int, list[str]]:
    """Objects in the frame and the digests of its parts."""
    params = cut.params
    ranges = frame.map("range", passes.measure_range)
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    counts = frame.map("histogram", passes.measure_histogram, low=low, high=high)
    total = np.sum(np.array(counts, np.int64), axis=0)
    level = threshold.global_threshold(total, low, high, params)
    frame.create()
    store = frame.roots_store()
    tables = frame.map("roots", passes.find_roots, level=level, store=store)
    return frame.number(store, tables, params)
