"""Cells grown from nuclei, where no stain shows whole cells or none was segmented."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """How far cells reach, and what they are seen in."""

    compartment: Annotated[str | None, Opt("label image of the nuclei [nuclei, or the only one]")
                           ] = None
    distance: Annotated[float, Opt("pixels from the nearest nucleus up to which there is cell",
                                   least=0)] = 15.0
    images: Annotated[str | None, Opt(
        "image store: cells end where it is dark, and meet along its edges [distance alone]",
        path=True)] = None
    channel: Annotated[str, Opt("channel by name, or by number from 1", ("-c", "--channel"))] = "1"
    method: Annotated[str, Opt("how the channel's threshold is found: darker pixels are no cells",
                               choices=("otsu", "li", "triangle"))] = "otsu"
    threshold: Annotated[float | None, Opt("this threshold instead, in image units")] = None
    everywhere: Annotated[bool, Opt("dark pixels are cells too, up to --distance",
                                    ("--everywhere",))] = False
    sigma: Annotated[float, Opt("Gaussian smoothing before the threshold", least=0)] = 1.0
    regularisation: Annotated[float, Opt(
        "weight of the distance against the image's edges; 0: the edges alone", least=0)] = 0.05


def run(job: Job, options: Options) -> None:
    """Grow every field of view; nuclei keep their labels, cells and cytoplasm take them over."""
    from libcell.data import labels
    from libcell.segment.paired import growing, store

    groups, content = [], []
    for block, done in job.map("fields", growing.grow_field, _blocks(job, options)):
        group = block.args["field"].nuclei.group or ""
        groups.append(group)
        content.append(done["digest"])
        job.part("labels", group, done["n"])
    job.settle()
    labels.seal(job.root, groups, list(store.NAMES), content, job.provenance())
    job.publish("labels", len(groups))


def _blocks(job: Job, options: Options) -> Any:
    params = _params(options)
    link = job.link(Path(options.images)) if options.images else None
    for field in _fields(job.inputs, options):
        yield Block(field.nuclei.where, {"field": field, "root": job.root, "link": link,
                                         "params": params})


def _params(options: Options) -> Any:
    from libcell.segment.kernels.params import ThresholdParams
    from libcell.segment.paired.growing import GrowParams

    level = None
    if options.images and not options.everywhere:
        given = options.threshold
        level = ThresholdParams(sigma_px=options.sigma, min_contrast=0,
                                method=options.method if given is None else given)
    return GrowParams(options.distance, options.channel if options.images else None, level,
                      options.regularisation)


def _fields(inputs: Inputs, options: Options) -> Any:
    """Each field of view of nuclei, with its image where that is looked at."""
    from libcell.data import grey
    from libcell.data import open as opening
    from libcell.data.images import Source
    from libcell.errors import MissingInput
    from libcell.segment.paired import store
    from libcell.segment.paired.growing import Field

    place = Path(options.images) if options.images else None
    if place is not None and not place.exists():
        raise MissingInput(f"{place}: not found (--images)")
    for source in inputs.fields("labels"):
        image = Source(place, source.group or "") if place else None
        if image is not None:
            grey.require(opening.image(image).about, options.channel)
        yield Field(source, store.compartment(source, options.compartment, "--compartment",
                                              "nuclei"), image)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    fields = list(_fields(inputs, options))
    more = [options.images] if options.images else []
    return {"reads": [*(str(p) for p in inputs.seen), *more], "blocks": len(fields),
            "fields": [f.nuclei.group for f in fields]}


METHOD = Method(
    name="grow",
    summary="Cells grown from nuclei, by distance or along a channel, under the same numbers.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="labels",
    suffix=".labels.ome.zarr",
    example="cell-segment grow n.labels.ome.zarr --images plate.ome.zarr -c GFP --distance 30 "
            "-o x.labels.ome.zarr",
    paper="Jones et al. 2005, doi:10.1007/11569541_54 (Propagation); CellProfiler's "
          "IdentifySecondaryObjects",
    plan=plan,
)
