"""How good predictions are: balanced figures with intervals over groups, beside a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.run.job import Job

OVERALL = ("balanced_accuracy", "accuracy", "macro_f1", "weighted_f1", "roc_auc_ovr", "ece",
           "brier", "log_loss")
PER_CLASS = ("precision", "recall", "f1", "roc_auc")


@dataclass(frozen=True)
class Options:
    """Which rows are judged, and what an independent sample is."""

    split: Annotated[str, Opt("rows to judge; auto: test, else new, else all",
                              choices=("auto", "train", "validation", "test", "new", "all"))] = (
        "auto")
    group: Annotated[tuple[str, ...], Opt("columns that intervals are drawn over "
                                          "[plate and well]")] = ()
    draws: Annotated[int, Opt("bootstrap draws of the intervals", least=1)] = 1000


def run(job: Job, options: Options) -> None:
    """Score the rows, write a bundle with `scores.parquet`, and say the figures."""
    import numpy as np

    from libcell.data import matrix, tables
    from libcell.errors import DataError
    from libcell.train.kernels import scores
    from libcell.train.kernels.figures import plain

    table = job.inputs.table("predictions")
    part, rows = _rows(table, options.split)
    classes = [c.removeprefix("p_") for c in rows.column_names if c.startswith("p_")]
    known = rows.filter(rows.column("target").is_valid())
    if not known.num_rows:
        raise DataError(f"no row of {part} has a known class (column target)")
    proba = matrix.matrix(known, [f"p_{c}" for c in classes])
    groups = matrix.groups(known, options.group or matrix.default_group(known))
    truth = known.column("target").to_numpy(zero_copy_only=False).astype(str)
    found = plain(scores.classification_scores(truth, proba, np.array(classes), groups,
                                               n_boot=options.draws, seed=job.seed))
    made = score_table(found, part)
    job.root.mkdir(exist_ok=True)
    tables.write_parts(job.root / "scores.parquet", [made], made.schema, "scores",
                       job.provenance())
    for note in found["notes"]:
        job.reporter.warn(note)
    job.publish("bundle", found["n"], split=part, **{k: found[k] for k in OVERALL},
                majority_baseline=found["majority_baseline"])


def _rows(table: pa.Table, wanted: str) -> tuple[str, pa.Table]:
    """The rows of one part of the split, and its name. DataError if it is empty."""
    import pyarrow.compute as pc

    from libcell.errors import DataError

    there = set(table.column("split").unique().to_pylist())
    part = wanted if wanted != "auto" else next((p for p in ("test", "new") if p in there), "all")
    if part == "all":
        return part, table
    rows = table.filter(pc.equal(table.column("split"), part))
    if not rows.num_rows:
        raise DataError(f"--split {part}: no row is of it; there are {', '.join(sorted(there))}")
    return part, rows


def score_table(found: dict[str, Any], part: str) -> pa.Table:
    """Table `scores`: overall figures, figures per class, the confusion counts, the baseline.

    A row of metric `confusion` counts objects of class `label` predicted as `group`.
    """
    from libcell.data import tables

    rows = [_row(m, found[m], found["intervals"].get(m), found["n"], part) for m in OVERALL]
    rows += [_row(f"majority_{m}", v, None, found["n"], part)
             for m, v in found["majority_baseline"].items() if isinstance(v, float)]
    for one in found["per_class"]:
        rows += [_row(m, one[m], one.get(f"{m}_interval"), one["support"], part, str(one["label"]))
                 for m in PER_CLASS]
    table = found["confusion"]
    for truth, counts in zip(table["rows"], table["counts"]):
        rows += [_row("confusion", float(n), None, int(n), part, str(truth), str(predicted))
                 for predicted, n in zip(table["columns"], counts)]
    columns = {k: [r[k] for r in rows] for k in rows[0]}
    return tables.from_columns("scores", columns)


def _row(metric: str, value: Any, interval: Any, n: int, part: str, label: str | None = None,
         group: str | None = None) -> dict[str, Any]:
    low, high = interval or (None, None)
    return {"metric": metric, "value": value, "low": low, "high": high, "n": n, "split": part,
            "label": label, "group": group}


METHOD = Method(
    name="score",
    summary="How good predictions are: balanced figures with intervals, beside a baseline.",
    run=run,
    options=Options,
    reads=("predictions",),
    writes="bundle",
    suffix="",
    example="cell-train score p.parquet -o score",
)
