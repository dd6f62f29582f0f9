"""Zarr arrays: how they are laid out, and the one way they are written in parallel.

Two tasks that write parts of the same shard lose data silently: each reads the shard, adds its
own part and writes the whole back. `write` therefore refuses any region that does not cover
whole shards.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

Region = tuple[slice, ...]


def create(
    group: zarr.Group,
    name: str,
    shape: Sequence[int],
    dtype: Any,
    *,
    chunks: Sequence[int],
    shards: Sequence[int] | None,
    axes: Sequence[str],
    compressor: Any = None,
) -> zarr.Array:
    """Create an array in `group`; an earlier one of that name is replaced.

    `compressor` is a codec, `none`, or by default zstd-1.

    `chunks` is what one read decodes, `shards` (multiples of `chunks`) what one task writes.
    """
    return group.create_array(
        name,
        shape=tuple(shape),
        dtype=dtype,
        chunks=tuple(chunks),
        shards=tuple(shards) if shards else None,
        compressors=None if compressor == "none" else compressor or ZstdCodec(level=1),
        dimension_names=list(axes),
        fill_value=False if np.dtype(dtype) == bool else 0,
        overwrite=True,
    )


def write(array: zarr.Array, region: Region, values: np.ndarray) -> None:
    """Write `values` into `region`, which must cover whole shards (or end at the array's edge).

    Raises ValueError for a region that shares a shard with its neighbours.
    """
    unit = array.shards or array.chunks
    for axis, (part, step, size) in enumerate(zip(region, unit, array.shape)):
        start, stop, stride = part.indices(size)
        whole = start % step == 0 and (stop % step == 0 or stop == size) and stride == 1
        if not whole:
            raise ValueError(
                f"{array.path or 'array'}: rows {start}:{stop} of axis {axis} are not whole "
                f"shards of {step}; a parallel write would lose the neighbours' data"
            )
    array[region] = values


def even(size: int, limit: int) -> int:
    """Smallest multiple of 2 that holds `size`, at most `limit` (which is even)."""
    return min(limit, max(2, size + size % 2))
