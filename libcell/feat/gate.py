"""The true class of each object, by thresholds on stains that tell classes apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.feat.gating.rules import Gate
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which gates, and how their thresholds are found."""

    gate: Annotated[tuple[str, ...], Opt(
        "'CLASS=COLUMN>HOW': who passes may be of the class; < as well; HOW is a number, otsu, "
        "mixture, or controls:VALUE")] = ()
    where: Annotated[tuple[str, ...], Opt(
        "'COLUMN>HOW': a gate that every class asks for, e.g. a smallest area")] = ()
    gates: Annotated[str | None, Opt("replay these gates, a table or what an earlier run made",
                                     path=True)] = None
    by: Annotated[str | None, Opt("find thresholds for each value of this column apart, e.g. "
                                  "Metadata_Plate")] = None
    controls: Annotated[str | None, Opt("column that names the control wells")] = None
    quantile: Annotated[float, Opt("part of the control objects that stays outside a gate",
                                   least=0, most=1)] = 0.99
    log: Annotated[bool, Opt("find otsu and mixture thresholds on a logarithmic scale",
                             ("--log",))] = False
    defined: Annotated[bool, Opt("leave out objects that are of no class, or of several",
                                 ("--defined",))] = False
    name: Annotated[str, Opt("column that the class is written to")] = "Metadata_Class"


def run(job: Job, options: Options) -> None:
    """Find or read the gates, apply them, write gates, classes and picture."""
    from libcell.data import tables
    from libcell.feat.gating import find, picture, rules

    _require(options)
    table = job.inputs.table("features")
    groups = find.groups_of(table, options.by)
    if options.gates:
        gates = _replayed(options.gates)
    else:
        how = find.How(options.controls, options.quantile, options.log)
        gates = find.find(table, rules.parse(options.gate, options.where), groups, how)
    classes = rules.classify(table, gates, groups)
    made = tables.from_columns("gates", rules.to_table(gates))
    counts = {str(c): int((classes == c).sum())
              for c in (*dict.fromkeys(g.gate for g in gates), rules.UNDEFINED)}
    job.reporter.note(", ".join(f"{n} {c}" for c, n in counts.items()))
    if job.kind == "gates":  # the table alone, for --gates
        job.write_table("gates", made)
        return
    told = _with_classes(table, options.name, classes)
    written = told.filter(classes != rules.UNDEFINED) if options.defined else told
    drawn = picture.draw(told, gates, groups, options.log)
    _write(job, {"gates": made, "features": written}, drawn)
    job.publish("bundle", written.num_rows, classes=counts)


def _require(options: Options) -> None:
    from libcell.errors import UsageFault

    if options.gates and (options.gate or options.where):
        raise UsageFault("--gates replays gates as they are; leave out --gate and --where")
    if not options.name.startswith("Metadata_"):
        raise UsageFault(f"--name {options.name}: the column must be called Metadata_...")


def _replayed(given: str) -> list[Gate]:
    """The gates of a table, or of the folder that an earlier run made."""
    from pathlib import Path

    from libcell.data import tables
    from libcell.feat.gating import rules

    path = Path(given)
    path = path / "gates.parquet" if path.is_dir() else path
    return rules.from_table(tables.read(path, "gates"))


def _with_classes(table: pa.Table, name: str, classes: Any) -> pa.Table:
    """The table with its rows' classes; an earlier column of that name gives way."""
    import pyarrow as pa

    column = pa.array(classes, pa.string())
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    told = [i for i, n in enumerate(table.column_names) if n.startswith("Metadata_")]
    return table.add_column(told[-1] + 1, name, column)


def _write(job: Job, made: dict[str, pa.Table], drawn: str) -> None:
    from libcell.data import tables

    job.root.mkdir(exist_ok=True)
    for name, content in made.items():
        tables.write_parts(job.root / f"{name}.parquet", [content], content.schema, name,
                           job.provenance())
    (job.root / "gates.svg").write_text(drawn, "utf-8")


METHOD = Method(
    name="gate",
    summary="The true class of each object, by thresholds on stains that tell classes apart.",
    run=run,
    options=Options,
    reads=("features",),
    writes="gates",
    suffix=".parquet",
    also=(("bundle", ".bundle"),),
    streams=True,
    example="cell-feat gate f.parquet --log \\\n"
            "  --gate 'astro=Nuclei_Intensity_MeanIntensity_EdU>otsu' \\\n"
            "  --gate 'neuron=Nuclei_Intensity_MeanIntensity_BrdU>otsu' -o x.bundle",
    paper="De Beuckeleer et al. 2024, doi:10.7554/eLife.95273; Otsu 1979, "
          "doi:10.1109/TSMC.1979.4310076",
)
