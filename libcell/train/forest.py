"""A random forest on a feature table, wells held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """What is learnt, from which columns, and how the rows are split."""

    target: Annotated[str, Opt("column with the class, e.g. Metadata_Condition")]
    group: Annotated[tuple[str, ...], Opt(
        "columns whose rows stay together in the split [plate and well]")] = ()
    classes: Annotated[tuple[str, ...], Opt("classes to learn [all]")] = ()
    compartments: Annotated[tuple[str, ...], Opt("use features of these, e.g. Nuclei")] = ()
    families: Annotated[tuple[str, ...], Opt("use these families, e.g. AreaShape")] = ()
    channels: Annotated[tuple[str, ...], Opt("use features of these channels")] = ()
    location: Annotated[bool, Opt("use positions in the image, too", ("--location",))] = False
    fractions: Annotated[tuple[float, ...], Opt("train, validation, test")] = (0.6, 0.1, 0.3)
    folds: Annotated[int | None, Opt("deal the groups into so many folds instead", least=2)] = None
    fold: Annotated[int, Opt("the fold to test on, from 0; the next one validates", least=0)] = 0
    hold_out: Annotated[tuple[str, ...], Opt("groups to test on instead, as plate or plate/well")
                        ] = ()
    per_class: Annotated[int | None, Opt("train on at most this many rows of a class",
                                         least=1)] = None
    trees: Annotated[int, Opt("number of trees", least=1)] = 300
    max_depth: Annotated[int | None, Opt("deepest level of a tree", least=1)] = None
    min_samples_leaf: Annotated[int, Opt("fewest rows in a leaf", least=1)] = 1
    max_features: Annotated[str, Opt("columns tried at each split: sqrt, log2 or a fraction")] = (
        "sqrt")
    unweighted: Annotated[bool, Opt("do not weight classes by their rarity",
                                    ("--unweighted",))] = False


def run(job: Job, options: Options) -> None:
    """Split, fit, score on what was held out, save."""
    import numpy as np

    from libcell.data import matrix, models
    from libcell.schema import columns
    from libcell.train.kernels import cleaning, forest, held_out, split_audit

    table = job.inputs.table("features", "embeddings")
    rows = matrix.chosen_rows(table, options.target, options.classes)
    labels = matrix.column_text(rows, options.target, "--target")
    group_columns = options.group or matrix.default_group(rows)
    groups = matrix.groups(rows, group_columns)
    classes, y = np.unique(labels.astype(str), return_inverse=True)
    split = held_out.parts(y, groups, fractions=held_out.fractions_of(options.fractions),
                           folds=options.folds, fold=options.fold,
                           hold_out=options.hold_out, seed=job.seed)
    told = {options.target, *group_columns}  # would give the class away
    names = columns.choose_columns(
        [n for n in matrix.numeric_columns(rows) if n not in told],
        compartments=options.compartments or None, families=options.families or None,
        channels=options.channels or None, location=options.location)
    X, cleaned = cleaning.clean_matrix(matrix.matrix(rows, names), names, split == "train")
    train = np.flatnonzero(split == "train")
    if options.per_class:
        train = train[matrix.sampled(rows, y[train], options.per_class, job.seed)]
    fitted = forest.fit_forest(
        X[train], y[train], n_trees=options.trees, max_depth=options.max_depth,
        min_samples_leaf=options.min_samples_leaf, max_features=_max_features(options),
        class_weight=None if options.unweighted else "balanced", seed=job.seed,
        workers=job.pool.width)
    figures = held_out.figures(forest.predict_proba(fitted, X), y, classes, split, groups, job.seed)
    card = {
        "provenance": job.provenance(),
        "architecture": "random-forest",
        "classes": classes.tolist(),
        "target": options.target,
        "input": {"kind": _kind(table), "columns": list(cleaned.kept)},
        "training_data": job.inputs.digest()["digest"],
        "split": held_out.split_card(group_columns, groups, split, y, classes,
                                     split_audit.audit(groups, split, rows=X)),
        "metrics": figures,
        "seed": job.seed,
    }
    models.save(job.root, fitted.to_tensors(), card)
    for warning in card["split"]["warnings"]:
        job.reporter.warn(warning)
    held = figures.get("test") or figures.get("validation") or {}
    job.publish("model", len(train), **{k: held[k] for k in ("balanced_accuracy", "macro_f1")
                                        if k in held})


def _kind(table: pa.Table) -> str:
    return (table.schema.metadata or {}).get(b"schema", b"features/1").decode().split("/")[0]


def _max_features(options: Options) -> Any:
    from libcell.errors import UsageFault

    if options.max_features in ("sqrt", "log2"):
        return options.max_features
    try:
        fraction = float(options.max_features)
    except ValueError:
        fraction = 0.0
    if not 0 < fraction <= 1:
        raise UsageFault("--max-features: expected sqrt, log2 or a fraction in (0, 1]")
    return fraction


METHOD = Method(
    name="forest",
    summary="A random forest on a feature table, whole wells held out for the test.",
    run=run,
    options=Options,
    reads=("features", "embeddings"),
    writes="model",
    suffix=".model",
    example="cell-train forest f.parquet --target Metadata_Condition -o c.model",
    paper="Breiman 2001, doi:10.1023/A:1010933404324",
)
