"""The class of a bag of instances, such as all patches of one flask's time series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt
from libcell.train.engine.options import TrainingOptions

if TYPE_CHECKING:
    from libcell.run.job import Job

# The published recipe; docs/bags.md tells what differs
PRESETS: dict[str, dict[str, Any]] = {
    "clanet": {
        "pooling": "attention", "pooling_options": ("width=0", "dropout=0"), "optimizer": "sgd",
        "lr": 5e-4, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "constant", "batch": 32,
        "epochs": 400, "passes": 5, "warmup": 0.0, "balance": False,
    },
}


@dataclass(frozen=True, kw_only=True)
class Options(TrainingOptions):
    """What is learnt, which bags are held out, how a bag becomes one."""

    epochs: Annotated[int, Opt("looks at the validation part", least=1)] = 20
    passes: Annotated[int, Opt("passes over the training part before each", least=1)] = 10
    batch: Annotated[int, Opt("bags of one step", least=1)] = 16
    lr: Annotated[float, Opt("learning rate at its highest", least=0)] = 3e-3
    weight_decay: Annotated[float, Opt("pull of the weights towards zero", least=0)] = 0.05

    embeddings: Annotated[tuple[str, ...], Opt(
        "tables of embeddings or features with a row per instance", path=True)]
    target: Annotated[str, Opt("column with the bag's class, of the bags or the embeddings")]
    group: Annotated[tuple[str, ...], Opt(
        "columns whose bags stay together in the split, e.g. Metadata_Batch [plate and well]")] = ()
    classes: Annotated[tuple[str, ...], Opt("classes to learn [all]")] = ()
    split: Annotated[str | None, Opt("column that says train, validation or test")] = None
    fractions: Annotated[tuple[float, ...], Opt("train, validation, test")] = (0.6, 0.1, 0.3)
    folds: Annotated[int | None, Opt("deal the groups into so many folds, one network each, so "
                                     "that every bag is tested", least=2)] = None
    fold: Annotated[int | None, Opt("only the network that is tested on this fold, from 0",
                                    least=0)] = None
    leave_one_out: Annotated[bool, Opt("a fold for each group", ("--leave-one-out",))] = False
    hold_out: Annotated[tuple[str, ...], Opt("groups to test on instead, as plate or plate/well")
                        ] = ()
    allow_leaks: Annotated[bool, Opt("train even if groups or equal instances are in two parts",
                                     ("--allow-leaks",))] = False
    allow_missing: Annotated[bool, Opt("leave out instances that --embeddings lacks",
                                       ("--allow-missing",))] = False
    pooling: Annotated[str, Opt("how instances become one bag: attention, mean, max, "
                                "transformer")] = "attention"
    pooling_options: Annotated[tuple[str, ...], Opt("of the pooling, e.g. hidden=64")] = ()
    sampling: Annotated[str, Opt(
        "what is seen of a time series in training: snippets with sampled gaps, or all of it",
        choices=("segments", "whole"))] = "segments"
    balance: Annotated[bool, Opt("bags of rare classes weigh more",
                                 ("--balance/--no-balance",))] = True
    no_baselines: Annotated[bool, Opt("do not keep what the network must beat in the model: "
                                      "logistic regression on mean instances",
                                      ("--no-baselines",))] = False
    preset: Annotated[str | None, Opt("options of a published recipe, which others win over",
                                      choices=tuple(PRESETS))] = None
    monitor: Annotated[str, Opt("figure on the validation part that chooses the epoch",
                                choices=("loss", "balanced_accuracy", "macro_f1"))] = "loss"


def run(job: Job, options: Options) -> None:
    """Join bags and embeddings, split, train, score on what was held out, save."""
    from pathlib import Path

    from libcell.train.engine.extra import require

    require(job.command)
    from libcell.train.bags import instances
    from libcell.train.bags.training import Training
    from libcell.train.folds.announced import announce

    bags, left_out = instances.read(
        job.inputs.paths("bags"), [Path(p) for p in options.embeddings], None,
        allow_missing=options.allow_missing)
    if left_out:
        job.reporter.warn(left_out)
    card = Training(job, bags, options).model(job.root)
    if card is not None:
        announce(job, card, ("accuracy", "balanced_accuracy", "macro_f1"))


METHOD = Method(
    name="mil",
    summary="The class of a bag of instances by attention, whole groups held out.",
    run=run,
    options=Options,
    reads=("bags",),
    writes="model",
    suffix=".model",
    example="cell-train mil bags.parquet --embeddings e.parquet --target Metadata_Line "
            "--group Metadata_Batch --leave-one-out -o x.model",
    paper="gated attention: Ilse et al. 2018, arXiv:1802.04712; time-series segment sampling: "
          "CLANet, arXiv:2306.16538",
    needs="train",
    presets=PRESETS,
    distributed=True,
)
