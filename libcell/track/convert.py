"""Tracks to the files of other programs, and back: TrackMate's XML, napari's columns as CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which of several movies."""

    image: Annotated[str | None, Opt("field of view to write, where there are several; of a "
                                     "foreign file, the one that it is about [its name]")] = None


def run(job: Job, options: Options) -> None:
    """The output's name says what is made; so does the input's what it is."""
    from libcell.data import tracks
    from libcell.data.output import write_file
    from libcell.track.foreign import flat, trackmate

    table = _read(_one(job.inputs), options)
    if job.kind == "tracks":
        graph = tracks.write(job.root, table, job.provenance())
        job.publish("tracks", table.num_rows, tracks=graph.tracks, divisions=graph.divisions)
        return
    assert job.output
    form = trackmate if job.output.path.suffix == ".xml" else flat
    write_file(job.root, form.write(_field(table, options.image)))
    job.publish("files", table.num_rows)


def _one(inputs: Inputs) -> Path:
    from libcell.errors import UsageFault

    paths = inputs.paths("tracks")
    if len(paths) != 1:
        raise UsageFault(f"{len(paths)} inputs: give one track store or one file")
    return paths[0]


def _read(path: Path, options: Options) -> pa.Table:
    """Table `links` of a track store, of TrackMate's XML or of a CSV."""
    import pyarrow as pa

    from libcell.data import tracks
    from libcell.track.foreign import flat, trackmate

    if path.is_dir():
        return tracks.read(path)
    table = (trackmate if path.suffix.lower() == ".xml" else flat).read(path)
    if options.image is None:
        return table
    place = table.column_names.index("Metadata_Image")
    named = pa.array([options.image] * table.num_rows, pa.string())
    table = table.set_column(place, "Metadata_Image", named)
    place = table.column_names.index("object_id")
    return table.set_column(place, "object_id", tracks.object_ids(table))


def _field(table: pa.Table, image: str | None) -> pa.Table:
    import pyarrow.compute as pc

    from libcell.errors import DataError

    names = table.column("Metadata_Image").unique().to_pylist()
    if image is None and len(names) > 1:
        raise DataError(f"tracks of {len(names)} fields of view ({', '.join(names[:3])} ...); say "
                        "which (--image)")
    if image is not None and image not in names:
        raise DataError(f"no tracks of {image!r}; there are {', '.join(names[:3]) or 'none'}")
    return table.filter(pc.field("Metadata_Image") == image) if image is not None else table


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    return {"reads": [str(_one(inputs))], "blocks": 1}


METHOD = Method(
    name="convert",
    summary="Tracks to TrackMate's XML or to flat CSV for napari, and from them to a track store.",
    run=run,
    options=Options,
    reads=("tracks", "files"),
    writes="tracks",
    suffix=".tracks",
    example="cell-track convert t.tracks -o t.xml\ncell-track convert trackmate.xml -o x.tracks",
    paper="Ershov et al. 2022, doi:10.1038/s41592-022-01507-1 (TrackMate 7)",
    also=(("files", ".xml"), ("files", ".csv")),
    plan=plan,
)
