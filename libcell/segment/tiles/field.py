"""A large field of view: the passes over all its tiles, and what is merged between them."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from libcell.data import digests
from libcell.run.blocks import Block
from libcell.run.job import Job
from libcell.segment.kernels import threshold
from libcell.segment.tiles import passes
from libcell.segment.tiles.cut import SHARD, Cut, corners


class TileFailed(Exception):
    """A tile could not be done, so neither can its field; the job has noted why."""


def segment_large(job: Job, cut: Cut) -> tuple[int, str]:
    """Objects and digest of a field of view, frame by frame; holds nothing larger than a tile.

    Raises TileFailed.
    """
    shape = cut.image().about.shape
    count, content = 0, []
    for t in range(shape[0]):
        found, parts = _Frame(job, replace(cut, t=t), shape[2:]).segment()
        count += found
        content += parts
    return count, digests.of_json(content)


class _Frame:
    """One frame, tile by tile."""

    def __init__(self, job: Job, cut: Cut, shape: tuple[int, ...]):
        self._job = job
        self._cut = cut
        self._where = f"{cut.source.where}:t{cut.t}"
        self._shape = shape

    def segment(self) -> tuple[int, list[str]]:
        """Objects in the frame and the digests of its parts."""
        params = self._cut.params
        ranges = self._map("range", passes.measure_range)
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        counts = self._map("histogram", passes.measure_histogram, low=low, high=high)
        total = np.sum(np.array(counts, np.int64), axis=0)
        level = threshold.global_threshold(total, low, high, params)
        self._create()
        store = self._roots_store()
        tables = self._map("roots", passes.find_roots, level=level, store=store)
        merged = threshold.merge_counts(passes.load_counts(store.parent / n) for n in tables)
        kept = store.parent / f"{store.name}.kept.npy"
        ids = threshold.final_ids(merged, params)
        np.save(kept, ids)
        done = self._map("labels", passes.write_labels, step=SHARD, store=store, kept=kept,
                         root=self._job.root)
        shutil.rmtree(store)  # 8 bytes a pixel, for every frame of a movie
        return int(ids.size), [d["digest"] for d in done]

    def _map(
        self, phase: str, function: Callable[..., Any], step: int | None = None, **more: Any
    ) -> list[Any]:
        """Results of all tiles. TileFailed if any is missing: what follows needs all of them."""
        blocks = [
            Block(f"{self._where} y{y} x{x}", {"cut": self._cut, "y0": y, "x0": x} | more)
            for y, x in corners(self._shape[1:], step or self._cut.tile)
        ]
        results = [result for _, result in self._job.map(phase, function, blocks)]
        if len(results) < len(blocks):
            raise TileFailed
        return results

    def _create(self) -> None:
        """The empty label image of all frames, once."""
        source = self._cut.source
        block = Block(source.where, {
            "source": source, "root": self._job.root, "link": self._job.link(source.path),
            "compartment": self._cut.compartment})
        if not list(self._job.map("create", passes.create_labels, [block])):
            raise TileFailed

    def _roots_store(self) -> Path:
        """A scratch array of seeds per pixel, one chunk per tile."""
        name = hashlib.sha256(self._where.encode()).hexdigest()[:16]
        path = self._job.parts / f"roots-{name}"
        if not path.exists():
            edge = min(self._cut.tile, max(self._shape[1:]))
            zarr.create_array(str(path), shape=self._shape, dtype=np.int64,
                              chunks=(1, edge, edge), fill_value=0)
        return path
