"""Label images to COCO annotations; each mask as run lengths, so that holes and pixels stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job

NO_CLASS = "unclassified"


@dataclass(frozen=True)
class Options:
    """Which objects, and what they are called."""

    compartment: Annotated[str | None, Opt("label image to take [the first]")] = None
    table: Annotated[str | None, Opt(
        "table with a class for each object_id: objects (a crop store's index.parquet), "
        "predictions, ...", path=True)] = None
    category: Annotated[str, Opt("column of --table that is the category")] = "Metadata_Class"


def run(job: Job, options: Options) -> None:
    """Code the fields of view side by side, then join them under running numbers."""
    categories = _categories(options)
    blocks = (
        Block(source.where, {"source": source, "compartment": options.compartment,
                             "target": job.parts / f"field-{i:08d}.json"})
        for i, source in enumerate(job.inputs.fields("labels"))
    )
    files = [job.parts / done["part"] for _, done in job.map("outlines", code_field, blocks)]
    job.settle()
    n = _join(job, files, categories)
    job.publish("files", n)


def _categories(options: Options) -> dict[str, str]:
    """Class of each object by its id; empty without a table."""
    from pathlib import Path

    from libcell.data import matrix, tables

    if not options.table:
        return {}
    table = tables.read(Path(options.table), "objects", "features", "predictions")
    names = matrix.column_text(table, options.category, "--category")
    ids = table.column("object_id").to_pylist()
    return {i: name for i, name in zip(ids, names) if name is not None}


def code_field(source: Source, compartment: str | None, target: Path) -> dict[str, Any]:
    """Leave the images (one a frame) and annotations of one field of view as JSON."""
    import msgspec

    from libcell.data import labels
    from libcell.data.output import write_file
    from libcell.errors import DataError

    name = compartment or labels.compartments_at(source)[0]
    about = labels.open_labels(source, name).about
    frames, _, planes, height, width = about.shape
    if planes > 1:
        raise DataError(f"{source.where}: has {planes} planes; COCO masks are flat")
    columns, title = labels.field_keys(source)
    file = str(columns.get("Metadata_File") or f"{(source.group or title).replace('/', '_')}.tif")
    found = [
        {"file_name": file if frames == 1 else _numbered(file, t), "height": height,
         "width": width, "annotations": list(_annotations(source, name, t, about, title))}
        for t in range(frames)
    ]
    write_file(target, msgspec.json.encode(found))
    return {"part": target.name}


def _numbered(file: str, t: int) -> str:
    stem, dot, suffix = file.rpartition(".")
    return f"{stem}_t{t:03d}{dot}{suffix}"


def _annotations(
    source: Source, compartment: str, t: int, about: Any, title: str
) -> Iterator[dict[str, Any]]:
    from functools import partial

    from libcell.data import labels
    from libcell.data.image import object_ids
    from libcell.extract.annotations.outline import outlines

    height, width = about.shape[3:]
    whole = slice(None)
    read = partial(labels.read_frame, source, compartment, t, whole)
    for one in outlines(lambda x: read(x)[0], height, width):
        yield {
            "object_id": object_ids(source.group or title, t, compartment, [one.label])[0],
            "segmentation": {"size": [height, width], "counts": one.counts},
            "bbox": one.box, "area": one.area, "iscrowd": 0,
        }


def _join(job: Job, files: list[Path], categories: dict[str, str]) -> int:
    """One document out of the fields' parts, written as it is read; returns the annotations."""
    import msgspec

    from libcell.errors import DataError

    number = {name: i + 1 for i, name in enumerate(sorted(set(categories.values())) or ["cell"])}
    images: list[dict[str, Any]] = []
    n, unknown = 0, 0
    with job.root.open("wb") as out:
        info = {"description": "made by libcell", "provenance": job.provenance()}
        out.write(b'{"info":' + msgspec.json.encode(info) + b',"annotations":[')
        for file in files:
            for image in msgspec.json.decode(file.read_bytes()):
                annotations = image.pop("annotations")
                images.append({"id": len(images) + 1} | image)
                for one in annotations:
                    n += 1
                    name = categories.get(one["object_id"], NO_CLASS if categories else "cell")
                    unknown += name == NO_CLASS
                    kind = number.setdefault(name, len(number) + 1)
                    head = {"id": n, "image_id": len(images), "category_id": kind}
                    out.write((b"," if n > 1 else b"") + b"\n" + msgspec.json.encode(head | one))
        rest = {"images": images,
                "categories": [{"id": i, "name": name} for name, i in number.items()]}
        out.write(b'\n],"images":' + msgspec.json.encode(rest["images"])
                  + b',"categories":' + msgspec.json.encode(rest["categories"]) + b"}\n")
    if n and unknown == n:
        raise DataError(f"{job.options.table}: has a class for none of {n} objects; is it another "
                        "store's, or of another compartment?")
    if unknown:
        job.reporter.warn(f"{unknown} of {n} objects have no class in {job.options.table}; their "
                          f"category is {NO_CLASS!r}")
    return n


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    return inputs.plan("labels")


METHOD = Method(
    name="to-coco",
    summary="Label images to COCO annotations, each mask as run lengths.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="files",
    suffix=".json",
    example="cell-extract to-coco x.labels.ome.zarr --table c.crops.zarr/index.parquet -o x.json",
    plan=plan,
)
