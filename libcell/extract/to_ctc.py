"""Tracks with their labels and images to a folder of the Cell Tracking Challenge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:

    from libcell.extract.challenge.export import Field, Stores
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """What the folder is to be, and the stores that belong to a track store."""

    kind: Annotated[str, Opt(
        "gt: ground truth, 01_GT/TRA (a bundle's true tracks first); res: a result, 01_RES "
        "(its predicted tracks first)", ("--as",), choices=("gt", "res"))] = "gt"
    labels: Annotated[str | None, Opt("label store that was tracked [the bundle's]",
                                      path=True)] = None
    images: Annotated[str | None, Opt("image store [the bundle's; without one no images are "
                                      "written]", path=True)] = None
    compartment: Annotated[str | None, Opt("label image [the one that was tracked]")] = None
    channel: Annotated[str, Opt("channel of the images, by name or number",
                                ("-c", "--channel"))] = "1"


def run(job: Job, options: Options) -> None:
    """Write masks and images frame by frame, then the texts."""
    from libcell.data import tables
    from libcell.data.output import write_file
    from libcell.extract.challenge.export import FOLDERS, require_all

    stores, fields = _read(job.inputs, options)
    _tell(job, stores, fields)
    job.root.mkdir(exist_ok=True)
    for field in fields:
        tables.write_part(job.parts / f"{field.name}.arrow", field.objects)
    blocks = [b for f in fields for b in _blocks(job, f, options)]
    done = job.map_whole("frames", write_frame, blocks)
    told = iter(done)
    for field in fields:
        require_all(field, [a for _ in range(field.frames) for a in next(told)["absent"]])
    if sum(r["loose"] for r in done):
        left = [tables.read_part(job.parts / r["left"]) for r in done if r["loose"]]
        job.leave_out(job.root, left, sum(r["objects"] for r in done), "objects")
    tail, _, text = FOLDERS[options.kind]
    for field in fields:
        write_file(job.root / f"{field.name}{tail}" / text, field.rows.text().encode())
    job.publish("files", len(fields), frames=len(blocks),
                tracks=sum(len(f.rows.label) for f in fields))


def _read(inputs: Inputs, options: Options) -> tuple[Stores, list[Field]]:
    from libcell.errors import UsageFault
    from libcell.extract.challenge import export

    paths = inputs.paths("bundle", "tracks")
    if len(paths) > 1:
        raise UsageFault(f"{len(paths)} inputs: give one bundle or track store")
    stores = export.stores_of(paths[0], options.kind, options.labels, options.images)
    return stores, export.fields(stores, options.compartment, options.channel)


def _tell(job: Job, stores: Stores, fields: list[Field]) -> None:
    """Say what the names of the files do not."""
    from libcell.extract.challenge.export import MEMBERS

    if stores.tracks.name == MEMBERS[job.options.kind][1]:
        job.reporter.warn(f"{stores.tracks}: written as --as {job.options.kind}")
    groups = [f.labels.group for f in fields]
    if any(g and g != f.name for g, f in zip(groups, fields)):
        pairs = ", ".join(f"{f.name} {g}" for g, f in zip(groups[:4], fields))
        job.reporter.warn(f"{stores.labels}: fields of view are numbered: {pairs}"
                          + (" ..." if len(fields) > 4 else ""))


def _blocks(job: Job, field: Field, options: Options) -> list[Block]:
    digits = max(3, len(str(field.frames - 1)))
    return [
        Block(f"{field.name}/t{t:0{digits}d}", {
            "root": job.root, "name": field.name, "kind": options.kind,
            "number": f"{t:0{digits}d}", "t": t, "source": field.labels,
            "compartment": field.compartment, "objects": job.parts / f"{field.name}.arrow",
            "image": field.image, "channel": field.channel,
            "left": job.parts / f"left-{field.name}-{t:06d}.arrow"})
        for t in range(field.frames)
    ]


def write_frame(**args: Any) -> dict[str, Any]:
    """One frame: its mask, and its picture."""
    from libcell.extract.challenge import export

    return export.write_frame(**args)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    stores, fields = _read(inputs, options)
    reads = [str(p) for p in (stores.tracks, stores.labels, stores.images) if p]
    return {"reads": reads, "blocks": sum(f.frames for f in fields),
            "fields": [f.name for f in fields]}


METHOD = Method(
    name="to-ctc",
    summary="Tracks, labels and images to a Cell Tracking Challenge folder.",
    run=run,
    options=Options,
    reads=("bundle", "tracks"),
    writes="files",
    suffix="",
    example="cell-extract to-ctc b -o ctc\n"
            "cell-extract to-ctc t.tracks --labels b/labels.ome.zarr --as res -o ctc",
    plan=plan,
)
