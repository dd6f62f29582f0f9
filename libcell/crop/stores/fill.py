"""The second pass: one shard of crops, cut and written as a whole."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr

from libcell.crop.kernels import patches, planes
from libcell.crop.stores.index import partner_column
from libcell.crop.stores.source import Cutting
from libcell.crop.stores.windows import Place, Windows, places
from libcell.data import crops
from libcell.data.images import Source
from libcell.data.shards import ShardWriter
from libcell.data.tables import row_group

STEP = 4 * crops.CHUNK  # crops that are cut, then written: few enough for the processor's cache
MASKS = "masks"  # the array of the objects' own
PLACES = ("Metadata_Image", "Metadata_T", "Metadata_Label", "y", "x", "z", "z0", "z1")
HELD_BYTES = 128 * 2**20  # of windows that one task holds at once


class Wanted(NamedTuple):
    """What is cut for each row (n,) of a shard: the patch's first row and column (n,2), the planes
    (k,n,2) of the k images of each channel, and the label (n,) to look for by array of masks."""

    corners: np.ndarray
    planes: np.ndarray
    labels: dict[str, np.ndarray]


def fill_shard(
    root: Path, start: int, stop: int, size: tuple[int, int], cutting: Cutting,
    sources: dict[str, tuple[Source, str]],
) -> dict[str, int]:
    """Cut the crops of rows start:stop of the index and write them as one whole shard.

    They are cut a few at a time out of windows that are held. Where labels are numbered so that
    all of a shard's windows are too much to hold, its crops are held instead, and one window
    after the other is read.
    """
    rows = _rows(root / "index.parquet", start, stop, cutting)
    store: Any = zarr.open_group(str(root), mode="r")
    centres = np.column_stack([rows.column("y").to_numpy(), rows.column("x").to_numpy()])
    wanted = _wanted(rows, patches.corner(centres, size), cutting)
    every = list(places(rows, centres, size, cutting, sources))
    held = sum(place.voxels for place in every) * _bytes_per_voxel(store, cutting) <= HELD_BYTES
    step = min(STEP, rows.num_rows) if held else rows.num_rows
    windows = Windows(cutting, held)
    cut = np.empty((step, *store["crops"].shape[1:]), store["crops"].dtype)
    masks = {name: np.empty((step, *size), bool) for name in wanted.labels}
    with _shard(root, start, store, cutting) as add:
        for first in range(0, rows.num_rows, step):
            last = min(first + step, rows.num_rows)
            for place in every:
                _cut_place(place.within(first, last), first, wanted, cutting, windows, cut, masks)
            add(cut[: last - first], {name: found[: last - first] for name, found in masks.items()})
    return {"n": rows.num_rows}


def _bytes_per_voxel(store: Any, cutting: Cutting) -> int:
    """Of an image's channels and its label images."""
    array = store["crops"]
    channels = array.shape[1] // (2 * cutting.around + 1)
    return int(channels * array.dtype.itemsize + 4 * (1 + len(cutting.further)))


@contextlib.contextmanager
def _shard(
    root: Path, start: int, store: Any, cutting: Cutting
) -> Iterator[Callable[[np.ndarray, dict[str, np.ndarray]], None]]:
    """A shard that is being written: gives a function that takes the next crops (n,C,H,W) and
    masks (n,H,W) by array, in whole chunks but for the last."""
    with contextlib.ExitStack() as stack:
        shard = stack.enter_context(crops.shard(root, start))
        further = {name: stack.enter_context(ShardWriter(store[name], root, start))
                   for name in map(crops.mask_name, cutting.further)}

        def add(cut: np.ndarray, masks: dict[str, np.ndarray]) -> None:
            for first in range(0, len(cut), crops.CHUNK):
                some = slice(first, first + crops.CHUNK)
                shard.add(cut[some], masks[MASKS][some])
                for name, writer in further.items():
                    writer.add(masks[name][some])

        yield add


def _rows(path: Path, start: int, stop: int, cutting: Cutting) -> pa.Table:
    """Rows start:stop of an index, from the row groups that hold them: what tells where to cut."""
    file = pq.ParquetFile(path, memory_map=True)
    names = file.schema_arrow.names
    size = row_group(len(names))
    first, last = start // size, -(-stop // size)
    wanted = {*PLACES, *map(partner_column, cutting.further)}
    found = file.read_row_groups(range(first, last), [n for n in names if n in wanted])
    return found.slice(start - first * size, stop - start).combine_chunks()


def _wanted(rows: pa.Table, corners: np.ndarray, cutting: Cutting) -> Wanted:
    """Of an image without depth plane 0 is wanted; an object without a partner looks for a label
    that no label image has."""
    depth = np.tile([0.0, 0.0, 1.0], (rows.num_rows, 1))
    if "z" in rows.column_names:
        depth = np.column_stack([rows.column(n).to_numpy() for n in ("z", "z0", "z1")])
    columns = {MASKS: "Metadata_Label"}
    columns |= {crops.mask_name(name): partner_column(name) for name in cutting.further}
    found = {name: rows.column(column).fill_null(2**32 - 1).to_numpy().astype(np.uint32)
             for name, column in columns.items()}
    return Wanted(corners, planes.ranges(depth, cutting.shown, cutting.around), found)


def _cut_place(
    place: Place, first: int, wanted: Wanted, cutting: Cutting, windows: Windows, cut: np.ndarray,
    masks: dict[str, np.ndarray],
) -> None:
    """The crops (n,C,H,W) and masks (n,H,W) of a place's rows; row `first` is the arrays' 0."""
    if not len(place.rows):
        return
    corners = wanted.corners[place.rows] - (place.y.start, place.x.start)
    shown, targets = wanted.planes[:, place.rows], place.rows - first
    volumes = [windows.image(place, channel) for channel in place.channels]
    for k, some in enumerate(shown):
        patches.cut(volumes, corners, some, cutting.pad, cutting.shown == "mean",
                    cut[:, k :: len(shown)], targets)
    spread = np.column_stack([shown[0, :, 0], shown[-1, :, 1]])
    for (name, out), compartment in zip(masks.items(), (place.compartment, *cutting.further)):
        found = None if cutting.every else wanted.labels[name][place.rows]
        patches.cut_masks(windows.labels(place, compartment), corners, spread, found, out, targets)
