"""A network that tells the classes of crops, whole groups held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt
from libcell.train.engine.options import TrainingOptions

if TYPE_CHECKING:
    from pathlib import Path

    from libcell.nn.classifier import Classifier
    from libcell.run.job import Job
    from libcell.train.engine.fit import Fitted
    from libcell.train.pictures.plan import Plan
    from libcell.train.pictures.task import Lesson

NORMALISE = ("train", "range", "crop")
# The recipes of two published systems, without their faults: docs/training.md tells which
PRESETS: dict[str, dict[str, Any]] = {
    "livecell-cls": {
        "region": "object", "size": 224, "normalise": "range", "balance": "sampling",
        "rotate": 180.0, "zoom": 0.0, "shift": 0.35, "intensity": 0.0, "noise": 0.0,
        "optimizer": "adamw", "lr": 1e-4, "weight_decay": 0.1, "schedule": "plateau",
        "plateau_factor": 0.5, "plateau_patience": 2, "warmup": 0.0, "monitor": "loss",
        "patience": 10, "min_epochs": 25, "epochs": 250, "batch": 256, "precision": "bf16",
    },
    "nucleocentric": {
        "backbone": "resnet50", "region": "nucleocentric", "size": 128, "normalise": "crop",
        "balance": "weights", "rotate": 180.0, "zoom": 0.0, "shift": 0.0, "intensity": 0.25,
        "noise": 0.0, "optimizer": "adam", "lr": 1e-4, "weight_decay": 1e-4,
        "schedule": "plateau", "plateau_factor": 0.1, "plateau_patience": 10, "warmup": 0.0,
        "monitor": "loss", "epochs": 50, "batch": 100,
    },
}


@dataclass(frozen=True, kw_only=True)
class Options(TrainingOptions):
    """What is learnt, which pixels are seen, which network learns, how they are varied."""

    target: Annotated[str, Opt("column with the class, e.g. Metadata_Class")]
    group: Annotated[tuple[str, ...], Opt(
        "columns whose rows stay together in the split [plate and well]")] = ()
    classes: Annotated[tuple[str, ...], Opt("classes to learn [all]")] = ()
    split: Annotated[str | None, Opt("column that says train, validation or test")] = None
    fractions: Annotated[tuple[float, ...], Opt("train, validation, test")] = (0.6, 0.1, 0.3)
    folds: Annotated[int | None, Opt("deal the groups into so many folds instead", least=2)] = None
    fold: Annotated[int, Opt("the fold to test on, from 0; the next one validates", least=0)] = 0
    hold_out: Annotated[tuple[str, ...], Opt("groups to test on instead, as plate or plate/well")
                        ] = ()
    leaky: Annotated[bool, Opt("train even if groups or equal crops are in two parts",
                               ("--leaky",))] = False
    per_class: Annotated[int | None, Opt("train on at most this many crops of a class",
                                         least=1)] = None
    balance: Annotated[str, Opt("what is done for rare classes",
                                choices=("weights", "sampling", "none"))] = "weights"
    no_baselines: Annotated[bool, Opt("do not keep what the network must beat in the model: a "
                                      "forest on simple features, and itself untrained",
                                      ("--no-baselines",))] = False
    preset: Annotated[str | None, Opt("options of a published recipe, which others win over",
                                      choices=tuple(PRESETS))] = None
    backbone: Annotated[str, Opt("resnet18, densenet121, efficientnet_b0, vit_s, mixer_b, "
                                 "convnext_t, swin_t, resnet18_vit_b1 ... or a name of timm's")] = (
        "resnet18")
    head: Annotated[str, Opt("from features to classes: linear, mlp ... or NAME:FILE")] = "linear"
    head_options: Annotated[tuple[str, ...], Opt("of the head, e.g. hidden=512")] = ()
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
    normalise: Annotated[str, Opt("by mean and spread of the training part, the type's range, or "
                                  "each crop's percentiles", choices=NORMALISE)] = "train"
    no_flip: Annotated[bool, Opt("do not mirror", ("--no-flip",))] = False
    rotate: Annotated[float, Opt("turn by up to so many degrees", least=0, most=180)] = 180.0
    zoom: Annotated[float, Opt("scale by up to this part", least=0, most=0.9)] = 0.1
    shift: Annotated[float, Opt("move by up to this part of the crop", least=0, most=1)] = 0.05
    intensity: Annotated[float, Opt("vary contrast and brightness by this part", least=0)] = 0.2
    noise: Annotated[float, Opt("add noise of up to this standard deviation, after "
                                "normalising", least=0)] = 0.05
    blur: Annotated[float, Opt("blur by up to so many px", least=0)] = 0.0
    channel_dropout: Annotated[float, Opt("chance that a channel is missing", least=0,
                                          most=0.9)] = 0.0
    mixup: Annotated[float, Opt("mix pairs of crops, weights from Beta(a, a)", least=0)] = 0.0
    label_smoothing: Annotated[float, Opt("chance given to the other classes", least=0,
                                          most=0.9)] = 0.0
    monitor: Annotated[str, Opt("figure on the validation part that chooses the epoch", choices=(
        "balanced_accuracy", "macro_f1", "loss"))] = "balanced_accuracy"


def run(job: Job, options: Options) -> None:
    """Split, train, set the temperature, score on what was held out, save."""
    from libcell.data import crops
    from libcell.train.engine.extra import require

    require(job.command, "timm", "torchvision")
    path = _store(job)

    from libcell.train.engine.fit import fit
    from libcell.train.engine.recipe import Recipe
    from libcell.train.pictures import contract, plan
    from libcell.train.pictures.task import CropClasses

    made = plan.plan(path, crops.open_crops(path).index(), options, job.seed)
    leaks = plan.audit(made, options.leaky)
    fed = contract.make(path, options, made.rows[made.of("train")])
    network, shape = _network(options, fed, len(made.classes), job.seed)
    task = CropClasses(network, made, fed, _lesson(options), job.seed)
    fitted = fit(task, Recipe.of(options), job, seed=job.seed)
    if fitted.first:
        _save(job, options, made, fitted, {"input": fed, "network": shape,
                                           "split": made.card(leaks)})


def _store(job: Job) -> Path:
    from libcell.errors import UsageFault

    path, *others = job.inputs.paths("crops")
    if others:
        raise UsageFault(f"{len(others) + 1} inputs; cell-train cnn learns from one crop store")
    return path


def _save(job: Job, options: Options, made: Plan, fitted: Fitted, known: dict[str, Any]) -> None:
    """Judge the trained network, write the model, say how good it is."""
    import torch

    from libcell.data import models
    from libcell.run import devices
    from libcell.train.engine import history
    from libcell.train.pictures import baselines, verdict

    device = torch.device(devices.resolve(job.device))
    card = {
        "provenance": job.provenance(),
        "architecture": f"{options.backbone}+{options.head.partition(':')[0]}",
        "classes": made.classes.tolist(),
        "target": options.target,
        "training_data": job.inputs.digest()["digest"],
        "training": {"epoch": fitted.epoch, "epochs": fitted.epochs},
        "seed": job.seed,
    } | known | verdict.verdict(fitted.network, made, known["input"], job.seed, device)
    if not options.no_baselines:
        models.save_tensors(job.root, baselines.FILE, baselines.fit(
            made, known["input"], known["network"], job.seed, device, job.pool.width))
    history.write(job.root, fitted.history, job.provenance())
    models.save(job.root, fitted.tensors(), card)
    for warning in card["split"]["warnings"]:
        job.reporter.warn(warning)
    best = card["metrics"].get("test") or card["metrics"].get("validation") or {}
    job.publish("model", len(made.of("train")), epoch=fitted.epoch, **{
        k: best[k] for k in ("balanced_accuracy", "macro_f1") if k in best})


def _network(
    options: Options, fed: dict[str, Any], classes: int, seed: int
) -> tuple[Classifier, dict[str, Any]]:
    """The untrained (or pretrained) network, and what the card says of it."""
    from dataclasses import asdict

    from libcell.nn import classifier, heads
    from libcell.train.engine import seeds

    name, given = _head(options)
    shape = {
        "backbone": options.backbone,
        "channels": len(fed["channels"]) + fed["mask_channel"],
        "size_px": fed["size_px"],
        "head": {"name": name, "options": asdict(heads.options(name, given))},
    }
    seeds.plant(seed)
    network = classifier.build(shape, classes)
    if options.weights:
        from pathlib import Path

        from libcell.data import models
        from libcell.nn.backbones import pretrained

        pretrained.take(network.backbone, models.load_foreign(Path(options.weights)),
                        options.weights)
    return network, shape


def _head(options: Options) -> tuple[str, dict[str, str]]:
    """The head's name and options; the content of FILE in NAME:FILE is its option `text`."""
    from pathlib import Path

    from libcell.errors import MissingInput, UsageFault

    name, _, file = options.head.partition(":")
    wrong = [o for o in options.head_options if "=" not in o]
    if wrong:
        raise UsageFault(f"--head-options {wrong[0]}: expected name=value")
    given = {k: v for k, _, v in (o.partition("=") for o in options.head_options)}
    if not file:
        return name, given
    if not Path(file).is_file():
        raise MissingInput(f"--head {options.head}: {file}: not found")
    return name, given | {"text": Path(file).read_text()}


def _lesson(options: Options) -> Lesson:
    import torch

    from libcell.nn.augment import Augmentation
    from libcell.train.pictures.task import Lesson

    # where pixels outside the object are black, what a turn brings in must be, too
    masked = options.region not in ("patch", "nucleocentric")
    varied = Augmentation(
        flip=not options.no_flip, rotate=options.rotate, zoom=options.zoom, shift=options.shift,
        intensity=options.intensity, noise=options.noise, blur=options.blur,
        drop=options.channel_dropout, fill="zeros" if masked else "reflection")
    half = options.precision == "bf16"
    return Lesson(options.batch, varied, options.mixup, options.label_smoothing, options.balance,
                  options.monitor, torch.channels_last if half else torch.contiguous_format)


METHOD = Method(
    name="cnn",
    summary="A network on crops: backbone and head by name, whole groups held out for the test.",
    run=run,
    options=Options,
    reads=("crops",),
    writes="model",
    suffix=".model",
    example="cell-train cnn m.crops.zarr --target Metadata_Class --group Metadata_Plate "
            "-o c.model",
    needs="train",
    distributed=True,
    presets=PRESETS,
)
