"""Measurements per object and channel, named as CellProfiler names them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pyarrow as pa

    from libcell.data.image import Image
    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which objects, channels and feature families."""

    images: Annotated[str, Opt("image store that the labels belong to", path=True)]
    compartments: Annotated[tuple[str, ...], Opt("label images to measure [all]")] = ()
    channels: Annotated[tuple[str, ...], Opt("channels by name or number [all]",
                                             ("-c", "--channels"))] = ()
    families: Annotated[tuple[str, ...], Opt("feature families [all]")] = ()


def run(job: Job, options: Options) -> None:
    """One block per field of view, one row per object."""
    job.table("features", "measure", measure_field, _blocks(job, options))


def _blocks(job: Job, options: Options) -> Iterator[Block]:
    from libcell.feat.families import require

    require(options.families)
    for source in job.inputs.fields("labels"):
        yield Block(source.where, {"source": source, "options": asdict(options)})


def measure_field(source: Source, options: dict[str, Any]) -> pa.Table:
    """Table `features` of one field of view: every frame and compartment, ordered by label."""
    import pyarrow as pa

    from libcell.data import labels, objects
    from libcell.errors import DataError

    given = Options(**options)
    image = _image(source, given)
    keys = objects.image_keys(source)
    tables = []
    for compartment in given.compartments or labels.compartments_at(source):
        about = labels.open_labels(source, compartment).about
        labels.require_fit(about, image.about)
        if about.shape[2] > 1:
            raise DataError(f"{source.where}: has {about.shape[2]} planes; shape and intensity "
                            "are measured in 2D")
        for t in range(about.shape[0]):
            frame = labels.read_frame(source, compartment, t)[0]
            tables.append(frame_table(frame, image, t, keys, compartment, given))
    return pa.concat_tables(tables, promote_options="permissive")


def _image(source: Source, options: Options) -> Image:
    from pathlib import Path

    from libcell.data import open as opening
    from libcell.data.images import Source as At

    return opening.image(At(Path(options.images), source.group))


def frame_table(
    frame: np.ndarray, image: Image, t: int, keys: dict[str, Any], compartment: str,
    options: Options,
) -> pa.Table:
    """Table `features` of one label image (Y,X) with all its channels."""
    from libcell.data import objects, tables
    from libcell.feat import families

    index = families.ObjectIndex.of(frame)
    prefix = compartment[0].upper() + compartment[1:]
    columns = objects.key_columns(keys, t, compartment, index.labels)
    chosen = [families.load(n) for n in options.families or families.names()]
    for family in chosen:
        if not family.PER_CHANNEL:
            found = family.measure(frame, None, index)
            columns |= {families.column_name(prefix, k): v for k, v in found.items()}
    per_channel = [f for f in chosen if f.PER_CHANNEL]
    names = options.channels if per_channel else ()
    for wanted in names or (image.about.channels if per_channel else ()):
        c = image.about.channel(wanted)
        channel = image.about.channels[c]
        pixels = image.read(t=t, c=c)[0]
        for family in per_channel:
            found = family.measure(frame, pixels, index)
            columns |= {families.column_name(prefix, k, channel): v for k, v in found.items()}
    return tables.from_columns("features", columns)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read; the number of rows is known after the labels are read."""
    from libcell.feat.families import require

    require(options.families)
    sources = list(inputs.fields("labels"))
    for source in sources[:1]:
        about = _image(source, options).about
        for channel in options.channels:
            about.channel(channel)
    return {"reads": [*(str(p) for p in inputs.seen), options.images], "blocks": len(sources),
            "fields": [s.group for s in sources]}


METHOD = Method(
    name="measure",
    summary="Measurements per object and channel, named as CellProfiler names them.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="features",
    suffix=".parquet",
    example="cell-feat measure n.labels.ome.zarr --images plate.ome.zarr -o f.parquet",
    streams=True,
    plan=plan,
)
