"""Folders that follow one cell each, frame by frame, to a crop store with stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """How the folders are laid out, and what a stage and a crop are."""

    layout: Annotated[str, Opt(
        "where stages and masks are; auto: SEQUENCE_ManualStages.txt is Zhong's (6 stages), "
        "SEQUENCE_Synchronization.csv LiveCellMiner's (3)",
        choices=("auto", "zhong", "livecellminer"))] = "auto"
    pattern: Annotated[str | None, Opt(
        "names of the sequences' folders, as for `images`, e.g. '{plate}_{well}_{movie}_cell{_}'; "
        "what it names becomes Metadata columns, for splits by plate or movie")] = None
    stages: Annotated[tuple[str, ...], Opt(
        "names of the stages in order [the layout's own]")] = ()
    return_to_interphase: Annotated[int | None, Opt(
        "LiveCellMiner: frames after the first of stage 3 from which it is stage 1 again [stages "
        "stay as the file has them]", least=0)] = None
    unlabelled: Annotated[bool, Opt("take sequences without stages, too",
                                    ("--unlabelled",))] = False
    size: Annotated[int | None, Opt("height and width of the crops; pictures are centred, cut "
                                    "or padded with 0 [the largest picture]", least=2)] = None
    compartment: Annotated[str, Opt("what the masks are: nuclei, cells, ...")] = "nuclei"


def run(job: Job, options: Options) -> None:
    """Read every sequence, then lay them end to end in a store, with the table of sequences."""
    from libcell.data import crops, groups, tables
    from libcell.extract.series.cut import fill_shard

    done = _read(job, options)
    size, channels, dtype = _common(done, options)
    parts = [(job.parts / d["part"], d["n"]) for d in done]
    rows = [tables.read_part(file) for file, _ in parts]
    groups.ensure(job.root)
    provenance = job.provenance()
    schema = tables.unify(rows)
    n = tables.write_parts(job.root / "index.parquet", rows, schema, "objects", provenance)
    listed = [sequence_rows(t) for t in rows]
    tables.write_parts(job.root / "sequences.parquet", listed, listed[0].schema, "sequences",
                       provenance)
    left_out = _tell_left(job, provenance)
    shard = crops.create(job.root, n, len(channels), size, dtype)
    blocks = [Block(f"crops {i} of {n}", {"root": job.root, "start": i, "size": size,
                                          "pieces": tables.pieces(parts, i, min(i + shard, n))})
              for i in range(0, n, shard)]
    job.map_whole("crops", fill_shard, blocks)
    crops.seal(job.root, n=n, channels=channels, compartment=options.compartment, size=size,
               pixel_size_um=None, provenance=provenance)
    job.publish("crops", n, sequences=len(done), left_out=left_out)


def _read(job: Job, options: Options) -> list[dict[str, Any]]:
    """The first pass: every sequence's part files. One that is not whole is left out, and said."""
    from libcell.errors import UsageFault
    from libcell.extract.series import cut, folders

    if options.return_to_interphase is not None and options.layout == "zhong":
        raise UsageFault("--return-to-interphase: is for LiveCellMiner's three stages; Zhong's "
                         "six return by themselves")
    if len(set(options.stages)) < len(options.stages):
        raise UsageFault("--stages: a name stands in it twice")
    found = folders.find(job.inputs.paths(), options.pattern)
    blocks = [
        Block(one.name, {
            "folder": one.folder, "name": one.name, "columns": one.columns,
            "layout": options.layout, "unlabelled": options.unlabelled, "stages": options.stages,
            "after": options.return_to_interphase, "compartment": options.compartment,
            "target": job.parts / f"sequence-{i:06d}.arrow"})
        for i, one in enumerate(found)
    ]
    done = [result for _, result in job.map("sequences", cut.read_sequence, blocks)]
    job.settle()
    shared = sum(d["shared"] for d in done)
    if shared:
        job.reporter.note(f"{shared} sequences named B02 take the stages of their B01")
    empty = sum(d["empty"] for d in done)
    if empty:
        job.reporter.warn(f"{empty} of {sum(d['n'] for d in done)} masks are empty; those frames "
                          "have area_px 0 and the picture as their box")
    return done


def _common(
    done: list[dict[str, Any]], options: Options
) -> tuple[tuple[int, int], list[str], Any]:
    """Crop size, channels and dtype. DataError if sequences differ in channels or dtype."""
    import numpy as np

    from libcell.data.readers.samples import sample_names
    from libcell.errors import DataError

    kinds = {(d["shape"][0], d["dtype"]): d["name"] for d in done}
    if len(kinds) > 1:
        text = " and ".join(f"{c} channels of {d} (e.g. {name})"
                            for (c, d), name in sorted(kinds.items()))
        raise DataError(f"the sequences are of different kinds: {text}; one crop store holds one")
    layouts = {d["layout"]: d["name"] for d in done if d["layout"]}
    if len(layouts) > 1:
        text = " and ".join(f"{layout} (e.g. {name})" for layout, name in sorted(layouts.items()))
        raise DataError(f"the sequences are of two layouts, {text}, whose stages are not the "
                        "same; make a store of each (--layout)")
    channels, dtype = next(iter(kinds))
    edge = options.size
    height, width = (edge or max(d["shape"][i] for d in done) for i in (1, 2))
    return (height, width), list(sample_names(channels)), np.dtype(dtype)


def sequence_rows(objects: pa.Table) -> pa.Table:
    """Table `sequences` of one sequence's table `objects`."""
    import numpy as np

    from libcell.data import tables

    return tables.from_columns("sequences", {
        "sequence_id": objects.column("Metadata_Sequence"),
        "object_id": objects.column("object_id"),
        "Metadata_T": objects.column("Metadata_T"),
        "position": np.arange(objects.num_rows, dtype=np.int64),
    })


def _tell_left(job: Job, provenance: dict[str, Any]) -> int:
    """Note which sequences the store goes without, and why, in its table `omissions`."""
    from libcell.data import omissions, tables

    left = [(key, key, str(error)) for key, error in job.failures]
    table = omissions.table(left, None)
    tables.write_parts(job.root / "omissions.parquet", [table], table.schema, "omissions",
                       provenance)
    return len(left)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read: the sequences by name."""
    from libcell.extract.series import folders

    found = folders.find(inputs.paths(), options.pattern)
    return {"reads": [str(p) for p in inputs.seen], "blocks": len(found),
            "sequences": [one.name for one in found]}


METHOD = Method(
    name="sequences",
    summary="Sequences of center-cell pictures with a stage a frame to a crop store.",
    run=run,
    options=Options,
    reads=("files",),
    writes="crops",
    suffix=".crops.zarr",
    example="cell-extract sequences LSM/ --pattern '{plate}_{well}_{movie}_cell{_}' "
            "-o x.crops.zarr",
    paper="layouts: Zhong et al. 2012, doi:10.1038/nmeth.2046; LiveCellMiner, Moreno-Andrés et "
          "al. 2022, doi:10.1371/journal.pone.0270923",
    plan=plan,
)
