"""One frame of a large field of view: what every method does alike, tile by tile."""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from libcell.run.blocks import Block
from libcell.run.job import Job
from libcell.segment.kernels.counting import Kept, final_ids, merge_counts
from libcell.segment.tiles import passes
from libcell.segment.tiles.cut import SHARD, FrameCut, corners


class TileFailed(Exception):
    """A tile could not be done, so neither can its field; the job has noted why."""


class Frame:
    """Passes over the tiles of one frame; `shape` is (Z,Y,X)."""

    def __init__(self, job: Job, cut: FrameCut, shape: tuple[int, ...]):
        self.job = job
        self.cut = cut
        self.where = f"{cut.source.where}:t{cut.t}"
        self.shape = shape

    def map(
        self, phase: str, function: Callable[..., Any], step: int | None = None, **more: Any
    ) -> list[Any]:
        """Results of all tiles, or of all squares `step` wide. TileFailed if any is missing: what
        follows needs all of them."""
        return self.map_at(phase, function, corners(self.shape[1:], step or self.cut.tile), **more)

    def map_at(
        self, phase: str, function: Callable[..., Any], places: Sequence[tuple[int, int]],
        **more: Any,
    ) -> list[Any]:
        """The same of blocks that begin at some places (y, x)."""
        blocks = [
            Block(f"{self.where} y{y} x{x}", {"cut": self.cut, "y0": y, "x0": x} | more)
            for y, x in places
        ]
        results = [result for _, result in self.job.map(phase, function, blocks)]
        if len(results) < len(blocks):
            raise TileFailed
        return results

    def create(self) -> None:
        """The empty label image of all frames, once."""
        source = self.cut.source
        block = Block(source.where, {
            "source": source, "root": self.job.root, "link": self.job.link(source.path),
            "compartment": self.cut.compartment})
        if not self.job.once("create", passes.create_labels, block):
            raise TileFailed

    def scratch(self, name: str, shape: tuple[int, ...], dtype: Any, edge: int) -> Path:
        """A scratch array, one chunk per square of `edge` rows and columns (its last axes)."""
        mark = hashlib.sha256(self.where.encode()).hexdigest()[:16]
        path = self.job.parts / f"{name}-{mark}"
        if not (path / "zarr.json").exists():  # a kill may have left the folder alone
            side = min(edge, max(shape[-2:]))
            zarr.create_array(str(path), shape=shape, dtype=dtype, fill_value=0,
                              chunks=(*_thick(shape, dtype), side, side))
        return path

    def roots_store(self) -> Path:
        """A scratch array of seeds per pixel."""
        return self.scratch("roots", self.shape, np.int64, self.cut.tile)

    def number(self, store: Path, tables: Iterable[str], params: Kept) -> tuple[int, list[str]]:
        """Write the labels of the seeds in `store` that remain; objects, digests of the parts.

        `tables` are the files that hold what was counted in each tile.
        """
        merged = merge_counts(passes.load_counts(store.parent / n) for n in tables)
        kept = store.parent / f"{store.name}.kept.npy"
        ids = final_ids(merged, params)
        np.save(kept, ids)
        done = self.map("labels", passes.write_labels, step=SHARD, store=store, kept=kept,
                        root=self.job.root)
        shutil.rmtree(store)  # 8 bytes a pixel, for every frame of a movie
        return int(ids.size), [d["digest"] for d in done]


def _thick(shape: tuple[int, ...], dtype: Any) -> tuple[int, ...]:
    """Extent of a chunk along all axes but the last two: single planes of wide numbers."""
    return (1,) * (len(shape) - 2) if np.dtype(dtype).itemsize > 1 else shape[:-2]
