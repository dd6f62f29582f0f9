"""From the objects of all fields to a crop store."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr

from libcell.crop.stores import fill
from libcell.crop.stores.source import Cutting
from libcell.data import arrays, crops, groups, tables
from libcell.data.images import Source
from libcell.errors import DataError
from libcell.run.blocks import Block
from libcell.run.job import Job

Field = tuple[Source, dict[str, Any]]


def common(fields: list[Field]) -> tuple[list[str], np.dtype, tuple[float, float] | None]:
    """Channels, dtype and pixel size that all fields share; DataError if they differ."""
    if not fields:
        raise DataError("no field of view to crop from")
    first = fields[0][1]
    for _, about in fields:
        for what in ("channels", "dtype", "pixel_size_um"):
            if about[what] != first[what]:
                raise DataError(
                    f"{about['image']}: {what.removesuffix('_um').replace('_', ' ')} is "
                    f"{about[what]}, but {first['image']} has {first[what]}; one crop store holds "
                    "one kind"
                )
    size = first["pixel_size_um"]
    return first["channels"], np.dtype(first["dtype"]), tuple(size) if size else None


def size_px(
    size: int, size_um: float | None, pixel_size: tuple[float, float] | None, where: str
) -> tuple[int, int]:
    """Height and width of the crops, from px or um. DataError without a pixel size."""
    if size_um is None:
        return size, size
    if pixel_size is None:
        raise DataError(f"{where}: the pixel size is not known; use --size in px")
    height, width = (max(2, round(size_um / p)) for p in pixel_size)
    return height, width


def build(
    job: Job, cutting: Cutting, fields: list[Field], size: tuple[int, int],
    objects: Iterable[pa.Table], beside: Mapping[str, pa.Table] | None = None,
    packed: bool = True,
) -> int:
    """Write index, the tables `beside` it by kind, and the crops; returns their number.

    `objects` are the rows of the index in order, gone through twice; `packed` is False for crops
    that are not to be compressed. The caller publishes.
    """
    channels, dtype, pixel_size = common(fields)
    provenance = job.provenance()
    groups.ensure(job.root)
    n = _write_table(job.root / "index.parquet", objects, "objects", provenance)
    for kind, table in (beside or {}).items():
        _write_table(job.root / f"{kind}.parquet", [table], kind, provenance)
    shard = crops.create(job.root, n, len(channels), size, dtype, packed)
    _create_further(job.root, cutting.further, n, size, shard)
    job.map_whole("crops", fill.fill_shard, _blocks(job.root, n, shard, size, cutting, fields))
    names = "+".join(sorted({about["compartment"] for _, about in fields}))
    groups.update(job.root, {"further_masks": list(cutting.further)} if cutting.further else {})
    crops.seal(job.root, n=n, channels=channels, compartment=names, size=size,
               pixel_size_um=pixel_size, provenance=provenance)
    return n


def _write_table(
    path: Path, parts: Iterable[pa.Table], kind: str, provenance: dict[str, Any]
) -> int:
    schema = tables.unify(parts)
    return tables.write_parts(path, parts, schema, kind, provenance)


def _create_further(
    root: Path, further: tuple[str, ...], n: int, size: tuple[int, int], shard: int
) -> None:
    """The arrays of further masks; those that are there are kept, as `crops.create` does."""
    store = zarr.open_group(str(root))
    for name in map(crops.mask_name, further):
        found = store.get(name)
        if not isinstance(found, zarr.Array) or found.shape != (n, *size):
            arrays.create(store, name, (n, *size), bool, axes=("n", "y", "x"),
                          chunks=(crops.CHUNK, *size), shards=(shard, *size))


def _blocks(
    root: Path, n: int, shard: int, size: tuple[int, int], cutting: Cutting, fields: list[Field]
) -> list[Block]:
    sources = {about["image"]: (source, about["compartment"]) for source, about in fields}
    images = pq.ParquetFile(root / "index.parquet").read(columns=["Metadata_Image"]).column(0)
    return [
        Block(f"crops {i} of {n}", {
            "root": root, "start": i, "stop": min(i + shard, n), "size": size, "cutting": cutting,
            "sources": {k: sources[k] for k in images[i : i + shard].unique().to_pylist()}})
        for i in range(0, n, shard)
    ]
