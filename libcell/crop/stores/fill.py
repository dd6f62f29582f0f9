"""The second pass: one shard of crops, cut and written as a whole."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr

from libcell.crop.kernels import patches, planes
from libcell.crop.stores.index import partner_column
from libcell.crop.stores.source import Cutting
from libcell.data import crops, labels
from libcell.data.images import Source
from libcell.data.objects import WINDOW
from libcell.data.shards import ShardWriter
from libcell.data.tables import ROW_GROUP

_kept = threading.local()


class Place(NamedTuple):
    """Rows `rows` (n,) of a shard that one window of 2048 px around them serves."""

    image: str
    t: int
    rows: np.ndarray


def fill_shard(
    root: Path, start: int, stop: int, size: tuple[int, int], cutting: Cutting,
    sources: dict[str, tuple[Source, str]],
) -> dict[str, int]:
    """Cut the crops of rows start:stop of the index and write them as one whole shard."""
    rows = _rows(root / "index.parquet", start, stop)
    store: Any = zarr.open_group(str(root), mode="r")
    cut, masks = (_room(name, (stop - start, *store[name].shape[1:]), store[name].dtype)
                  for name in ("crops", "masks"))
    further = {name: _room(name, masks.shape, masks.dtype) for name in cutting.further}
    centres = np.column_stack([rows.column("y").to_numpy(), rows.column("x").to_numpy()])
    depth = _depth(rows)
    for place in places(rows, centres):
        source, compartment = sources[place.image]
        some = rows.take(place.rows)
        _cut_place(place, source, cutting, centres[place.rows], depth[place.rows], cut)
        _mask_place(place, source, compartment, cutting, some, centres[place.rows],
                    depth[place.rows], masks, further)
    crops.write_shard(root, start, cut, masks)
    for name, found in further.items():
        _write_masks(store[crops.mask_name(name)], root, start, found)
    return {"n": stop - start}


def _rows(path: Path, start: int, stop: int) -> pa.Table:
    """Rows start:stop of a table, from the row groups that hold them."""
    file = pq.ParquetFile(path, memory_map=True)
    first, last = start // ROW_GROUP, -(-stop // ROW_GROUP)
    found = file.read_row_groups(range(first, last))
    return found.slice(start - first * ROW_GROUP, stop - start).combine_chunks()


def _room(name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array that this thread uses again for its next shard: fresh memory costs more time than
    the cutting does."""
    held: np.ndarray | None = getattr(_kept, name, None)
    if held is None or held.dtype != dtype or held.shape[1:] != shape[1:] or len(held) < shape[0]:
        held = np.empty(shape, dtype)
        setattr(_kept, name, held)
    return held[: shape[0]]


def _depth(rows: pa.Table) -> np.ndarray:
    """Centroid's plane, first and one past the last (n,3); an image without depth has plane 0."""
    if "z" not in rows.column_names:
        return np.tile([0.0, 0.0, 1.0], (rows.num_rows, 1))
    return np.column_stack([rows.column(n).to_numpy() for n in ("z", "z0", "z1")])


def places(rows: pa.Table, centres: np.ndarray) -> Iterator[Place]:
    """The rows by image, frame and window.

    Labels need not be numbered by place, and one window around all of them may be the image.
    """
    images = rows.column("Metadata_Image").combine_chunks().dictionary_encode()
    names = images.dictionary.to_pylist()
    keys = [images.indices.to_numpy(), rows.column("Metadata_T").to_numpy(),
            *(centres // WINDOW).astype(np.int64).T]
    order = np.lexsort(keys[::-1])
    change = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
    for some in np.split(order, np.flatnonzero(change) + 1):
        yield Place(names[keys[0][some[0]]], int(keys[1][some[0]]), some)


def _cut_place(
    place: Place, source: Source, cutting: Cutting, centres: np.ndarray, depth: np.ndarray,
    out: np.ndarray,
) -> None:
    """Crops (n,C,H,W), channel by channel, so that one window of one channel is held."""
    image = cutting.image(source)
    size = (out.shape[2], out.shape[3])
    y, x = patches.window(centres, size, image.about.shape[3:])
    starts = patches.corner(centres, size) - (y.start, x.start)
    shown = planes.ranges(depth, cutting.shown, cutting.around)
    for i, c in enumerate(cutting.numbers(image.about)):
        volume = image.read(t=place.t, c=c, y=y, x=x)
        for k, some in enumerate(shown):
            patches.cut(volume, starts, some, cutting.pad, cutting.shown == "mean",
                        out[:, i * len(shown) + k], place.rows)


def _mask_place(
    place: Place, source: Source, compartment: str, cutting: Cutting, rows: pa.Table,
    centres: np.ndarray, depth: np.ndarray, masks: np.ndarray, further: dict[str, np.ndarray],
) -> None:
    """Masks (n,H,W) of the objects, and of their partners in the further compartments."""
    size = (masks.shape[1], masks.shape[2])
    shown = planes.ranges(depth, cutting.shown, cutting.around)
    spread = np.column_stack([shown[0, :, 0], shown[-1, :, 1]])
    for name, column, out in [
        (compartment, "Metadata_Label", masks),
        *((c, partner_column(c), further[c]) for c in cutting.further),
    ]:
        shape = labels.open_labels(source, name).about.shape
        y, x = patches.window(centres, size, shape[3:])
        frame = labels.read_frame(source, name, place.t, y, x)
        found = None if cutting.every else _labels(rows, column)
        patches.cut_masks(frame, patches.corner(centres, size) - (y.start, x.start), spread, found,
                          out, place.rows)


def _labels(rows: pa.Table, column: str) -> np.ndarray:
    """The labels to look for; without a partner one that no label image has."""
    return rows.column(column).fill_null(2**32 - 1).to_numpy().astype(np.uint32)


def _write_masks(array: zarr.Array, root: Path, start: int, masks: np.ndarray) -> None:
    with ShardWriter(array, root, start) as shard:
        for first in range(0, len(masks), crops.CHUNK):
            shard.add(masks[first : first + crops.CHUNK])
