"""The options of `cell-train cnn`, and of whatever trains such networks. Light: method files
import it at their top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from libcell.run.method import Opt
from libcell.train.engine.options import TrainingOptions

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
class PictureOptions(TrainingOptions):
    """What is learnt, which pixels are seen, which network learns, how they are varied."""

    target: Annotated[str, Opt("column with the class, e.g. Metadata_Class")]
    group: Annotated[tuple[str, ...], Opt(
        "columns whose rows stay together in the split [plate and well]")] = ()
    classes: Annotated[tuple[str, ...], Opt("classes to learn [all]")] = ()
    split: Annotated[str | None, Opt("column that says train, validation or test")] = None
    fractions: Annotated[tuple[float, ...], Opt("train, validation, test")] = (0.6, 0.1, 0.3)
    folds: Annotated[int | None, Opt("deal the groups into so many folds, one network each, so "
                                     "that every crop is tested", least=2)] = None
    fold: Annotated[int | None, Opt("only the network that is tested on this fold, from 0",
                                    least=0)] = None
    leave_one_out: Annotated[bool, Opt("a fold for each group", ("--leave-one-out",))] = False
    hold_out: Annotated[tuple[str, ...], Opt("groups to test on instead, as plate or plate/well")
                        ] = ()
    allow_leaks: Annotated[bool, Opt("train even if groups or equal crops are in two parts",
                                     ("--allow-leaks",))] = False
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
