"""StarDist, with networks that you have: by path, or by name from the cache of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """StarDist's own options by their meaning; lengths in pixels, areas in square pixels."""

    model: Annotated[str, Opt("a model's folder or zip, or a published name: 2D_versatile_fluo",
                              ("-m", "--model"), shapes=False)]
    channels: Annotated[tuple[str, ...], Opt("channels that the network sees, by name, by number "
                                             "from 1, or grey", ("-c", "--channels"))] = ("1",)
    compartment: Annotated[str, Opt("name of the label image: nuclei, cells, ...")] = "nuclei"
    pmin: Annotated[float, Opt("percentile that becomes 0", least=0, most=100)] = 1.0
    pmax: Annotated[float, Opt("percentile that becomes 1", least=0, most=100)] = 99.8
    joint: Annotated[bool, Opt("percentiles over all channels (as for red, green, blue)",
                               ("--joint",))] = False
    scale: Annotated[float, Opt("the network sees the image enlarged by this", least=0.01)] = 1.0
    probability: Annotated[float | None, Opt("less likely centres are dropped [the model's own]",
                                             least=0, most=1)] = None
    nms: Annotated[float | None, Opt("of polygons that overlap more, the likelier stays "
                                     "[the model's own]", least=0, most=1)] = None
    stitch: Annotated[float, Opt("objects of neighbouring planes above this IoU are one",
                                 least=0, most=1)] = 0.25
    min_area: Annotated[int, Opt("smaller objects are dropped", least=1)] = 1
    max_area: Annotated[int | None, Opt("larger objects are dropped", least=1)] = None
    clear_border: Annotated[bool, Opt("drop objects cut by the image's edge",
                                      ("--clear-border",))] = False
    tile: Annotated[int, Opt("images larger than this are done in tiles", least=128)] = 1024
    halo: Annotated[int, Opt("read around each tile; at least the largest object's diameter",
                             least=16)] = 192


def run(job: Job, options: Options) -> None:
    """Segment every field of view with the network that the user names, or not at all."""
    from libcell.data import weights
    from libcell.segment.foreign import fields
    from libcell.segment.foreign.networks import Spec, require_torch

    require_torch("segment-stardist")
    from libcell.segment.foreign import stardist_network, stardist_unet

    stardist_network.require()
    found = weights.find(options.model, "stardist")
    stardist_unet.read_config(found.path)
    settings = {n: getattr(options, n) for n in ("channels", "scale", "probability", "nms")}
    spec = Spec("libcell.segment.foreign.stardist_network", found.path, found.digest,
                settings)
    fields.segment(job, _rules(options), spec, found)


def _rules(options: Options) -> Any:
    from libcell.segment.foreign.frames import Rules

    return Rules(
        channels=options.channels, compartments=(options.compartment,), pmin=options.pmin,
        pmax=options.pmax, joint=options.joint, min_area=options.min_area,
        max_area=options.max_area, clear_border=options.clear_border, stitch=options.stitch,
        tile=options.tile, halo=options.halo,
    )


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from libcell.segment.foreign import fields

    return fields.plan(inputs, options.channels)


METHOD = Method(
    name="stardist",
    summary="StarDist's 2D networks, with models that you have; without TensorFlow.",
    run=run,
    options=Options,
    reads=("image", "files"),
    writes="labels",
    suffix=".labels.ome.zarr",
    example="cell-segment stardist plate.ome.zarr -m 2D_versatile_fluo -c DNA "
            "-o n.labels.ome.zarr",
    paper="Schmidt et al. 2018, doi:10.1007/978-3-030-00934-2_30",
    needs="segment-stardist",
    plan=plan,
)
