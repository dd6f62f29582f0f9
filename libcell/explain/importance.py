"""What a forest looks at: the score it loses when a group of features is shuffled."""

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
    """Which model, which groups of columns, which rows."""

    model: Annotated[str, Opt("model that `cell-train forest` made", ("-m", "--model"),
                              path=True)]
    by: Annotated[tuple[str, ...], Opt("shuffle columns of one compartment, family or channel "
                                       "together")] = ("family", "channel")
    split: Annotated[str, Opt("rows to shuffle; auto: those the model was tested on, else all",
                              choices=("auto", "train", "validation", "test", "all"))] = "auto"
    repeats: Annotated[int, Opt("shuffles of each group", least=2)] = 10


def run(job: Job, options: Options) -> None:
    """Shuffle, predict, compare; one row per group of columns."""
    from pathlib import Path

    import numpy as np

    from libcell.data import matrix, models, tables
    from libcell.explain.kernels.importance import permutation_importance
    from libcell.schema.columns import column_groups

    path = Path(options.model)
    card = models.load_card(path)
    table = job.inputs.table(card["input"]["kind"])
    models.require_columns(card, table.column_names, path)
    rows = _rows(table, card, options, job)
    names = card["input"]["columns"]
    groups: dict[str, Any] = {}
    for kind in options.by:
        found = column_groups(names, by=_kind(kind))
        groups |= {f"{kind}: {name}": columns for name, columns in found.items()}
    labels = matrix.column_text(rows, card["target"], "the model's target").astype(str)
    found_table = permutation_importance(
        _predictor(path, card), matrix.matrix(rows, names), labels, groups,
        n_repeats=options.repeats, seed=job.seed)
    made = sorted(found_table.groups, key=lambda g: -g.mean)
    score = np.full(len(made), "balanced_accuracy", dtype=object)
    job.write_table("importances", tables.from_columns("importances", {
        "group": [g.group for g in made], "importance": [g.mean for g in made],
        "sd": [g.sd for g in made], "columns": [len(groups[g.group]) for g in made],
        "score": score,
    }))


def _kind(text: str) -> Any:
    from libcell.errors import UsageFault

    if text not in ("compartment", "family", "channel"):
        raise UsageFault(f"--by {text}: expected compartment, family or channel")
    return text


def _rows(table: pa.Table, card: dict[str, Any], options: Options, job: Job) -> pa.Table:
    """The rows to shuffle: what a model was trained on shows what it remembers, not what counts.

    Rows of none of the model's classes are left out; not every class need be there.
    """
    import numpy as np
    import pyarrow as pa

    from libcell.data import matrix
    from libcell.errors import DataError

    classes = set(card["classes"])
    labels = matrix.column_text(table, card["target"], "the model's target")
    known = table.filter(pa.array([v in classes for v in labels], pa.bool_()))
    if not known.num_rows:
        raise DataError(f"{card['target']}: no row is of one of the model's classes, "
                        f"{', '.join(card['classes'])}")
    if options.split == "all":
        return known
    wanted = "test" if options.split == "auto" else options.split
    keep = np.array(matrix.parts_of(known, card["split"])) == wanted
    if keep.any():
        return known.filter(pa.array(keep))
    if options.split != "auto":
        raise DataError(f"--split {wanted}: no row is of it")
    job.reporter.warn("no row is of the model's test part; all rows are used")
    return known


def _predictor(path: Path, card: dict[str, Any]) -> Any:
    import numpy as np

    from libcell.data import models
    from libcell.nn import forest_arrays, forest_walk

    arrays = forest_arrays.ForestArrays.from_tensors(models.load_tensors(path))
    classes = np.array(card["classes"])

    def predict(X: np.ndarray) -> np.ndarray:
        return np.asarray(classes[forest_walk.predict_proba(arrays, X).argmax(axis=1)])

    return predict


METHOD = Method(
    name="importance",
    summary="What a forest looks at: the score lost when a group of features is shuffled.",
    run=run,
    options=Options,
    reads=("features", "embeddings"),
    writes="importances",
    suffix=".parquet",
    example="cell-explain importance f.parquet -m c.model -o i.parquet",
    paper="Breiman 2001, doi:10.1023/A:1010933404324 (permutation, here of whole groups)",
    streams=True,
)
