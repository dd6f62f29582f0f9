"""COCO annotations and their images to a crop store, or to a label store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from libcell.extract.annotations.plan import Found, Plan
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job

@dataclass(frozen=True)
class Options:
    """Which images, what their names tell, and what a crop is."""

    images: Annotated[str | None, Opt(
        "folder of the images, searched where file names do not lead there [beside ANN.json]",
        path=True)] = None
    pattern: Annotated[str | None, Opt(
        "image file names, as for `images`, or `livecell` [livecell where all names are of that "
        "form]; names in braces become Metadata columns")] = None
    class_from: Annotated[str | None, Opt(
        "what becomes Metadata_Class: `category`, or a name in the pattern [CellLine for livecell, "
        "else category]")] = None
    split: Annotated[tuple[str, ...], Opt(
        "split of each annotation file, in order [from file or folder names: train, val, test]",
    )] = ()
    pad: Annotated[int, Opt("px around the box of an object", least=0)] = 0
    size: Annotated[int | None, Opt(
        "pad boxes with 0 to squares and resize them to this many px [native size, in crops as "
        "large as the largest box]", least=2)] = None
    background: Annotated[str, Opt("pixels outside the mask: as they are, or 0",
                                   choices=("keep", "black"))] = "keep"
    grey: Annotated[bool, Opt("RGB images to one grey channel (BT.601 luma)", ("--grey",))] = False
    crowd: Annotated[bool, Opt("take outlines of many objects (iscrowd), too",
                               ("--crowd",))] = False
    compartment: Annotated[str, Opt("what the outlines are: cells, nuclei, ...")] = "cells"


def run(job: Job, options: Options) -> None:
    """Find masks and boxes picture by picture, then write what the output's name asks for."""
    from libcell.errors import DataError
    from libcell.extract.annotations import plan as planning

    job.warm("libcell.extract.annotations.index", "libcell.extract.annotations.cut")
    made = planning.make(job.inputs.paths(), options.images, options.pattern, options.split,
                         job.parts)
    for text in made.notes:
        job.reporter.note(text)
    for text in made.warnings:
        job.reporter.warn(text)
    found = _index(job, made, options)
    if not found.total:
        reasons = [r for t in found.left for r in t.column("reason").to_pylist()]
        raise DataError(f"{', '.join(made.names)}: none of {made.records} annotations can be "
                        f"used: {reasons[0] if reasons else 'there are none'}")
    if job.kind == "crops":
        _write_crops(job, options, made, found)
    else:
        _write_labels(job, options, made, found)


def _index(job: Job, made: Plan, options: Options) -> Found:
    """The first pass: every mask."""
    from libcell.extract.annotations import plan as planning
    from libcell.extract.annotations.index import Choice, index_pictures

    choice = Choice(options.compartment, options.crowd,
                    planning.class_column(made, options.class_from))
    blocks = [
        Block(f"{made.names[number]} images {k}", {
            "folder": job.parts, "number": number, "text": made.sources[number],
            "source": made.names[number], "pictures": some, "choice": choice,
            "target": job.parts / f"masks-{k:06d}.arrow"})
        for k, (number, some) in enumerate(planning.batches(made))
    ]
    results = job.map_whole("masks", index_pictures, blocks)
    return planning.gather(results, job.parts, made)


def _write_crops(job: Job, options: Options, made: Plan, found: Found) -> None:
    import numpy as np

    from libcell.data import crops, groups, tables
    from libcell.extract.annotations import plan as planning
    from libcell.extract.annotations.cut import Shape, fill_shard
    from libcell.extract.annotations.pixels import channel_names, common_kind
    from libcell.run.workers import lost_workers

    kind = common_kind(found.kinds, options.grey)
    height, width = (n + 2 * options.pad for n in found.window)
    shape = Shape((height, width), options.pad, options.size, options.background == "black")
    groups.ensure(job.root)
    provenance = job.provenance()
    table = job.pool.submit(planning.write_index, {
        "parts": found.parts, "target": job.root / "index.parquet", "provenance": provenance})
    n = found.total
    rows = crops.create(job.root, n, kind[0], shape.size, np.dtype(kind[1]))
    paths = {p.name: p.path for _, p in made.pictures}
    images = found.pictures()
    blocks = [
        Block(f"crops {i} of {n}", {
            "root": job.root, "start": i, "pieces": tables.pieces(found.parts, i, min(i + rows, n)),
            "pictures": {name: paths[name] for name in dict.fromkeys(images[i : i + rows])},
            "kind": kind, "shape": shape})
        for i in range(0, n, rows)
    ]
    job.map_whole("crops", fill_shard, blocks)
    with lost_workers():
        table.result()
    left_out = job.leave_out(job.root, found.left, made.records, "annotations")
    crops.seal(job.root, n=n, channels=channel_names(kind), compartment=options.compartment,
               size=shape.size, pixel_size_um=None, provenance=provenance)
    job.publish("crops", n, left_out=left_out)


def _write_labels(job: Job, options: Options, made: Plan, found: Found) -> None:
    from libcell.data import labels, tables
    from libcell.extract.annotations.draw import draw_labels
    from libcell.extract.annotations.plan import rows_of

    where = rows_of(found.tables())
    alone = len(made.pictures) == 1
    blocks = [
        Block(p.name, {
            "root": job.root, "group": "" if alone else p.name, "name": p.name, "path": p.path,
            "pieces": tables.pieces(found.parts, *where.get(p.name, (0, 0))), "columns": p.columns,
            "compartment": options.compartment, "source": made.names[k],
            "target": job.parts / f"drawn-{i:06d}.arrow"})
        for i, (k, p) in enumerate(made.pictures) if p.is_empty or p.name in where
    ]
    done, fields = [], []
    for block, one in job.map("labels", draw_labels, blocks):
        done.append(one)
        fields.append(block.args["group"])
        job.part("labels", block.args["group"], one["n"])
    job.settle()
    twice = sum(d["twice"] for d in done)
    if twice:
        job.reporter.warn(f"{twice} pixels belong to several objects; the later one has them "
                          "(a crop store keeps each mask whole)")
    provenance = job.provenance()
    hidden = [tables.read_part(job.parts / d["part"]) for d in done]
    left_out = job.leave_out(job.root, found.left + hidden, made.records, "annotations")
    labels.seal(job.root, fields, [options.compartment], [d["digest"] for d in done], provenance)
    job.publish("labels", len(fields), left_out=left_out)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read: documents and images; sizes are known after the masks are made."""
    from libcell.extract.annotations import document

    found = [document.load(p) for p in inputs.paths()]
    folder = [options.images] if options.images else []
    return {"reads": [*(str(p) for p in inputs.seen), *folder],
            "blocks": sum(len(d.images) for d in found),
            "annotations": sum(len(d.entries.ids) + len(d.odd) for d in found)}


METHOD = Method(
    name="coco",
    summary="COCO annotations (polygons, run lengths, boxes) to crops or label images.",
    run=run,
    options=Options,
    reads=("files",),
    writes="crops",
    suffix=".crops.zarr",
    also=(("labels", ".labels.ome.zarr"),),
    example="cell-extract coco livecell_coco_train.json livecell_coco_val.json \\\n"
            "  livecell_coco_test.json --images images/ -o x.crops.zarr",
    paper="masks: pycocotools (https://github.com/cocodataset/cocoapi); LIVECell, "
          "doi:10.1038/s41592-021-01249-6",
    plan=plan,
)
