"""Cellpose, with weights that you have: by path, or by name from the cache of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Cellpose's own options by their meaning; lengths in pixels, areas in square pixels."""

    model: Annotated[str, Opt("weights: a path, or the name of a published network such as cyto3",
                              ("-m", "--model"), shapes=False)]
    channel: Annotated[str, Opt("channel to segment, by name, by number from 1, or grey",
                                ("-c", "--channel"))] = "1"
    nuclear: Annotated[str | None, Opt("second channel that the network sees: the nuclei")] = None
    compartment: Annotated[str, Opt("name of the label image: nuclei, cells, ...")] = "cells"
    diameter: Annotated[float | None, Opt("diameter of the objects [as in the network's training]",
                                          least=1)] = None
    pmin: Annotated[float, Opt("percentile that becomes 0", least=0, most=100)] = 1.0
    pmax: Annotated[float, Opt("percentile that becomes 1", least=0, most=100)] = 99.0
    flow_threshold: Annotated[float, Opt("objects whose flow errs by more are dropped; 0: none",
                                         least=0)] = 0.4
    cellprob_threshold: Annotated[float, Opt(
        "pixels above this are of objects; lower finds more (-6 to 6)")] = 0.0
    iterations: Annotated[int | None, Opt("steps along the flow [by the diameter]",
                                          least=1)] = None
    tta: Annotated[bool, Opt("average over flipped, more overlapping patches (`augment`)",
                             ("--tta",))] = False
    resample: Annotated[bool, Opt("follow the flow in full resolution",
                                  ("--resample/--no-resample",))] = True
    volume: Annotated[bool, Opt("a stack at once (do_3D) instead of plane by plane",
                                ("--volume",))] = False
    stitch: Annotated[float, Opt("objects of neighbouring planes above this IoU are one",
                                 least=0, most=1)] = 0.25
    min_area: Annotated[int, Opt("smaller objects are dropped", least=1)] = 15
    max_area: Annotated[int | None, Opt("larger objects are dropped", least=1)] = None
    clear_border: Annotated[bool, Opt("drop objects cut by the image's edge",
                                      ("--clear-border",))] = False
    batch: Annotated[int, Opt("patches at once; halved where the device lacks memory",
                              least=1, shapes=False)] = 8
    tile: Annotated[int, Opt("images larger than this are done in tiles", least=128)] = 2048
    halo: Annotated[int, Opt("read around each tile; at least the largest object's diameter",
                             least=16)] = 192
    trust: Annotated[str | None, Opt("file name of weights whose own code may run", shapes=False)
                     ] = None


def run(job: Job, options: Options) -> None:
    """Segment every field of view with the network that the user names, or not at all."""
    from libcell.data import weights
    from libcell.segment.foreign import cellpose_network, fields
    from libcell.segment.foreign.networks import Spec

    cellpose_network.version()
    found = weights.find(options.model, "cellpose")
    settings = {name: getattr(options, name) for name in (
        "diameter", "flow_threshold", "cellprob_threshold", "iterations", "tta", "resample",
        "volume", "min_area", "trust")}
    spec = Spec("libcell.segment.foreign.cellpose_network", found.path, found.digest,
                settings, batch=options.batch)
    fields.segment(job, _rules(options), spec, found)


def _channels(options: Options) -> tuple[str, ...]:
    return (options.channel,) if options.nuclear is None else (options.channel, options.nuclear)


def _rules(options: Options) -> Any:
    from libcell.segment.foreign.frames import Rules

    return Rules(
        channels=_channels(options), compartments=(options.compartment,), pmin=options.pmin,
        pmax=options.pmax, joint=False, min_area=options.min_area, max_area=options.max_area,
        clear_border=options.clear_border, stitch=options.stitch, tile=options.tile,
        halo=options.halo, whole=options.volume,
    )


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from libcell.segment.foreign import fields

    return fields.plan(inputs, _channels(options))


METHOD = Method(
    name="cellpose",
    summary="Cellpose's networks, with weights that you have.",
    run=run,
    options=Options,
    reads=("image", "files"),
    writes="labels",
    suffix=".labels.ome.zarr",
    example="cell-segment cellpose plate.ome.zarr -m cyto3 -c GFP --nuclear DNA "
            "-o c.labels.ome.zarr",
    paper="Stringer et al. 2021, doi:10.1038/s41592-020-01018-x; Stringer and Pachitariu 2025, "
          "doi:10.1038/s41592-025-02595-5 (3.x); Pachitariu et al. 2025, "
          "doi:10.1101/2025.04.28.651001 (4.x)",
    needs="segment-cellpose",
    plan=plan,
)
