"""Trees on a feature table, random forest or boosted, whole groups held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from libcell.run.job import Job
    from libcell.train.folds.sample import Sample

ALGORITHMS = ("random-forest", "boosting")
IDENTITY = 5  # rows of fewer columns may be equal by chance
# docs/forests.md tells what of the published recipe is kept, and what is not
PRESETS: dict[str, dict[str, Any]] = {
    "nucleocentric": {
        "algorithm": "random-forest", "trees": 30, "max_depth": 2, "balance": "sampling",
        "max_correlation": 0.95, "fractions": "0.67,0,0.33",
    },
}


@dataclass(frozen=True)
class Options:
    """What is learnt, from which columns, how the rows are split, how trees are grown."""

    target: Annotated[str, Opt("column with the class, e.g. Metadata_Condition")]
    group: Annotated[tuple[str, ...], Opt(
        "columns whose rows stay together in the split [plate and well]")] = ()
    classes: Annotated[tuple[str, ...], Opt("classes to learn [all]")] = ()
    split: Annotated[str | None, Opt("column that says train, validation or test")] = None
    fractions: Annotated[tuple[float, ...], Opt("train, validation, test")] = (0.6, 0.1, 0.3)
    folds: Annotated[int | None, Opt("deal the groups into so many folds, one model each, so that "
                                     "every row is tested", least=2)] = None
    fold: Annotated[int | None, Opt("only the model that is tested on this fold, from 0",
                                    least=0)] = None
    leave_one_out: Annotated[bool, Opt("a fold for each group", ("--leave-one-out",))] = False
    hold_out: Annotated[tuple[str, ...], Opt("groups to test on instead, as plate or plate/well")
                        ] = ()
    allow_leaks: Annotated[bool, Opt("train even if groups or equal rows are in two parts",
                                     ("--allow-leaks",))] = False
    compartments: Annotated[tuple[str, ...], Opt("use features of these, e.g. Nuclei")] = ()
    families: Annotated[tuple[str, ...], Opt("use these families, e.g. AreaShape")] = ()
    channels: Annotated[tuple[str, ...], Opt("use features of these channels")] = ()
    location: Annotated[bool, Opt("use positions in the image, too", ("--location",))] = False
    max_correlation: Annotated[float | None, Opt("leave out columns whose |r| with an earlier one "
                                                 "is above, e.g. 0.95", least=0, most=1)] = None
    per_class: Annotated[int | None, Opt("train on at most this many rows of a class",
                                         least=1)] = None
    balance: Annotated[str, Opt("what is done for rare classes: they weigh more, or of each as "
                                "many rows are drawn as of the rarest",
                                choices=("weights", "sampling", "none"))] = "weights"
    preset: Annotated[str | None, Opt("options of a published recipe, which others win over",
                                      choices=tuple(PRESETS))] = None
    algorithm: Annotated[str, Opt("how trees are grown", choices=ALGORITHMS)] = "random-forest"
    trees: Annotated[int | None, Opt("number of trees, or most rounds of boosting "
                                     "[300, boosting 1000]", least=1)] = None
    max_depth: Annotated[int | None, Opt("deepest level of a tree", least=1)] = None
    min_samples_leaf: Annotated[int | None, Opt("fewest rows in a leaf [1, boosting 20]",
                                                least=1)] = None
    max_features: Annotated[str | None, Opt("columns tried at each split, or of boosting in each "
                                            "tree: sqrt, log2 or a fraction [sqrt, boosting 1]")
                            ] = None
    learning_rate: Annotated[float, Opt("of boosting", least=0, most=1)] = 0.05
    leaves: Annotated[int, Opt("most leaves of a boosted tree", least=2)] = 31
    patience: Annotated[int, Opt("stop boosting after so many rounds without a lower loss on the "
                                 "validation part", least=1)] = 50


def run(job: Job, options: Options) -> None:
    """Split, grow, score on what was held out, save: one model, or one per fold and all in one."""
    from libcell.data import matrix, models
    from libcell.schema import columns
    from libcell.train.folds import members, sample
    from libcell.train.trees import growing, model

    table = job.inputs.table("features", "embeddings")
    made = sample.sample(table, options, job.seed)
    told = {options.target, options.split, *made.columns}  # would give the class away
    numbers = [n for n in matrix.numeric_columns(made.table) if n not in told]
    names = columns.choose_columns(
        numbers, compartments=options.compartments or None, families=options.families or None,
        channels=options.channels or None, location=options.location)
    values = matrix.matrix(made.table, names)
    leaks = sample.audit(made.table, made.groups, made.tested, options.allow_leaks,
                         values if len(names) >= IDENTITY else None)
    shared = _card(job, options, made, table)

    def grow(k: int, root: Path) -> None:
        grown, chances = growing.grow(job, options, made, made.splits[k], values, names)
        growing.save(root, grown, shared | growing.judged(job, made, k, chances, leaks))

    if len(made.splits) == 1:
        grow(0, job.root)
    else:
        members.train(job, job.root, len(made.splits), grow)
        split = members.split_card(made.columns, made.groups, made.tested, made.y, made.classes,
                                   leaks)
        chances = model.chances(job.root, {"split": split}, made.table)
        models.save(job.root, None, members.card(
            job.root, split, chances, made.classes[made.y], made.groups, job.seed))
    _announce(job, models.load_card(job.root))


def _card(job: Job, options: Options, made: Sample, table: pa.Table) -> dict[str, Any]:
    """What the cards of all folds say alike."""
    kind = (table.schema.metadata or {}).get(b"schema", b"features/1").decode().split("/")[0]
    return {
        "provenance": job.provenance(),
        "architecture": options.algorithm,
        "classes": made.classes.tolist(),
        "target": options.target,
        "input": {"kind": kind},
        "training_data": job.inputs.digest()["digest"],
        "seed": job.seed,
    }


def _announce(job: Job, card: dict[str, Any]) -> None:
    for warning in card["split"]["warnings"]:
        job.reporter.warn(warning)
    folds = card["split"].get("members")
    rows = card["split"]["rows"]["test"] if folds else card["training"]["rows"]
    held = card["metrics"].get("test") or card["metrics"].get("validation") or {}
    told = {k: held[k] for k in ("balanced_accuracy", "macro_f1") if k in held}
    job.publish("model", rows, **({"folds": len(folds)} if folds else {}), **told)


METHOD = Method(
    name="forest",
    summary="Trees on a feature table, a random forest or boosted, whole wells held out.",
    run=run,
    options=Options,
    reads=("features", "embeddings"),
    writes="model",
    suffix=".model",
    example="cell-train forest f.parquet --target Metadata_Condition -o c.model",
    paper="Breiman 2001, doi:10.1023/A:1010933404324; Ke et al. 2017 (LightGBM)",
    presets=PRESETS,
)
