"""Several models' predictions of the same objects in one table, differences paired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which objects are judged, and what an independent sample is."""

    names: Annotated[tuple[str, ...], Opt("what to call the models [their files' names]")] = ()
    split: Annotated[str, Opt("objects to judge: those of this part for every model; held: test "
                              "or new", choices=("held", "train", "validation", "test", "new",
                                                 "all"))] = "held"
    group: Annotated[tuple[str, ...], Opt("columns that intervals are drawn over "
                                          "[plate and well]")] = ()
    draws: Annotated[int, Opt("bootstrap draws of the intervals", least=1)] = 1000


def run(job: Job, options: Options) -> None:
    """Judge every model on the objects that all of them saw, and each against the first."""
    import numpy as np

    from libcell.data import matrix, tables
    from libcell.errors import UsageFault
    from libcell.train.kernels import rivals

    paths = job.inputs.paths("predictions")
    if len(paths) < 2:
        raise UsageFault("one table of predictions; a comparison needs two or more")
    names = _names(paths, options)
    found = [tables.read(p, "predictions") for p in paths]
    rows = _common(found, names, options.split)
    classes = np.unique([c.removeprefix("p_") for t in rows for c in t.column_names
                         if c.startswith("p_")])
    groups = matrix.groups(rows[0], options.group or matrix.default_group(rows[0]))
    truth = _text(rows[0], "target")
    answers = {n: _text(t, "predicted") for n, t in zip(names, rows)}
    judged = rivals.rivals(truth, answers[names[0]], answers, classes, groups,
                           draws=options.draws, seed=job.seed)
    made = comparison(judged, len(truth), options.split)
    best = max(names, key=lambda n: judged[n].figures["balanced_accuracy"][0])
    job.write_table("scores", tables.from_columns("scores", made), best=best, **{
        "balanced_accuracy": {n: judged[n].figures["balanced_accuracy"][0] for n in names}})


def _names(paths: list[Path], options: Options) -> list[str]:
    from libcell.errors import UsageFault

    names = list(options.names) or [p.stem for p in paths]
    if len(names) != len(paths) or len(set(names)) != len(names):
        raise UsageFault(f"{len(paths)} tables are called {', '.join(names)}; give each a name of "
                         "its own (--names a,b)")
    return names


def _text(table: pa.Table, column: str) -> np.ndarray:
    import numpy as np

    return np.asarray(table.column(column).to_numpy(zero_copy_only=False)).astype(str)


def _common(found: list[pa.Table], names: list[str], wanted: str) -> list[pa.Table]:
    """Of each table the objects that all hold in the part wanted, in one order.

    DataError if there are none, or if two tables disagree about the truth.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from libcell.errors import DataError

    parts = {"held": ["test", "new"], "all": ["train", "validation", "test", "new"]}.get(
        wanted, [wanted])
    kept = []
    for table in found:
        inside = pc.and_(pc.is_in(table.column("split"), pa.array(parts)),
                         table.column("target").is_valid())
        kept.append(table.filter(inside).sort_by("object_id"))
    shared = set.intersection(*(set(t.column("object_id").to_pylist()) for t in kept))
    if not shared:
        raise DataError(f"no object with a known class is {' or '.join(parts)} in all of "
                        f"{', '.join(names)}")
    ids = pa.array(sorted(shared))
    rows = [t.filter(pc.is_in(t.column("object_id"), ids)) for t in kept]
    for name, table in zip(names[1:], rows[1:]):
        if not np.array_equal(_text(table, "target"), _text(rows[0], "target")):
            raise DataError(f"{name} and {names[0]} were given different classes for the same "
                            "objects (column target)")
    return rows


def comparison(judged: dict[str, Any], n: int, part: str) -> dict[str, list[Any]]:
    """Columns of table `scores` with a `model`; metrics `*_behind_first` are the first's lead, with
    the p value `chance`, and `chance_holm` that is corrected for as many models as there are."""
    corrected, first = _corrected(judged), next(iter(judged))
    rows = []
    for name, rival in judged.items():
        for suffix, figures in (("", rival.figures), ("_behind_first", rival.ahead)):
            for metric, (value, (low, high)) in figures.items():
                rows.append({
                    "metric": f"{metric}{suffix}", "value": value, "low": _told(low),
                    "high": _told(high), "n": n, "split": part, "label": None, "group": None,
                    "model": name,
                    "chance": _told(rival.chance[metric]) if suffix and name != first else None,
                    "chance_holm": _told(corrected[name][metric]) if suffix else None})
    return {k: [r[k] for r in rows] for k in rows[0]}


def _corrected(judged: dict[str, Any]) -> dict[str, dict[str, float]]:
    """p values by model and metric; of each metric, those of all models but the first count."""
    import numpy as np

    from libcell.train.kernels.holm import holm

    first, *others = judged
    made = {name: dict.fromkeys(judged[first].chance, float("nan")) for name in judged}
    for metric in judged[first].chance:
        found = holm(np.array([judged[n].chance[metric] for n in others]))
        for name, value in zip(others, found.tolist()):
            made[name][metric] = value
    return made


def _told(value: float) -> float | None:
    return None if value != value else value


METHOD = Method(
    name="compare",
    summary="Several models' predictions of the same objects in one table, differences paired.",
    run=run,
    options=Options,
    reads=("predictions",),
    writes="scores",
    suffix=".parquet",
    example="cell-train compare a.parquet b.parquet -o c.parquet",
    streams=True,
    optional=True,
)
