"""How good tracks are: found ones against true ones, as the Cell Tracking Challenge counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from libcell.errors import DataError, MissingInput, UsageFault
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.run.inputs import Inputs
    from libcell.run.job import Job
    from libcell.track.compared.pairs import Found


@dataclass(frozen=True)
class Options:
    """What the tracks are judged against, and how objects are known to be the same."""

    truth: Annotated[str, Opt("true track store; else it is the last INPUT", path=True, last=True)]
    labels: Annotated[str | None, Opt("label store that was tracked, where it is not the one of "
                                      "the truth", path=True)] = None
    truth_labels: Annotated[str | None, Opt("label store of the truth: objects are matched by "
                                            "their masks", path=True)] = None
    max_distance: Annotated[float | None, Opt(
        "match objects by place, within so many px, instead of by label or mask", least=0)] = None
    tolerance: Annotated[int, Opt("frames by which a division may be too early or too late",
                                  least=0)] = 0


def run(job: Job, options: Options) -> None:
    """Compare every field of view; write table `scores` and say the figures."""
    from libcell.data import tables
    from libcell.track.compared.figures import figures

    fields = _fields(job.inputs, options)
    values = figures([f for _, f in fields], options.tolerance)
    rows = [_row(k, v, f.truth.t.size, name) for name, f in fields
            for k, v in figures([f], options.tolerance).items()]
    total = sum(f.truth.t.size for _, f in fields)
    rows += [_row(k, v, total, None) for k, v in values.items()]
    table = tables.from_columns("scores", {k: [r[k] for r in rows] for k in rows[0]})
    job.write_table("scores", table, **values, tolerance=options.tolerance)


def _row(metric: str, value: float | None, n: int, image: str | None) -> dict[str, Any]:
    return {"metric": metric, "value": value, "low": None, "high": None, "n": n, "split": None,
            "label": None, "group": image}


def _fields(inputs: Inputs, options: Options) -> list[tuple[str, Found]]:
    """Name, both trackings and matches of every field of view of the truth."""
    from libcell.data.grouped import Grouped

    found, truth = _tables(inputs, options)
    ours, theirs = (set(t.column("Metadata_Image").unique().to_pylist()) for t in (found, truth))
    if ours - theirs:
        raise DataError(f"{options.truth}: has no tracks of {sorted(ours - theirs)[0]!r}; it has "
                        f"{', '.join(sorted(theirs)[:3]) or 'none'}")
    known, made = Grouped(truth), Grouped(found)
    return [(name, _compare(known.of(name), made.of(name), name, options))
            for name in sorted(theirs)]


def _tables(inputs: Inputs, options: Options) -> tuple[pa.Table, pa.Table]:
    from libcell.data import tracks

    paths = inputs.paths("tracks")
    if len(paths) != 1:
        raise UsageFault(f"{len(paths)} inputs besides the truth: give one track store")
    place = Path(options.truth)
    if not place.exists():
        raise MissingInput(f"{place}: not found (--truth)")
    if options.max_distance is not None and options.truth_labels:
        raise UsageFault("--max-distance: does not go with --truth-labels")
    if options.labels and not options.truth_labels:
        raise UsageFault("--labels: needs --truth-labels as well")
    return tracks.read(paths[0]), tracks.read(place)


def _compare(a: pa.Table, b: pa.Table, image: str, options: Options) -> Found:
    """The rows of the truth and of what was found in one field of view."""
    from libcell.track.compared import pairs

    sides = pairs.tracks_of(a), pairs.tracks_of(b)
    if options.max_distance is not None:
        return pairs.Found(*sides, pairs.by_place(a, b, options.max_distance))
    if options.truth_labels:
        stores = Path(options.truth_labels), Path(options.labels or options.truth_labels)
        names = _compartment(a), _compartment(b)
        matches, seg = pairs.by_masks(*stores, image, names)
        return pairs.Found(*sides, matches, seg)
    return pairs.Found(*sides, pairs.by_label(a, b, f"{options.truth}: {image}"))


def _compartment(table: pa.Table) -> str | None:
    """The label image that was tracked, where the table tells."""
    told = "Metadata_Compartment" in table.column_names and table.num_rows
    return str(table.column("Metadata_Compartment")[0].as_py()) if told else None


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    truth = _tables(inputs, options)[1]
    more = [p for p in (options.truth, options.labels, options.truth_labels) if p]
    return {"reads": [*(str(p) for p in inputs.seen), *more], "blocks": 1,
            "fields": sorted(truth.column("Metadata_Image").unique().to_pylist())}


METHOD = Method(
    name="score",
    summary="How good tracks are: found ones against true ones (DET, SEG, TRA, LNK, divisions).",
    run=run,
    options=Options,
    reads=("tracks",),
    writes="scores",
    suffix=".parquet",
    example="cell-track score t.tracks true.tracks -o x.parquet",
    paper="Matula et al. 2015, doi:10.1371/journal.pone.0144959 (AOGM, TRA); Ulman et al. 2017, "
          "doi:10.1038/nmeth.4473 (SEG, CT, BC)",
    streams=True,
    optional=True,
    plan=plan,
)
