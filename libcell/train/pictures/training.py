"""One network from options to a model: built, trained, judged, saved."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from libcell.data import models
from libcell.errors import DataError, MissingInput
from libcell.nn import choice, classifier, heads
from libcell.nn.augment import Augmentation
from libcell.nn.backbones import pretrained
from libcell.nn.classifier import Classifier
from libcell.run.job import Job
from libcell.train.engine import history, seeds
from libcell.train.engine.fit import Fitted, fit
from libcell.train.engine.recipe import Recipe
from libcell.train.kernels.split_audit import Leak
from libcell.train.pictures import baselines, contract, verdict
from libcell.train.pictures.options import PictureOptions
from libcell.train.pictures.plan import Plan
from libcell.train.pictures.task import CropClasses, Lesson


class Training:
    """One split of a store's crops, described once, and the networks that learn from it."""

    def __init__(
        self, job: Job, made: Plan, leaks: list[Leak], options: PictureOptions,
        device: torch.device,
    ):
        self.job, self.made, self.leaks, self.device = job, made, leaks, device
        self.fed = contract.make(made.path, options, made.rows[made.of("train")])

    def fit(
        self, options: PictureOptions, seed: int, phase: str
    ) -> tuple[Fitted, dict[str, Any]]:
        """A trained network, and its card's `network`. `phase` names its checkpoints."""
        network, shape = _network(options, self.fed, len(self.made.classes), seed)
        task = CropClasses(network, self.made, self.fed, _lesson(options), seed)
        return fit(task, Recipe.of(options), self.job, seed=seed, phase=phase), shape

    def save(
        self, root: Path, options: PictureOptions, seed: int, fitted: Fitted, shape: dict[str, Any]
    ) -> dict[str, Any]:
        """Judge a trained network and write its model to `root`; returns the card."""
        card = {
            "provenance": self.job.provenance(),
            "architecture": f"{options.backbone}+{options.head.partition(':')[0]}",
            "classes": self.made.classes.tolist(),
            "target": options.target,
            "input": self.fed,
            "network": shape,
            "training_data": self.job.inputs.digest()["digest"],
            "split": self.made.card(self.leaks),
            "training": {"epoch": fitted.epoch, "epochs": fitted.epochs,
                         "parameters": sum(p.numel() for p in fitted.network.parameters())},
            "seed": seed,
        } | verdict.verdict(fitted.network, self.made, self.fed, seed, self.device)
        if not options.no_baselines:
            models.save_tensors(root, baselines.FILE, baselines.fit(
                self.made, self.fed, shape, seed, self.device, self.job.pool.cores))
        history.write(root, fitted.history, self.job.provenance())
        models.save(root, fitted.tensors(), card)
        return card


def _network(
    options: PictureOptions, fed: dict[str, Any], classes: int, seed: int
) -> tuple[Classifier, dict[str, Any]]:
    """The untrained (or pretrained) network, and what the card says of it."""
    name, given = head_of(options)
    shape = {
        "backbone": options.backbone,
        "channels": len(fed["channels"]) + fed["mask_channel"],
        "size_px": fed["size_px"],
        "head": {"name": name, "options": asdict(heads.options(name, given))},
    }
    seeds.plant(seed)
    network = classifier.build(shape, classes)
    if options.weights:
        pretrained.take(network.backbone, models.load_foreign(Path(options.weights)),
                        options.weights)
    return network, shape


def head_of(options: PictureOptions) -> tuple[str, dict[str, str]]:
    """The head's name and options; the content of FILE in NAME:FILE is its option `text`.

    An error for one that cannot be built, before any pixel is looked at.
    """
    name, _, file = options.head.partition(":")
    given = choice.pairs("--head-options", options.head_options)
    if file:
        given["text"] = _text(options.head, Path(file))
    with torch.device("meta"):  # shapes without numbers: costs nothing
        heads.build(name, 64, 2, given)
    return name, given


def _text(head: str, file: Path) -> str:
    if not file.is_file():
        raise MissingInput(f"--head {head}: {file}: not found")
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"--head {head}: {file}: not a text file ({error})") from error


def _lesson(options: PictureOptions) -> Lesson:
    # where pixels outside the object are black, what a turn brings in must be, too
    masked = options.region not in ("patch", "nucleocentric")
    varied = Augmentation(
        flip=not options.no_flip, rotate=options.rotate, zoom=options.zoom, shift=options.shift,
        intensity=options.intensity, noise=options.noise, blur=options.blur,
        drop=options.channel_dropout, fill="zeros" if masked else "reflection")
    half = options.precision == "bf16"
    return Lesson(options.batch, varied, options.mixup, options.label_smoothing, options.balance,
                  options.monitor, torch.channels_last if half else torch.contiguous_format)
