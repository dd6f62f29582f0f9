"""InstanSeg, with networks that you have: by path, or by name from the cache of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job

THRESHOLDS = ("mask_threshold", "seed_threshold", "overlap_threshold", "peak_distance",
              "window_size")


@dataclass(frozen=True)
class Options:
    """InstanSeg's own options by their meaning; lengths in pixels, areas in square pixels."""

    model: Annotated[str, Opt("a .pt, zip or folder, or a published name: single_channel_nuclei",
                              ("-m", "--model"), shapes=False)]
    trust: Annotated[str | None, Opt("file name of the network, to say that its code may run",
                                     shapes=False)] = None
    channels: Annotated[tuple[str, ...], Opt("channels that the network sees, by name, by number "
                                             "from 1, or grey", ("-c", "--channels"))] = ("1",)
    target: Annotated[str, Opt("what to find, where the network knows nuclei and cells",
                               choices=("all", "nuclei", "cells"))] = "all"
    compartment: Annotated[str, Opt("name of the label image, where it knows one kind")] = "nuclei"
    pixel_size: Annotated[float | None, Opt("um per pixel [the image's]; brings the image to the "
                                            "scale that the network knows", least=0.001)] = None
    pmin: Annotated[float, Opt("percentile that becomes 0", least=0, most=100)] = 0.1
    pmax: Annotated[float, Opt("percentile that becomes 1", least=0, most=100)] = 99.9
    seed_threshold: Annotated[float | None, Opt("seeds below this are none [its own]")] = None
    mask_threshold: Annotated[float | None, Opt("pixels below this are of no object [its own]",
                                                least=0, most=1)] = None
    overlap_threshold: Annotated[float | None, Opt("objects above this IoU are one [its own]",
                                                   least=0, most=1)] = None
    peak_distance: Annotated[int | None, Opt("seeds are this far apart [its own]", least=1)] = None
    window_size: Annotated[int | None, Opt("half the width of the largest object [its own]",
                                           least=8)] = None
    stitch: Annotated[float, Opt("objects of neighbouring planes above this IoU are one",
                                 least=0, most=1)] = 0.25
    min_area: Annotated[int, Opt("smaller objects are dropped", least=1)] = 10
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

    require_torch("segment-instanseg")
    from libcell.segment.foreign import instanseg_network

    found = weights.find(options.model, "instanseg")
    module = instanseg_network.read(found.path, options.trust)
    about = instanseg_network.card(module, found.path, options.target)
    settings = {n: getattr(options, n) for n in ("trust", "target", "pixel_size")}
    settings["thresholds"] = tuple((n, getattr(options, n)) for n in THRESHOLDS)
    spec = Spec("libcell.segment.foreign.instanseg_network", found.path, found.digest,
                settings)
    fields.segment(job, _rules(options, about.compartments or (options.compartment,)), spec, found)


def _rules(options: Options, compartments: tuple[str, ...]) -> Any:
    from libcell.segment.foreign.frames import Rules

    return Rules(
        channels=options.channels, compartments=compartments, pmin=options.pmin,
        pmax=options.pmax, joint=False, min_area=options.min_area, max_area=options.max_area,
        clear_border=options.clear_border, stitch=options.stitch, tile=options.tile,
        halo=options.halo,
    )


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from libcell.segment.foreign import fields

    return fields.plan(inputs, options.channels)


METHOD = Method(
    name="instanseg",
    summary="InstanSeg's networks, with files that you have; nuclei and cells in one pass.",
    run=run,
    options=Options,
    reads=("image", "files"),
    writes="labels",
    suffix=".labels.ome.zarr",
    example="cell-segment instanseg plate.ome.zarr -m single_channel_nuclei "
            "--trust single_channel_nuclei.zip -o n.labels.ome.zarr",
    paper="Goldsborough et al. 2024, arXiv:2408.15954; for nuclei and cells "
          "doi:10.1101/2024.09.04.611150",
    needs="segment-instanseg",
    plan=plan,
)
