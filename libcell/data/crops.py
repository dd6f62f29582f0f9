"""Crop stores: `crops` (N,C,H,W), `masks` (N,H,W) and `index.parquet`, in one order.

Crops keep their native dtype and are not masked: masking, resizing and normalising are
options of whoever reads.
"""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import zarr

from libcell.data import arrays, codecs, groups, images, tables
from libcell.data.shards import ShardWriter, codec
from libcell.errors import DataError, reading
from libcell.schema import versions
from libcell.schema.stores import Crops
from libcell.schema.violations import of_model

CHUNK = 16
SHARD_ROWS = 4096
SHARD_BYTES = 64 * 2**20  # what one task holds while it fills a shard


def shard_rows(channels: int, height: int, width: int, itemsize: int) -> int:
    """Crops per shard: 4096, or as many (in whole chunks) as 64 MiB hold."""
    one = max(1, channels * height * width * itemsize)
    fitting = SHARD_BYTES // one // CHUNK * CHUNK
    return int(min(SHARD_ROWS, max(CHUNK, fitting)))


def create(
    root: Path, n: int, channels: int, size: tuple[int, int], dtype: Any, packed: bool = True
) -> int:
    """The arrays of a store with `n` crops, `packed` or as they are; returns the crops per shard.

    Arrays of that shape which are there are kept: a resumed run must not empty them.
    """
    store = zarr.open_group(str(groups.ensure(root)))
    rows = shard_rows(channels, *size, np.dtype(dtype).itemsize)
    for name, kind, axes, one in (("crops", dtype, ("n", "c", "y", "x"), (channels, *size)),
                                  ("masks", bool, ("n", "y", "x"), size)):
        found = store.get(name)
        if not isinstance(found, zarr.Array) or found.shape != (n, *one):
            arrays.create(store, name, (n, *one), kind, axes=axes, chunks=(CHUNK, *one),
                          shards=(rows, *one),
                          compressor=codec(np.dtype(kind)) if packed or name == "masks" else "none")
    return rows


@functools.lru_cache(maxsize=2)
def _arrays(root: Path, stamp: tuple[int, int]) -> tuple[zarr.Array, zarr.Array]:
    """Both arrays, kept open between the shards that one worker writes."""
    store = zarr.open_group(str(root), mode="r")
    return store["crops"], store["masks"]  # type: ignore[return-value]


@dataclass(frozen=True)
class Shard:
    """A shard that is being written, CHUNK rows at a time."""

    crops: ShardWriter
    masks: ShardWriter

    def add(self, crops: np.ndarray, masks: np.ndarray) -> None:
        """The next crops (n,C,H,W) and masks (n,H,W)."""
        self.crops.add(crops)
        self.masks.add(masks)

    def add_frames(self, crops: np.ndarray, masks: np.ndarray) -> None:
        """The next ones as zstd frames (see `libcell.data.frames`)."""
        self.crops.add_frame(crops)
        self.masks.add_frame(masks)


@contextlib.contextmanager
def shard(root: Path, start: int) -> Iterator[Shard]:
    """Write one shard, from row `start` on."""
    made = (root / "crops" / "zarr.json").stat()
    crops, masks = (ShardWriter(a, root, start)
                    for a in _arrays(root, (made.st_ino, made.st_mtime_ns)))
    with crops, masks:
        yield Shard(crops, masks)


def write_shard(root: Path, start: int, crops: np.ndarray, masks: np.ndarray) -> None:
    """Write crops (n,C,H,W) and masks (n,H,W): all rows of the shard that begins at `start`."""
    with shard(root, start) as one:
        for first in range(0, len(crops), CHUNK):
            rows = slice(first, first + CHUNK)
            one.add(crops[rows], masks[rows])


def seal(
    root: Path, *, n: int, channels: list[str], compartment: str, size: tuple[int, int],
    pixel_size_um: tuple[float, float] | None, provenance: Mapping[str, Any],
) -> None:
    """Write the root metadata, last of all."""
    groups.update(root, {
        "schema": versions.tag("crops"),
        "provenance": dict(provenance),
        "n": n,
        "channels": channels,
        "compartment": compartment,
        "size_px": list(size),
        "pixel_size_um": list(pixel_size_um) if pixel_size_um else None,
    })


@dataclass(frozen=True)
class CropStore:
    """A crop store opened for reading."""

    path: Path
    n: int
    channels: tuple[str, ...]
    compartment: str
    size_px: tuple[int, int]
    crops: zarr.Array
    masks: zarr.Array
    compartments: tuple[str, ...]  # that have masks; the first is what the crops are centred on

    def mask_array(self, compartment: str) -> zarr.Array:
        """Masks (N,H,W) of one of `compartments`."""
        if compartment == self.compartments[0]:
            return self.masks
        found = images.open_root(self.path).get(mask_name(compartment))
        if not isinstance(found, zarr.Array):
            raise DataError(f"{self.path}: holds no masks of {compartment!r}; it has "
                            f"{', '.join(self.compartments)}")
        _require_shape(found, self.masks.shape, f"{self.path}/{mask_name(compartment)}")
        return found

    def index(self) -> pa.Table:
        """Table `objects`, one row per crop in the order of the arrays."""
        found = tables.read_inside(self.path, "index.parquet", "objects")
        if found.num_rows != self.n:
            raise DataError(f"{self.path}: {found.num_rows} rows in index.parquet for {self.n} "
                            "crops")
        return found

    def bags(self) -> pa.Table:
        """Table `bags`: which crops form one bag. MissingInput if the store has none."""
        return tables.read_inside(self.path, "bags.parquet", "bags")

    def sequences(self) -> pa.Table:
        """Table `sequences`: which crops, in which order, follow one cell.

        MissingInput if the store has none.
        """
        return tables.read_inside(self.path, "sequences.parquet", "sequences")

    def read(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Crops (n,C,H,W) and masks (n,H,W) of neighbouring rows."""
        with reading(self.path, "cannot be decoded"):
            return np.asarray(self.crops[rows]), np.asarray(self.masks[rows])

    def blocks(self, rows: int = 256) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """The whole store, `rows` crops at a time."""
        for start in range(0, self.n, rows):
            span = slice(start, min(start + rows, self.n))
            yield (span, *self.read(span))


def open_crops(path: Path) -> CropStore:
    """Open a crop store; DataError if it is none."""
    root = images.open_root(path)
    with reading(path, "not a whole crop store"):
        attributes: dict[str, Any] = dict(root.attrs)
        versions.require(attributes.get("schema"), "crops", where=str(path))
        wrong = of_model(Crops, attributes, str(path))
        if wrong:
            raise DataError(str(wrong[0]))
        about = Crops.model_validate(attributes)
        crops, masks = root.get("crops"), root.get("masks")
    if not isinstance(crops, zarr.Array) or not isinstance(masks, zarr.Array):
        raise DataError(f"{path}: crops or masks are missing")
    _require_shape(crops, (about.n, len(about.channels), *about.size_px), f"{path}/crops")
    _require_shape(masks, (about.n, *about.size_px), f"{path}/masks")
    return CropStore(path, about.n, tuple(about.channels), about.compartment, about.size_px, crops,
                     masks, (about.compartment, *about.further_masks))


def _require_shape(array: zarr.Array, shape: tuple[int, ...], where: str) -> None:
    codecs.require_plain(array, where)
    if array.shape != shape:
        raise DataError(f"{where}: is {array.shape}, expected {shape}")


def mask_name(compartment: str) -> str:
    """The array that holds the masks of a further compartment."""
    return f"masks_{compartment}"
