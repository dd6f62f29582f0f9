"""The stage of each frame of tracked cells, from stages a frame or from their order alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt
from libcell.train.engine.options import TrainingOptions

if TYPE_CHECKING:
    from libcell.run.job import Job

NETWORKS = ("convgru", "frames", "transformer")
# The published recipe, without its faults: docs/stages.md tells which
PRESETS: dict[str, dict[str, Any]] = {
    "cell-cycle": {
        "network": "convgru", "network_options": ("width=32", "hidden=4096"), "size": 96,
        "optimizer": "adagrad", "lr": 0.01, "weight_decay": 1e-5, "schedule": "plateau",
        "batch": 4, "draw": 10.0, "epochs": 500, "warmup": 0.0,
    },
}


@dataclass(frozen=True, kw_only=True)
class Options(TrainingOptions):
    """What is learnt, which pixels are seen, which network learns, how they are varied."""

    epochs: Annotated[int, Opt("passes over the training part", least=1)] = 40
    batch: Annotated[int, Opt("sequences of one step", least=1)] = 8
    weight_decay: Annotated[float, Opt("pull of the weights towards zero", least=0)] = 0.01
    clip: Annotated[float | None, Opt("longest gradient", least=0)] = 1.0

    target: Annotated[str, Opt("column with the stage")] = "Metadata_Stage"
    truth: Annotated[str | None, Opt(
        "table with that column for the store's objects, by object_id or by field, frame and "
        "label [the store's index]", path=True)] = None
    stages: Annotated[tuple[str, ...], Opt(
        "all stages in the order in which they come; or zhong (6), livecellminer (3) [what the "
        "target's names are of]")] = ()
    weak: Annotated[bool, Opt("use of the stages only their order in each sequence",
                              ("--weak",))] = False
    orders: Annotated[str | None, Opt(
        "with --weak: table with the order of each sequence's stages, where no frame has a stage: "
        "sequence_id and stages, as A>B>C", path=True)] = None
    network: Annotated[str, Opt("what learns", choices=NETWORKS)] = "convgru"
    network_options: Annotated[tuple[str, ...], Opt("of the network, e.g. width=16, or "
                                                    "backbone=resnet18")] = ()
    preset: Annotated[str | None, Opt("options of the published recipe, which others win over",
                                      choices=tuple(PRESETS))] = None
    group: Annotated[tuple[str, ...], Opt(
        "columns whose rows stay together in the split [plate and well]")] = ()
    split: Annotated[str | None, Opt("column that says train, validation or test")] = None
    fractions: Annotated[tuple[float, ...], Opt("train, validation, test")] = (0.6, 0.1, 0.3)
    folds: Annotated[int | None, Opt("deal the groups into so many folds instead", least=2)] = None
    fold: Annotated[int, Opt("the fold to test on, from 0; the next one validates", least=0)] = 0
    hold_out: Annotated[tuple[str, ...], Opt("groups to test on instead, as plate or plate/well")
                        ] = ()
    allow_leaks: Annotated[bool, Opt("train even if groups or equal crops are in two parts",
                                     ("--allow-leaks",))] = False
    balance: Annotated[bool, Opt("rare stages weigh more, by the root of how rare they are",
                                 ("--balance/--no-balance",))] = True
    frames: Annotated[int, Opt("of a longer sequence train on so many in a row, drawn anew each "
                               "epoch", least=2)] = 64
    draw: Annotated[float, Opt("weight of drawing the masked centre cell (convgru)",
                               least=0)] = 1.0
    channels: Annotated[tuple[str, ...], Opt("channels to see, in order [all]")] = ()
    region: Annotated[str, Opt("pixels to see: patch (all), object, nucleus, cell, cytoplasm "
                               "(0 elsewhere), nucleocentric")] = "patch"
    window: Annotated[int | None, Opt("cut the middle of so many px out of each crop",
                                      least=8)] = None
    size: Annotated[int | None, Opt("scale crops to so many px [as they are]", least=8)] = None
    normalise: Annotated[str, Opt("by mean and spread of the training part, the type's range, or "
                                  "each crop's percentiles", choices=("train", "range", "crop"))
                         ] = "train"
    no_flip: Annotated[bool, Opt("do not mirror", ("--no-flip",))] = False
    rotate: Annotated[float, Opt("turn each sequence by up to so many degrees", least=0,
                                 most=180)] = 180.0
    shift: Annotated[float, Opt("move it by up to this part of the crop", least=0, most=1)] = 0.0
    intensity: Annotated[float, Opt("vary its contrast and brightness by this part",
                                    least=0)] = 0.2
    noise: Annotated[float, Opt("add noise of up to this standard deviation, after normalising",
                                least=0)] = 0.05

    # what a plan of crops asks for and sequences have no use of
    classes = ()
    per_class = None
    mask_channel = False


def run(job: Job, options: Options) -> None:
    """Split, train, set the temperature, score on what was held out, save."""
    from libcell.errors import UsageFault
    from libcell.train.engine.extra import require

    require(job.command, "timm", "torchvision")
    path, *others = job.inputs.paths("crops")
    if others:
        raise UsageFault(f"{len(others) + 1} inputs; {job.command} learns from one crop store")

    if options.orders and not options.weak:
        raise UsageFault("--orders: is for --weak; without it every frame needs its stage")

    from libcell.train.sequences.training import Training

    training = Training(job, path, options)
    fitted, network, task = training.fit()
    if not fitted.first:
        return
    card = training.save(job.root, fitted, network, task)
    for warning in card["split"]["warnings"]:
        job.reporter.warn(warning)
    best = card["metrics"].get("test") or card["metrics"].get("validation") or {}
    job.publish("model", card["split"]["rows"]["train"], epoch=fitted.epoch, **{
        k: best[k] for k in ("accuracy", "balanced_accuracy", "macro_f1") if k in best})


METHOD = Method(
    name="sequence",
    summary="The stage of each frame of tracked cells, from known stages or their order alone.",
    run=run,
    options=Options,
    reads=("crops",),
    writes="model",
    suffix=".model",
    example="cell-train sequence s.crops.zarr --group Metadata_Plate -o s.model",
    paper="centre-cell network: Jose et al. 2024, doi:10.1371/journal.pone.0297356; weak "
          "supervision: Richard et al. 2018, arXiv:1805.06875",
    needs="train",
    presets=PRESETS,
    distributed=True,
)
