"""The first pass: which objects a field of view has, as a part of the store's index."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from libcell.crop.kernels.partners import overlaps, partners
from libcell.crop.stores.source import Cutting, compartment_of, depth_of, describe
from libcell.data import labels, objects, tables
from libcell.data.grouped import Grouped, image_of
from libcell.data.image import ALL
from libcell.data.images import Source


def index_field(
    source: Source, compartment: str | None, cutting: Cutting, skip_border: bool, target: Path
) -> dict[str, Any]:
    """Objects of one field of view, left at `target`; what its image looks like."""
    name = compartment_of(source, compartment)
    about = describe(source, name, cutting)
    keys = objects.image_keys(source)
    shape = labels.open_labels(source, name).about.shape
    table = pa.concat_tables([objects_of(source, name, cutting, keys, t, shape[2:])
                              for t in range(shape[0])])
    if skip_border:
        table = table.filter(pc.invert(table.column("touches_border")))
    tables.write_part(target, table)
    return {"part": target.name, "image": keys["Metadata_Image"], **about}


def objects_of(
    source: Source, compartment: str, cutting: Cutting, keys: dict[str, Any], t: int,
    shape: tuple[int, ...],
) -> pa.Table:
    """Table `objects` of one frame of `shape` (Z,Y,X).

    In depth it also has `z` (centroid, plane), `z0` and `z1`; for each further compartment
    `Metadata_Label_NAME`, the label there that covers most of the object, null where none does.
    """
    table = objects.objects_table(partial(labels.read_frame, source, compartment, t), shape, keys,
                                  t, compartment)
    found = table.column("Metadata_Label").to_numpy()
    if shape[0] > 1:
        depth = depth_of(source, compartment, t, found)
        for name, values in zip(("z", "z0", "z1"), depth.T):
            kind = pa.float64() if name == "z" else pa.int32()
            table = table.append_column(name, pa.array(values).cast(kind))
    for other in cutting.further:
        label = _partners(source, (compartment, other), t, shape, found)
        table = table.append_column(partner_column(other), pa.array(label, pa.uint32(),
                                                                    mask=label == 0))
    return table


def partner_column(compartment: str) -> str:
    """The column that names an object's partner in a further compartment."""
    return f"Metadata_Label_{compartment}"


def _partners(
    source: Source, pair: tuple[str, str], t: int, shape: tuple[int, ...], found: np.ndarray
) -> np.ndarray:
    step = objects.WINDOW
    spans = [(slice(y, y + step), slice(x, x + step)) if max(shape[1:]) > step else (ALL, ALL)
             for y in range(0, shape[1], step) for x in range(0, shape[2], step)]
    return partners(found, (overlaps(*(labels.read_frame(source, c, t, *span) for c in pair))
                            for span in spans))


def read_listed(path: str) -> Grouped:
    """A table whose columns are to join an index, by the field of view that its ids name."""
    listed = tables.read(Path(path), "features", "objects", "predictions", "embeddings")
    return Grouped(listed, image_of(listed.column("object_id")))


def carried(table: pa.Table, image: str, known: Grouped, only: bool) -> pa.Table:
    """The index of field of view `image` with the Metadata columns of what is `known`, found by
    `object_id`; null where an object is not in it, or left out if `only` those listed are wanted.
    """
    listed = known.of(image)
    at = pc.index_in(table.column("object_id"), value_set=listed.column("object_id"))
    if only:
        table, at = table.filter(pc.is_valid(at)), at.drop_null()
    for name in listed.column_names:
        if name.startswith(tables.METADATA) and name not in table.column_names:
            table = table.append_column(name, listed.column(name).take(at))
    return table
