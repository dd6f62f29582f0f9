"""Cell clusters in brightfield and phase contrast: the most confluent patches, and their bags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from libcell.crop.stores.source import Cutting
    from libcell.crop.stores.store import Field
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which patches of which size, and what belongs into one bag."""

    images: Annotated[str, Opt("image store that the labels belong to", path=True)]
    compartment: Annotated[str | None, Opt("label image of what cells cover [the first]")] = None
    channels: Annotated[tuple[str, ...], Opt("channels by name or number [all]",
                                             ("-c", "--channels"))] = ()
    size: Annotated[int, Opt("height and width of a patch in px", least=8)] = 112
    regions: Annotated[int, Opt("the largest covered areas of an image that are looked at",
                                least=1)] = 40
    top: Annotated[int, Opt("patches of an image, the most confluent", least=1)] = 20
    min_confluency: Annotated[float, Opt("share of a patch that cells must cover", least=0,
                                         most=1)] = 0
    similar: Annotated[str, Opt("what becomes of overlapping patches that are more alike than the "
                                "mean: drop the less confluent, or keep",
                                choices=("drop", "keep"))] = "drop"
    channel: Annotated[str, Opt("channel that patches are compared on; grey: the only one, or of "
                                "red, green, blue")] = "grey"
    bag: Annotated[tuple[str, ...], Opt(
        "columns that name a bag, e.g. Metadata_Flask [plate and well, else the image]")] = ()
    min_patches: Annotated[int, Opt("images with fewer patches are in no bag", least=1)] = 1
    min_images: Annotated[int, Opt("bags of fewer images are left out", least=1)] = 1


def run(job: Job, options: Options) -> None:
    """Choose the patches of every image, then cut them and write the bags beside them."""
    import pyarrow as pa

    from libcell.crop.stores import bags, store
    from libcell.crop.stores.source import Cutting
    from libcell.data import tables

    cutting = Cutting(options.images, options.channels, pad="zero", every=True)
    fields = _fields(job, options, cutting)
    store.common(fields)
    parts = [tables.read_part(job.parts / about["part"]) for _, about in fields]
    schema = tables.unify(parts)
    index = pa.concat_tables([tables.conform(part, schema) for part in parts])
    columns = bags.bag_columns(index, options.bag)
    table, left_out = bags.bags_of(index, columns, options.min_patches, options.min_images)
    _tell(job, fields, left_out, options)
    n = store.build(job, cutting, fields, (options.size, options.size), [index], {"bags": table})
    job.publish("crops", n, bags=len(table.column("bag_id").unique()), left_out=left_out)


def _fields(job: Job, options: Options, cutting: Cutting) -> list[Field]:
    """The first pass over every field of view; PartlyDone if one fails."""
    from libcell.crop.stores.clusters import Selection, index_field

    selection = Selection(options.size, options.regions, options.top, options.min_confluency,
                          options.similar == "drop", options.channel)
    blocks = (
        Block(source.where, {"source": source, "compartment": options.compartment,
                             "cutting": cutting, "selection": selection,
                             "target": job.parts / f"index-{number:08d}.arrow"})
        for number, source in enumerate(job.inputs.fields("labels"))
    )
    fields = [(block.args["source"], about)
              for block, about in job.map("clusters", index_field, blocks)]
    job.settle()
    return fields


def _tell(job: Job, fields: list[Field], left_out: int, options: Options) -> None:
    empty = sum(about["n"] == 0 for _, about in fields)
    if empty:
        job.reporter.warn(f"{empty} of {len(fields)} fields of view have no patch")
    if left_out:
        job.reporter.warn(f"{left_out} bags are left out: fewer than {options.min_images} images "
                          f"with {options.min_patches} patches")


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written; the number of patches is known after the labels are read."""
    return inputs.plan("labels", options.images)


METHOD = Method(
    name="clusters",
    summary="The most confluent patches of cell clusters, and a bag of them per well.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="crops",
    suffix=".crops.zarr",
    example="cell-crop clusters area.labels.ome.zarr --images phase.ome.zarr -o c.crops.zarr",
    paper="CLANet, arXiv:2306.16538 (cluster-level selection)",
    plan=plan,
)
