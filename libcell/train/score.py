"""How good predictions are: balanced figures with intervals over groups, beside baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from libcell.run.job import Job
    from libcell.train.kernels.operating import Operating
    from libcell.train.scoring.stages import Film

SAID = ("balanced_accuracy", "accuracy", "macro_f1", "weighted_f1", "roc_auc_ovr", "ece", "brier",
        "log_loss")
BASELINE = "baseline_"
SMALLEST = 1e-6  # of a probability, for its logarithm


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
    """Score the rows, write table and pictures, and say the figures."""
    import numpy as np

    from libcell.data import matrix
    from libcell.errors import DataError
    from libcell.train.kernels import probe, rivals, scores
    from libcell.train.kernels.figures import plain
    from libcell.train.scoring import bags, stages

    part, rows = _rows(job.inputs.table("predictions"), options.split)
    classes = np.array([c.removeprefix("p_") for c in rows.column_names if c.startswith("p_")])
    known = rows.filter(rows.column("target").is_valid())
    if not known.num_rows:
        raise DataError(f"no row of {part} has a known class (column target)")
    proba = matrix.matrix(known, [f"p_{c}" for c in classes])
    groups = matrix.groups(known, options.group or matrix.default_group(known))
    truth, predicted = (_text(known, c) for c in ("target", "predicted"))
    found = plain(scores.classification_scores(truth, proba, classes, groups,
                                               n_boot=options.draws, seed=job.seed))
    curves = _curves(found, truth, proba)
    found["batch_probe"] = probe.batch_probe(np.log(proba + SMALLEST), groups, truth, job.seed)
    others = rivals.rivals(truth, predicted, _baselines(known), classes, groups,
                           draws=options.draws, seed=job.seed)
    bagged = bags.figures(known, truth, proba, classes, groups)
    _write(job, found, curves, others, rivals.per_group(truth, predicted, groups), part,
           stages.films(known, classes.tolist()), bags.table_rows(bagged, part))
    for note in found["notes"]:
        job.reporter.warn(note)
    if found["unseen"]:
        counts = ", ".join(f"{name} ({n})" for name, n in found["unseen"].items())
        job.reporter.warn(f"the model never saw objects of class {counts}; they count as wrong")
    job.publish("bundle", found["n"], split=part, **{k: found[k] for k in SAID},
                batch_probe=plain(found["batch_probe"]),
                majority_baseline=found["majority_baseline"],
                **{name: value for name, (value, _) in bagged.items()},
                **{f"{name}_baseline": plain({m: v for m, (v, _) in rival.figures.items()})
                   for name, rival in others.items()})


def _text(table: pa.Table, column: str) -> np.ndarray:
    import numpy as np

    return np.asarray(table.column(column).to_numpy(zero_copy_only=False)).astype(str)


def _baselines(known: pa.Table) -> dict[str, np.ndarray]:
    """What the model's baselines saw, by name; those that saw every row."""
    names = [c for c in known.column_names if c.startswith(BASELINE)
             and not known.column(c).null_count]
    return {c.removeprefix(BASELINE): _text(known, c) for c in names}


def _curves(
    found: dict[str, Any], truth: np.ndarray, proba: np.ndarray
) -> dict[str, Operating]:
    """Curves of the classes that have them; each class's average precision joins `found`."""
    from libcell.train.kernels.operating import operating

    made = {}
    for i, one in enumerate(found["per_class"]):
        curve = operating(truth == str(one["label"]), proba[:, i]) if one["known"] else None
        one["average_precision"] = curve.average_precision if curve else None
        if curve:
            made[str(one["label"])] = curve
    return made


def _write(
    job: Job, found: Any, curves: Any, others: Any, groups: Any, part: str, films: list[Film],
    bagged: list[dict[str, Any]],
) -> None:
    """The bundle: `scores.parquet` and `scores.html`; nothing where no output is asked for."""
    from libcell.data import tables
    from libcell.train.kernels.figures import plain
    from libcell.train.scoring import figures, page, stages

    if not job.output:
        return
    classes = [str(c) for c in found["confusion"]["columns"]]
    lasting = stages.duration_rows(films, classes, part)
    table = figures.score_table(found, others, groups, part, [*lasting, *bagged])
    pictures = {"Stages, frame by frame": stages.label_matrix(films, classes)} if films else {}
    job.root.mkdir(exist_ok=True)
    beside = plain({name: r.figures["balanced_accuracy"] for name, r in others.items()})
    (job.root / "scores.html").write_text(
        page.page(found, curves, groups, beside, f"Predictions, {part}", pictures), "utf-8")
    tables.write_parts(job.root / "scores.parquet", [table], table.schema, "scores",
                       job.provenance())


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


METHOD = Method(
    name="score",
    summary="How good predictions are: balanced figures with intervals, beside baselines.",
    run=run,
    options=Options,
    reads=("predictions",),
    writes="bundle",
    suffix="",
    example="cell-train score p.parquet -o score",
    optional=True,
)
