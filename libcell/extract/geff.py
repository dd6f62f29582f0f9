"""A graph of tracks in geff, of any program, to a track store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which properties are meant, and what the graph does not tell."""

    image: Annotated[str | None, Opt(
        "field of view that it is about, for Metadata_Image [the graph's name]")] = None
    compartment: Annotated[str, Opt("label image that its objects are in")] = "cells"
    label: Annotated[str | None, Opt(
        "node property with the objects' labels [as the metadata says, else label, seg_id, "
        "segmentation_id, mask_id, else numbers from 1 in each frame]")] = None
    track_id: Annotated[str | None, Opt(
        "node property with the tracks' ids [the tracklet of the metadata, else track_id]; edges: "
        "tracks are what the edges make")] = None
    pixel_size: Annotated[float | None, Opt(
        "um per pixel, where positions are in a unit of length [the axes' scale]", least=0)] = None
    z_step: Annotated[float | None, Opt("um from plane to plane [--pixel-size]", least=0)] = None
    interval: Annotated[float | None, Opt(
        "time per frame in the graph's unit, where its times are no frame numbers", least=0)] = None


def run(job: Job, options: Options) -> None:
    """Read every graph, join their tables, write the store."""
    import pyarrow as pa

    from libcell.data import tables, tracks
    from libcell.errors import UsageFault

    paths = job.inputs.paths()
    if len(paths) > 1 and options.image is not None:
        raise UsageFault(f"--image: names one field of view, but there are {len(paths)} graphs")
    parts = [links(job, path, options) for path in paths]
    _require_apart(paths, parts)
    schema = tables.unify(parts)
    table = pa.concat_tables([tables.conform(p, schema) for p in parts])
    graph = tracks.write(job.root, table, job.provenance())
    job.publish("tracks", table.num_rows, tracks=graph.tracks, divisions=graph.divisions)


def links(job: Job, path: Path, options: Options) -> Any:
    """Table `links` of one graph; what had to be assumed is said."""
    from libcell.extract.graphs.source import Names, load
    from libcell.extract.graphs.table import table_of
    from libcell.extract.graphs.units import Steps

    nodes = load(path, Names(options.label, options.track_id),
                 Steps(options.pixel_size, options.z_step, options.interval))
    for text in nodes.assumed:
        job.reporter.warn(f"{path}: {text}")
    return table_of(nodes, options.image, options.compartment, path.name.split(".")[0])


def _require_apart(paths: list[Path], parts: list[Any]) -> None:
    """DataError where two graphs are about fields of view of one name."""
    from libcell.errors import DataError

    seen: dict[str, Path] = {}
    for path, part in zip(paths, parts):
        for image in part.column("Metadata_Image").unique().to_pylist():
            if image in seen:
                raise DataError(f"{seen[image]} and {path}: both are about {image}")
            seen[image] = path


METHOD = Method(
    name="geff",
    summary="A graph of tracks in geff, of any program, to a track store.",
    run=run,
    options=Options,
    reads=("files",),
    writes="tracks",
    suffix=".tracks",
    example="cell-extract geff tracks.geff --image B/03/0 -o x.tracks",
    paper="https://github.com/live-image-tracking-tools/geff",
)
