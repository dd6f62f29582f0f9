"""Tracks to sequences: the crops of one cell in time order, centred on it frame by frame."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.crop.stores.source import Cutting
    from libcell.crop.stores.store import Field
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job

BUNDLE = {"labels": "labels.ome.zarr", "images": "image.ome.zarr"}  # fixed names in a bundle


@dataclass(frozen=True)
class Options:
    """What is cut around the cells, and which tracks make a sequence."""

    images: Annotated[str | None, Opt("image store of the tracks [beside them, in a bundle]",
                                      path=True)] = None
    labels: Annotated[str | None, Opt("label store of the tracks [beside them, in a bundle]",
                                      path=True)] = None
    compartment: Annotated[str | None, Opt("label image that was tracked [the first]")] = None
    masks: Annotated[tuple[str, ...], Opt(
        "further compartments whose masks come along: the cell around each nucleus")] = ()
    channels: Annotated[tuple[str, ...], Opt("channels by name or number [all]",
                                             ("-c", "--channels"))] = ()
    size: Annotated[int, Opt("height and width of a crop in px", least=2)] = 96
    size_um: Annotated[float | None, Opt("the same in um; needs the pixel size", least=0)] = None
    pad: Annotated[str, Opt("what lies beyond the image's edge",
                            choices=("zero", "edge", "reflect"))] = "zero"
    depth: Annotated[str, Opt(
        "of an image with planes: maximum or mean over the object's planes, or its centre plane",
        choices=("max", "mean", "centre"))] = "max"
    min_length: Annotated[int, Opt("tracks of fewer objects are left out", least=1)] = 1
    before: Annotated[int, Opt("objects of its ancestors that a sequence begins with",
                               least=0)] = 0
    skip_border: Annotated[bool, Opt("leave out sequences cut by the image's edge in any frame",
                                     ("--skip-border",))] = False
    table: Annotated[str | None, Opt(
        "table with object_id whose Metadata columns (a stage, a class) join the index",
        path=True)] = None


def run(job: Job, options: Options) -> None:
    """Follow the tracks through the label images, then cut the crops in the sequences' order."""
    from libcell.crop.stores import store
    from libcell.crop.stores.source import Cutting

    paths = job.inputs.paths("tracks")
    options = job.options = beside(options, paths)
    assert options.images
    links = _links(paths)
    cutting = Cutting(options.images, options.channels, options.pad, options.depth, 0,
                      options.masks)
    fields = _fields(job, options, cutting, links)
    size = store.size_px(options.size, options.size_um, store.common(fields)[2], options.images)
    parts, listed = _sequences(job, options, fields, links)
    n = store.build(job, cutting, fields, size, parts, {"sequences": listed})
    count = len(listed.column("sequence_id").unique())
    job.publish("crops", n, sequences=count)


def beside(options: Options, paths: list[Path]) -> Options:
    """The options with the stores that lie beside the tracks, where none are named."""
    from libcell.errors import MissingInput

    named: dict[str, Any] = {}
    for name, file in BUNDLE.items():
        found = paths[0].resolve().parent / file
        if getattr(options, name) is None:
            if len(paths) > 1 or not found.exists():
                raise MissingInput(f"{paths[0]}: no {file} beside it; name it with --{name}")
            named[name] = str(paths[0].parent / file)
    return dataclasses.replace(options, **named)


def _links(paths: list[Path]) -> pa.Table:
    """The tracks of all stores. DataError if a field of view is in two of them."""
    import pyarrow as pa

    from libcell.data import tables, tracks
    from libcell.errors import DataError

    found = [tracks.read(path) for path in paths]
    owner: dict[str, Path] = {}
    for path, table in zip(paths, found):
        for image in table.column("Metadata_Image").unique().to_pylist():
            if owner.setdefault(image, path) != path:
                raise DataError(f"{owner[image]} and {path}: both track field of view {image}")
    schema = tables.unify(found)
    return pa.concat_tables([tables.conform(t, schema) for t in found])


def _fields(job: Job, options: Options, cutting: Cutting, links: pa.Table) -> list[Field]:
    """The objects of every field of view that was tracked; PartlyDone if one fails."""
    from libcell.crop.stores.index import index_field
    from libcell.data import labels, objects
    from libcell.data.images import Source
    from libcell.errors import DataError

    place = Path(str(options.labels))
    sources = {objects.image_keys(source)["Metadata_Image"]: source
               for source in (Source(place, group) for group in labels.fields(place)[0])}
    wanted = links.column("Metadata_Image").unique().to_pylist()
    lost = [image for image in wanted if image not in sources]
    if lost:
        raise DataError(f"{place}: has no field of view {lost[0]!r}, which the tracks are of; it "
                        f"has {', '.join(sources)}")
    blocks = [
        Block(image, {"source": sources[image], "compartment": options.compartment,
                      "cutting": cutting, "skip_border": False,
                      "target": job.parts / f"index-{number:08d}.arrow"})
        for number, image in enumerate(wanted)
    ]
    fields = [(block.args["source"], about)
              for block, about in job.map("index", index_field, blocks)]
    job.settle()
    return fields


def _sequences(
    job: Job, options: Options, fields: list[Field], links: pa.Table
) -> tuple[list[pa.Table], pa.Table]:
    """The index, field by field, and the table of sequences."""
    import pyarrow as pa

    from libcell.crop.stores.following import sequences_of
    from libcell.crop.stores.index import carried, read_listed
    from libcell.data import tables
    from libcell.data.grouped import Grouped

    known = read_listed(options.table) if options.table else None
    tracked, folder = Grouped(links), job.parts
    indices, listed = [], []
    for _, about in fields:
        image = about["image"]
        index, table = sequences_of(tracked.of(image), tables.read_part(folder / about["part"]),
                                    image, options.min_length, options.before, options.skip_border)
        indices.append(index if known is None else carried(index, image, known, False))
        listed.append(table)
    return indices, pa.concat_tables(listed)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    paths = inputs.paths("tracks")
    options = beside(options, paths)
    fields = _links(paths).column("Metadata_Image").unique().to_pylist()
    return {"reads": [*map(str, paths), options.labels, options.images], "blocks": len(fields),
            "fields": fields}


METHOD = Method(
    name="sequences",
    summary="The crops of each tracked cell in time order, gaps marked.",
    run=run,
    options=Options,
    reads=("tracks",),
    writes="crops",
    suffix=".crops.zarr",
    example="cell-crop sequences film/true.tracks -o s.crops.zarr",
    paper="center-cell sequences: Jose et al., doi:10.1371/journal.pone.0297356",
    plan=plan,
)
