"""Labels to patches: one per object, centred on it, all channels, unmasked, with its mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from libcell.crop.stores.source import Cutting
    from libcell.crop.stores.store import Field
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which pixels around which objects."""

    images: Annotated[str, Opt("image store that the labels belong to", path=True)]
    compartment: Annotated[str | None, Opt("label image to crop [the first]")] = None
    masks: Annotated[tuple[str, ...], Opt(
        "further compartments whose masks come along: the cell around each nucleus")] = ()
    channels: Annotated[tuple[str, ...], Opt("channels by name or number [all]",
                                             ("-c", "--channels"))] = ()
    size: Annotated[int, Opt("height and width of a crop in px", least=2)] = 96
    size_um: Annotated[float | None, Opt("the same in um; needs the pixel size", least=0)] = None
    pad: Annotated[str, Opt("what lies beyond the image's edge",
                            choices=("zero", "edge", "reflect"))] = "zero"
    skip_border: Annotated[bool, Opt("leave out objects cut by the image's edge",
                                     ("--skip-border",))] = False
    depth: Annotated[str, Opt(
        "of an image with planes: maximum or mean over the object's planes, or its centre plane",
        choices=("max", "mean", "centre"))] = "max"
    around: Annotated[int, Opt("planes on either side of the centre that come along, as further "
                               "channels; with --depth centre", least=0)] = 0
    compression: Annotated[str, Opt(
        "none: 2 to 3 times as large, read for training 3 times as fast",
        choices=("auto", "none"))] = "auto"
    table: Annotated[str | None, Opt(
        "table with object_id whose Metadata columns (a class, a gate's) join the index",
        path=True)] = None
    listed: Annotated[bool, Opt("only objects that --table lists", ("--listed",))] = False


def run(job: Job, options: Options) -> None:
    """List the objects, then fill the store shard by shard."""
    from libcell.crop.stores import store

    cutting = _cutting(options)
    fields = _fields(job, options, cutting)
    pixel_size = store.common(fields)[2]
    size = store.size_px(options.size, options.size_um, pixel_size, options.images)
    n = store.build(job, cutting, fields, size, _objects(job, options, fields),
                    packed=options.compression == "auto")
    job.publish("crops", n)


def _cutting(options: Options) -> Cutting:
    from libcell.crop.stores.source import Cutting
    from libcell.errors import UsageFault

    if options.around and options.depth != "centre":
        raise UsageFault("--around: is for --depth centre")
    if options.listed and not options.table:
        raise UsageFault("--listed: needs --table")
    return Cutting(options.images, options.channels, options.pad, options.depth, options.around,
                   options.masks)


def _fields(job: Job, options: Options, cutting: Cutting) -> list[Field]:
    """The first pass over every field of view; PartlyDone if one fails."""
    from libcell.crop.stores.index import index_field

    blocks = (
        Block(source.where, {"source": source, "compartment": options.compartment,
                             "cutting": cutting, "skip_border": options.skip_border,
                             "target": job.parts / f"index-{number:08d}.arrow"})
        for number, source in enumerate(job.inputs.fields("labels"))
    )
    fields = [(block.args["source"], about)
              for block, about in job.map("index", index_field, blocks)]
    job.settle()
    return fields


def _objects(job: Job, options: Options, fields: list[Field]) -> Iterable[pa.Table]:
    """The index, field by field, with the columns of `--table`; read anew each time."""
    from libcell.crop.stores.index import carried, read_listed
    from libcell.data import tables

    folder = job.parts
    files = [folder / about["part"] for _, about in fields]
    if not options.table:
        return tables.Parts(files)
    known = read_listed(options.table)
    images = [about["image"] for _, about in fields]
    return tables.Parts(files, lambda part, i: carried(part, images[i], known, options.listed))


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written; the number of crops is known after the labels are read."""
    return inputs.plan("labels", options.images)


METHOD = Method(
    name="cells",
    summary="One patch per object, centred on it: all channels, unmasked, with its mask.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="crops",
    suffix=".crops.zarr",
    example="cell-crop cells n.labels.ome.zarr --images plate.ome.zarr --size 96 -o c.crops.zarr",
    paper="Nucleocentric profiling, doi:10.7554/eLife.95273 (patch centred on the rounded "
          "centroid)",
    plan=plan,
)
