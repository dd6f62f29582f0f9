"""The first pass: every outline's mask, box and centre, picture by picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import omissions, tables
from libcell.data.image import object_ids
from libcell.errors import CellError, DataError
from libcell.extract.annotations import masks
from libcell.extract.annotations.document import Document, gather
from libcell.extract.annotations.pictures import Picture
from libcell.extract.annotations.pixels import decode_picture
from libcell.extract.annotations.runs import Runs

RUNS = ("run_y", "run_x", "run_length")  # columns of the parts alone: the masks


@dataclass(frozen=True)
class Choice:
    """Which annotations are taken, and how their rows are made."""

    compartment: str = "cells"
    crowd: bool = False
    class_column: str | None = None


def write_entries(document: Document, folder: Path, number: int) -> np.ndarray:
    """Leave a document's annotations in the parts folder, sorted by picture, for the workers.

    Returns the picture numbers (n,) in that order.
    """
    entries = document.entries
    if isinstance(document.text, bytes):
        text_of(folder, number).write_bytes(document.text)
    order = np.argsort(entries.image, kind="stable")
    image = entries.image[order]
    first = np.searchsorted(image, image)  # of the same picture
    category = np.array([c.name for c in document.categories] + [None], object)
    table = pa.table({
        "id": pa.array([str(i) for i in entries.ids[order].tolist()]),
        "label": pa.array(np.arange(1, len(order) + 1) - first, pa.uint32()),
        "class": pa.array(category[entries.category[order]].tolist(), pa.string()),
        "crowd": pa.array(entries.crowd[order]),
        **{f"{name}_{i}": pa.array(spans[order, i]) for i in (0, 1)
           for name, spans in (("outline", entries.outlines), ("box", entries.boxes))},
    })
    tables.write_part(folder / f"entries-{number}.arrow", table)
    return image


def text_of(folder: Path, number: int) -> Path:
    """Where the outlines of a document lie that could not be read as they were."""
    return folder / f"outlines-{number}.json"


def index_pictures(
    folder: Path, number: int, text: Path, source: str, pictures: list[Picture], choice: Choice,
    target: Path,
) -> dict[str, Any]:
    """Masks of some pictures of one document, left as two part files: what is taken (table
    `objects` with the masks' runs), and what is not (table `omissions`).

    Returns how many are taken, the largest box, and the kinds of pixels.
    """
    entries = tables.read_part(folder / f"entries-{number}.arrow")
    kept, left = [], []
    kinds: set[tuple[int, str]] = set()
    for picture in pictures:
        rows = entries.slice(picture.rows[0], picture.rows[1] - picture.rows[0])
        made = _index_picture(rows, text, picture, choice)
        kept.append(made.objects)
        left.append(omissions.table([(source, *one) for one in made.left], picture.name))
        kinds |= {made.kind} if made.kind else set()
    some, out = (pa.concat_tables(parts, promote_options="permissive") for parts in (kept, left))
    tables.write_part(target, some)
    tables.write_part(target.with_suffix(".left"), out)
    height, width = (_longest(some, a) for a in "yx")
    return {"part": target.name, "n": some.num_rows, "size": [height, width],
            "kinds": sorted(kinds)}


def _longest(table: pa.Table, axis: str) -> int:
    ends, starts = (table.column(f"{axis}{i}").to_numpy() for i in (1, 0))
    return int((ends - starts).max(initial=0))


@dataclass(frozen=True)
class _Indexed:
    objects: pa.Table
    left: list[tuple[str, str]]  # annotation, reason
    kind: tuple[int, str] | None


def _index_picture(rows: pa.Table, text: Path, picture: Picture, choice: Choice) -> _Indexed:
    ids = rows.column("id").to_pylist()
    try:
        height, width, kind = _measure(picture)
    except CellError as error:
        reason = str(error)
        none = _objects(rows.slice(0, 0), masks.Found.nothing(), picture, choice, (1, 1))
        return _Indexed(none, [(i, reason) for i in ids], None)
    spans = [np.column_stack([rows.column(f"{n}_{i}").to_numpy() for i in (0, 1)])
             for n in ("outline", "box")]
    crowd = rows.column("crowd").to_numpy() & (not choice.crowd)
    found = masks.find(masks.Texts(*gather(text, *spans)), height, width, crowd)
    objects = _objects(rows, found, picture, choice, (height, width))
    return _Indexed(objects, [(ids[i], f) for i, f in enumerate(found.faults) if f], kind)


def _measure(picture: Picture) -> tuple[int, int, tuple[int, str]]:
    """Height, width, and channels with dtype, of a picture that can be decoded and is as annotated.
    DataError where it is not."""
    if picture.path is None:
        raise DataError(f"{picture.fault}: {picture.columns['Metadata_File']}")
    pixels = decode_picture(picture.path)
    channels, height, width = pixels.shape
    if picture.size and picture.size != (height, width):
        raise DataError(f"image is {height} x {width} px, the annotations are for "
                        f"{picture.size[0]} x {picture.size[1]}")
    return height, width, (channels, str(pixels.dtype))


def _objects(
    rows: pa.Table, found: masks.Found, picture: Picture, choice: Choice, size: tuple[int, int]
) -> pa.Table:
    """Table `objects` of those without a fault, with the runs of the masks as further columns."""
    good = np.array([not f for f in found.faults], bool)
    rows, made = rows if good.all() else rows.filter(pa.array(good)), found.spans
    n = rows.num_rows
    label = rows.column("label").to_numpy()
    y0, x0, y1, x1 = made.boxes[good].T
    areas = made.areas[good]
    centre = made.sums[good] / areas[:, None]
    own = dict(picture.columns)
    keys = {k: pa.array([own.pop(k)] * n, pa.string())
            for k in ("Metadata_Plate", "Metadata_Well", "Metadata_Site")}
    told = own.get(f"Metadata_{choice.class_column}") if choice.class_column else None
    columns: dict[str, Any] = {
        "object_id": object_ids(picture.name, 0, choice.compartment, label.tolist()),
        **keys,
        "Metadata_Image": [picture.name] * n,
        "Metadata_T": np.zeros(n, np.int32),
        "Metadata_Label": label,
        "Metadata_Compartment": [choice.compartment] * n,
        "y": centre[:, 0], "x": centre[:, 1], "y0": y0, "x0": x0, "y1": y1, "x1": x1,
        "area_px": areas,
        "touches_border": (y0 == 0) | (x0 == 0) | (y1 == size[0]) | (x1 == size[1]),
        "Metadata_Class": rows.column("class") if told is None
        else pa.array([told] * n, pa.string()),
        **{k: pa.array([v] * n, pa.string() if v is None else pa.scalar(v).type)
           for k, v in own.items()},
        "Metadata_Annotation": rows.column("id"),
    }
    if choice.crowd:
        columns["Metadata_Crowd"] = rows.column("crowd")
    counts = made.counts[good]  # an object with a fault has no runs
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    masks_of = {name: pa.ListArray.from_arrays(offsets, pa.array(values))
                for name, values in zip(RUNS, (made.y, made.x, made.length))}
    return tables.from_columns("objects", columns | masks_of)


def runs_of(rows: pa.Table) -> Runs:
    """The masks of some rows of a part."""
    lists = [rows.column(name).combine_chunks() for name in RUNS]
    counts = lists[0].value_lengths().to_numpy()
    return Runs.of(counts, *(one.flatten().to_numpy() for one in lists))
