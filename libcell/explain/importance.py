"""What trees look at: the score lost when features are shuffled, or SHAP values of each answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

    from libcell.run.job import Job

GROUPS = ("compartment", "family", "channel", "family-channel", "column")


@dataclass(frozen=True)
class Options:
    """Which model, which groups of columns, which rows."""

    model: Annotated[str, Opt("model that `cell-train forest` made", ("-m", "--model"),
                              path=True)]
    method: Annotated[str, Opt("permutation: what the score loses; shap (of boosted trees): what "
                               "each column adds to each answer", choices=("permutation", "shap"))
                      ] = "permutation"
    by: Annotated[tuple[str, ...], Opt("of permutation: shuffle the columns of one compartment, "
                                       "family, channel or family-channel together, or each column")
                  ] = ("family", "channel")
    split: Annotated[str, Opt("rows to ask about; auto: those the model was tested on, else all",
                              choices=("auto", "train", "validation", "test", "all"))] = "auto"
    repeats: Annotated[int, Opt("shuffles of each group", least=2)] = 10
    rows: Annotated[int, Opt("ask about at most so many rows, drawn at random", least=2)] = 20_000
    top: Annotated[int, Opt("of shap: columns whose contributions are kept, in a bundle", least=1)
                   ] = 20
    objects: Annotated[int, Opt("of shap: objects whose contributions are kept", least=1)] = 1000


def run(job: Job, options: Options) -> None:
    """Shuffle or trace, and write the table, or a bundle of it with a page to look at."""
    from pathlib import Path

    import numpy as np

    from libcell.data import matrix, models

    path = Path(options.model)
    card = models.load_card(path)
    _require_trees(card, path, options)
    table = job.inputs.table(card["input"]["kind"])
    models.require_columns(card, table.column_names, path)
    rows = _sampled(_rows(table, card, options, job), options.rows, job)
    X = matrix.matrix(rows, card["input"]["columns"])
    _refuse_infinite(X, card["input"]["columns"])
    if options.method == "shap":
        importances, contributions = _shap(path, card, rows, X, options, job.seed)
    else:
        labels = matrix.column_text(rows, card["target"], "the model's target").astype(str)
        importances, contributions = _permuted(path, card, rows, X, labels, options, job.seed), None
    _write(job, importances, contributions, np.unique(rows.column("object_id")).size)


def _require_trees(card: dict[str, Any], path: Path, options: Options) -> None:
    from libcell.errors import DataError, UsageFault
    from libcell.explain.kernels.trees import BOOSTING

    unknown = [k for k in options.by if k not in GROUPS]
    if unknown:
        raise UsageFault(f"--by {unknown[0]}: expected {', '.join(GROUPS)}")
    if card["input"]["kind"] not in ("features", "embeddings"):
        raise DataError(f"{path}: a model of {card['input']['kind']}; importances are of trees on "
                        "tables (cell-explain cam shows what a network looks at)")
    if options.method == "shap" and card["architecture"] != BOOSTING:
        raise DataError(f"{path}: is a {card['architecture']}; --method shap is for boosted trees "
                        "(cell-train forest --algorithm boosting), permutation for both")


def _refuse_infinite(X: np.ndarray, names: list[str]) -> None:
    import numpy as np

    from libcell.errors import DataError

    bad = np.isinf(X).any(axis=0)
    if bad.any():
        raise DataError(f"{int(bad.sum())} columns hold infinite values, e.g. "
                        f"{names[int(bad.argmax())]}; set them to NaN")


def _sampled(rows: pa.Table, most: int, job: Job) -> pa.Table:
    import pyarrow as pa

    from libcell.explain.kernels.separability import sample

    if rows.num_rows > most:
        job.reporter.warn(f"a sample of {most} of {rows.num_rows} rows is asked about (--rows)")
    return rows.take(pa.array(sample(rows.num_rows, most, job.seed)))


def _permuted(
    path: Path, card: dict[str, Any], rows: pa.Table, X: np.ndarray, labels: np.ndarray,
    options: Options, seed: int,
) -> pa.Table:
    """Table `importances`: a row per group of columns."""
    from libcell.data import tables
    from libcell.explain.kernels import trees
    from libcell.explain.kernels.importance import permutation_importance

    groups = _groups(card["input"]["columns"], options.by)
    found = permutation_importance(trees.predictor(path, card, rows), X, labels, groups,
                                   n_repeats=options.repeats, seed=seed)
    made = sorted(found.groups, key=lambda g: -g.mean)
    return tables.from_columns("importances", {
        "group": [g.group for g in made], "importance": [g.mean for g in made],
        "sd": [g.sd for g in made], "columns": [len(groups[g.group]) for g in made],
        "score": ["balanced_accuracy"] * len(made)})


def _groups(names: list[str], by: tuple[str, ...]) -> dict[str, list[int]]:
    """Positions of the columns of each group, by `kind: name`."""
    from libcell.schema.columns import column_groups

    found: dict[str, list[int]] = {}
    for kind in by:
        if kind == "column":
            some = {name: [i] for i, name in enumerate(names)}
        elif kind == "family-channel":
            channels = column_groups(names, "channel")
            some = {f"{family}, {channel}": sorted(set(a) & set(b))
                    for family, a in column_groups(names, "family").items()
                    for channel, b in channels.items() if set(a) & set(b)}
        else:
            some = column_groups(names, kind)
        found |= {f"{kind}: {name}": columns for name, columns in some.items()}
    return found


def _shap(
    path: Path, card: dict[str, Any], rows: pa.Table, X: np.ndarray, options: Options, seed: int
) -> tuple[pa.Table, pa.Table]:
    """Tables `importances`, mean |SHAP| of every column, and `contributions` to the answers of
    some objects."""
    import numpy as np

    from libcell.data import tables
    from libcell.explain.kernels import trees
    from libcell.explain.kernels.separability import sample

    names = np.array(card["input"]["columns"], dtype=object)
    total, squares = np.zeros(len(names)), np.zeros(len(names))
    answers, added = np.empty(len(X), np.int64), np.empty((len(X), len(names)))
    for here, found in trees.contributions(path, card, rows, X):
        answers[here] = found.sum(axis=2).argmax(axis=1)
        added[here] = found[np.arange(len(here)), answers[here], :-1]
        sizes = np.abs(found[:, :, :-1]).mean(axis=1)
        total, squares = total + sizes.sum(axis=0), squares + (sizes**2).sum(axis=0)
    mean = total / len(X)
    sd = np.sqrt(np.maximum(squares / len(X) - mean**2, 0))
    order = np.argsort(-mean, kind="stable")
    importances = tables.from_columns("importances", {
        "group": [f"column: {n}" for n in names[order]], "importance": mean[order],
        "sd": sd[order], "columns": np.ones(len(names), np.int64),
        "score": ["mean_abs_shap"] * len(names)})
    kept, some = order[: options.top], sample(len(X), options.objects, seed)
    classes = np.array(card["classes"], dtype=object)
    ids = np.array(rows.column("object_id").to_pylist(), dtype=object)[some]
    return importances, tables.from_columns("contributions", {
        "object_id": np.repeat(ids, len(kept)),
        "label": np.repeat(classes[answers[some]], len(kept)),
        "column": np.tile(names[kept], len(some)),
        "value": _with_null(X[np.ix_(some, kept)].ravel()),
        "contribution": added[np.ix_(some, kept)].ravel()})


def _with_null(values: np.ndarray) -> Any:
    import numpy as np
    import pyarrow as pa

    return pa.array(values, mask=np.isnan(values))


def _write(job: Job, importances: pa.Table, contributions: pa.Table | None, n: int) -> None:
    """The importances, or a bundle of them, the contributions, and a page."""
    from libcell.data import tables
    from libcell.explain.gather.alone import importance_page

    if job.output is None or job.kind == "importances":
        job.write_table("importances", importances)
        return
    job.root.mkdir(exist_ok=True)
    made = {"importances": importances}
    made |= {"contributions": contributions} if contributions is not None else {}
    for name, table in made.items():
        tables.write_parts(job.root / f"{name}.parquet", [table], table.schema, name,
                           job.provenance())
    page = importance_page(importances, contributions, job.provenance())
    (job.root / "importance.html").write_text(page, "utf-8")
    job.publish("bundle", importances.num_rows, objects=n)


def _rows(table: pa.Table, card: dict[str, Any], options: Options, job: Job) -> pa.Table:
    """The rows to ask about: what a model was trained on shows what it remembers, not what counts.

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


METHOD = Method(
    name="importance",
    summary="What trees look at: the score lost when features are shuffled, or SHAP values.",
    run=run,
    options=Options,
    reads=("features", "embeddings"),
    writes="importances",
    suffix=".parquet",
    example="cell-explain importance f.parquet -m b.model -o i.parquet",
    also=(("bundle", ".bundle"),),
    paper="Breiman 2001, doi:10.1023/A:1010933404324 (permutation, here of whole groups); "
          "TreeSHAP: Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9",
    streams=True,
)
