"""A backbone learns from crops alone, without labels, for embeddings or as a start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from libcell.run.method import Method, Opt
from libcell.train.engine.options import TrainingOptions

if TYPE_CHECKING:
    from libcell.run.job import Job


@dataclass(frozen=True, kw_only=True)
class Options(TrainingOptions):
    """What is learnt from which views of which pixels, by which network, and how it is watched."""

    epochs: Annotated[int, Opt("passes over the crops", least=1)] = 100
    batch: Annotated[int, Opt("crops of one step", least=1)] = 128
    lr: Annotated[float, Opt("learning rate at its highest", least=0)] = 5e-4
    warmup: Annotated[float, Opt("epochs in which the learning rate rises", least=0)] = 5.0
    clip: Annotated[float | None, Opt("longest gradient", least=0)] = 3.0

    method: Annotated[str, Opt("how is learnt without labels: dino, simclr, vicreg")] = "dino"
    method_options: Annotated[tuple[str, ...], Opt("of the method, e.g. answers=4096 or "
                                                   "temperature=0.1")] = ()
    backbone: Annotated[str, Opt("resnet18, densenet121, vit_s, convnext_t ... or a name of "
                                 "timm's")] = "resnet18"
    weights: Annotated[str | None, Opt("start the backbone from this file or model",
                                       path=True)] = None
    channels: Annotated[tuple[str, ...], Opt("channels to see, in order [all]")] = ()
    region: Annotated[str, Opt("pixels to see: patch (all), object, nucleus, cell, cytoplasm "
                               "(0 elsewhere), nucleocentric")] = "patch"
    mask_channel: Annotated[bool, Opt("show the mask as a further channel",
                                      ("--mask-channel",))] = False
    window: Annotated[int | None, Opt("cut the middle of so many px out of each crop",
                                      least=8)] = None
    size: Annotated[int | None, Opt("scale crops to so many px [as they are]", least=8)] = None
    normalise: Annotated[str, Opt("by mean and spread of all crops, the type's range, or each "
                                  "crop's percentiles", choices=("train", "range", "crop"))
                         ] = "train"
    area: Annotated[tuple[float, ...], Opt("least and largest part of a crop that a view shows")
                    ] = (0.5, 1.0)
    local_views: Annotated[int | None, Opt("small views of each crop [4 with dino]",
                                           least=0)] = None
    local_area: Annotated[tuple[float, ...], Opt("least and largest part that a small view shows")
                          ] = (0.1, 0.5)
    local_size: Annotated[int | None, Opt("px of a small view [half of --size]", least=4)] = None
    no_flip: Annotated[bool, Opt("do not mirror", ("--no-flip",))] = False
    no_turn: Annotated[bool, Opt("do not turn by quarters", ("--no-turn",))] = False
    rotate: Annotated[float, Opt("turn by up to so many degrees, on top of quarters", least=0,
                                 most=180)] = 45.0
    intensity: Annotated[float, Opt("vary contrast and brightness by this part", least=0)] = 0.4
    noise: Annotated[float, Opt("add noise of up to this standard deviation, after "
                                "normalising", least=0)] = 0.1
    blur: Annotated[float, Opt("blur by up to so many px", least=0)] = 0.0
    channel_dropout: Annotated[float, Opt("chance that a channel is missing in a view", least=0,
                                          most=0.9)] = 0.0
    target: Annotated[str | None, Opt("column with a class, for probes by epoch; never learnt "
                                      "from")] = None
    group: Annotated[tuple[str, ...], Opt(
        "columns whose rows the probes hold out together [plate and well]")] = ()
    classes: Annotated[tuple[str, ...], Opt("classes that the probes tell apart [all]")] = ()
    probe_every: Annotated[int, Opt("epochs between probes", least=1)] = 5


def run(job: Job, options: Options) -> None:
    """Look at the crops, learn, watch, save."""
    from libcell.errors import UsageFault
    from libcell.train.engine.extra import require

    require(job.command, "timm", "torchvision")
    if options.patience is not None or options.schedule == "plateau":
        raise UsageFault("--patience and --schedule plateau wait for a better figure, and without "
                         "labels none says what is better; use --epochs and cosine or constant")
    if (options.group or options.classes) and not options.target:
        raise UsageFault("--group and --classes are of the probes, which need a --target")

    from libcell.train.selfsup.training import Training

    training = Training(job, job.inputs.paths("crops"), options)
    if training.made.blank:
        job.reporter.warn(f"{training.made.blank} of {len(training.made)} crops hold one value "
                          "only")
    fitted, learner = training.fit()
    if not fitted.first:
        return
    card = training.save(job.root, fitted, learner)
    found = card["collapse"]
    if found["collapsed"]:
        job.reporter.warn(f"collapsed since epoch {found['since_epoch']}: {found['why']}; its "
                          "embeddings are worth nothing. Use a lower --lr, a larger --batch, or "
                          "with dino a lower teacher temperature (--method-options teacher=0.04)")
    told = {k: card["probes"][k] for k in ("linear", "neighbours")} if "probes" in card else {}
    job.publish("model", len(training.made), epoch=fitted.epoch, collapsed=found["collapsed"],
                rank=found["rank"], **told)


METHOD = Method(
    name="ssl",
    summary="A backbone that learns from crops without labels, for embeddings or as a start.",
    run=run,
    options=Options,
    reads=("crops",),
    writes="model",
    suffix=".model",
    example="cell-train ssl c.crops.zarr --method dino --backbone resnet18 -o x.model",
    paper="DINO: Caron et al. 2021, arXiv:2104.14294; SimCLR: Chen et al. 2020, "
          "arXiv:2002.05709; VICReg: Bardes et al. 2022, arXiv:2105.04906",
    needs="train",
    distributed=True,
)
