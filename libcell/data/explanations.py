"""Explanation stores: `maps` (N,H,W) float16 and `index.parquet`, in one order."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import zarr

from libcell.data import arrays, groups, images, tables
from libcell.data.crops import CHUNK, shard_rows
from libcell.data.shards import ShardWriter
from libcell.errors import DataError
from libcell.schema import versions

DTYPE = np.dtype(np.float16)


def create(root: Path, n: int, size: tuple[int, int]) -> int:
    """The array of a store with `n` maps; returns the maps per shard. One of that shape which is
    there is kept: a resumed run must not empty it."""
    store = zarr.open_group(str(groups.ensure(root)))
    rows = shard_rows(1, *size, DTYPE.itemsize)
    found = store.get("maps")
    if not isinstance(found, zarr.Array) or found.shape != (n, *size):
        arrays.create(store, "maps", (n, *size), DTYPE, axes=("n", "y", "x"),
                      chunks=(CHUNK, *size), shards=(rows, *size))
    return rows


def write_shard(root: Path, start: int, maps: np.ndarray) -> None:
    """Write maps (n,H,W) float16: all rows of the shard that begins at `start`."""
    made = (root / "maps" / "zarr.json").stat()
    with ShardWriter(_array(root, (made.st_ino, made.st_mtime_ns)), root, start) as writer:
        for first in range(0, len(maps), CHUNK):
            writer.add(maps[first : first + CHUNK])


@functools.lru_cache(maxsize=2)
def _array(root: Path, stamp: tuple[int, int]) -> zarr.Array:
    """Kept open between the shards that one worker writes."""
    return zarr.open_group(str(root), mode="r")["maps"]  # type: ignore[return-value]


def seal(root: Path, about: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Write the root metadata, last of all; `about` holds what schema `explain` asks for."""
    groups.update(root, {"schema": versions.tag("explain"), "provenance": dict(provenance),
                         **about})


@dataclass(frozen=True)
class Explanations:
    """A store opened for reading; `about` are its attributes."""

    path: Path
    about: dict[str, Any]
    maps: zarr.Array

    @property
    def n(self) -> int:
        """How many maps."""
        return int(self.about["n"])

    def index(self) -> pa.Table:
        """Table `explanations`, one row per map in their order."""
        return tables.read_inside(self.path, "index.parquet", "explanations")

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Maps (n,H,W) float32 of some rows, in their order, as the index scales them: -1 to 1."""
        return np.asarray(self.maps.oindex[rows]).astype(np.float32)


def open_explanations(path: Path) -> Explanations:
    """Open an explanation store; DataError if it is none."""
    root = images.open_root(path)
    attributes: dict[str, Any] = dict(root.attrs)
    versions.require(attributes.get("schema"), "explain", where=str(path))
    maps = root.get("maps")
    if not isinstance(maps, zarr.Array):
        raise DataError(f"{path}: maps are missing")
    return Explanations(path, attributes, maps)
