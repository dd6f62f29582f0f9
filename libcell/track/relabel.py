"""A label store in which every object carries the number of its track."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from libcell.data.grouped import Grouped
    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Whose labels they are."""

    labels: Annotated[str, Opt("label store that was tracked", path=True)]
    compartment: Annotated[str | None, Opt("label image [the one that was tracked]")] = None


def run(job: Job, options: Options) -> None:
    """Write every frame anew; objects without a track become background, and are counted."""
    from libcell.data import digests, labels
    from libcell.data.grouped import Grouped

    table = _tracks(job.inputs)
    chosen = options.compartment or _compartment(table)
    fields = list(_fields(options, chosen))
    for _, compartment, about in fields:
        if not job.finished_before:
            labels.create(job.root, about, [compartment], job.link(Path(options.labels)))
    tracked = Grouped(table)
    blocks = [list(_blocks(job, tracked, *f)) for f in fields]
    done = job.map_whole("frames", write_frame, [b for some in blocks for b in some])
    lost = sum(d["lost"] for d in done)
    if lost:
        job.reporter.warn(f"{lost} objects have no track and are left out")
    told = iter(done)
    content = [digests.of_json([next(told)["digest"] for _ in some]) for some in blocks]
    labels.seal(job.root, [f[0].group or "" for f in fields], [fields[0][1]], content,
                job.provenance())
    job.publish("labels", len(fields), frames=len(done))


def _tracks(inputs: Inputs) -> pa.Table:
    from libcell.data import tracks
    from libcell.errors import UsageFault

    paths = inputs.paths("tracks")
    if len(paths) != 1:
        raise UsageFault(f"{len(paths)} inputs: give one track store")
    return tracks.read(paths[0])


def _compartment(table: pa.Table) -> str | None:
    told = "Metadata_Compartment" in table.column_names and table.num_rows
    return str(table.column("Metadata_Compartment")[0].as_py()) if told else None


def _fields(options: Options, chosen: str | None) -> Iterator[tuple[Source, str, Any]]:
    """Every field of view of the labels, its compartment and what it is like."""
    from dataclasses import replace

    from libcell.data import labels
    from libcell.data.images import Source
    from libcell.errors import MissingInput

    place = Path(options.labels)
    if not place.exists():
        raise MissingInput(f"{place}: not found (--labels)")
    for group in labels.fields(place)[0]:
        source = Source(place, group)
        compartment = chosen or labels.compartments_at(source)[0]
        about = labels.open_labels(source, compartment).about
        metadata, name = labels.field_keys(source)
        yield source, compartment, replace(about, group=group, name=name, metadata=metadata)


def _blocks(
    job: Job, tracked: Grouped, source: Source, compartment: str, about: Any
) -> Iterator[Block]:
    import pyarrow.compute as pc

    from libcell.data import objects, tables
    from libcell.errors import DataError

    image = objects.image_keys(source)["Metadata_Image"]
    rows = tracked.of(image)
    last = pc.max(rows.column("Metadata_T")).as_py() or 0
    if last >= about.shape[0]:
        raise DataError(f"{source.where}: has {about.shape[0]} frames, the tracks reach frame "
                        f"{last}; give the labels that were tracked (--labels)")
    part = job.parts / f"tracks-{(source.group or 'root').replace('/', '_')}.arrow"
    tables.write_part(part, rows.select(["Metadata_T", "Metadata_Label", "track_id"]))
    for t in range(about.shape[0]):
        yield Block(f"{source.where}/t{t}", {"root": job.root, "source": source, "t": t,
                                             "compartment": compartment, "rows": part})


def write_frame(root: Path, source: Source, t: int, compartment: str, rows: Path) -> dict[str, Any]:
    """One frame; DataError where an object of the tracks is not in it."""
    import hashlib

    import numpy as np

    from libcell.data import images, labels, tables
    from libcell.errors import DataError

    table = tables.read_part(rows)
    here = table.column("Metadata_T").to_numpy() == t
    label, track = (table.column(n).to_numpy()[here].astype(np.int64)
                    for n in ("Metadata_Label", "track_id"))
    frame = labels.read_frame(source, compartment, t)
    ids, inverse = np.unique(frame, return_inverse=True)
    absent = np.setdiff1d(label, ids)
    if absent.size:
        raise DataError(f"{source.where}: frame {t} has no label {absent[0]}, which the tracks "
                        "have; give the labels that were tracked (--labels)")
    names = np.zeros(ids.size, np.uint32)
    names[np.searchsorted(ids, label)] = track
    made: np.ndarray = names[inverse].reshape(frame.shape)
    levels = labels.open_levels(root, source.group or "", compartment)
    for y in range(0, made.shape[1], images.SHARD):
        for x in range(0, made.shape[2], images.SHARD):
            part = made[:, y : y + images.SHARD, x : x + images.SHARD]
            images.write_region(levels, t, 0, y, x, part, mean=False)
    return {"digest": f"sha256:{hashlib.sha256(made.tobytes()).hexdigest()}",
            "lost": int((ids > 0).sum() - label.size)}


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    fields = list(_fields(options, _compartment(_tracks(inputs))))
    return {"reads": [*(str(p) for p in inputs.seen), options.labels],
            "blocks": sum(about.shape[0] for _, _, about in fields),
            "fields": [source.group for source, _, _ in fields]}


METHOD = Method(
    name="relabel",
    summary="Label images in which every object carries the number of its track.",
    run=run,
    options=Options,
    reads=("tracks",),
    writes="labels",
    suffix=".labels.ome.zarr",
    example="cell-track relabel t.tracks --labels n.labels.ome.zarr -o x.labels.ome.zarr",
    plan=plan,
)
