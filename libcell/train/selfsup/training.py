"""A backbone without labels, from options to a model: built, taught, watched, saved."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from libcell.data import models
from libcell.errors import UsageFault, short
from libcell.nn import backbones, choice, classifier, selfsup, untrained
from libcell.nn.augment import Augmentation, Cut
from libcell.nn.backbones import pretrained
from libcell.nn.selfsup import Learner
from libcell.run import devices
from libcell.run.job import Job
from libcell.train.engine import history, seeds
from libcell.train.engine.fit import Fitted, fit
from libcell.train.engine.recipe import Recipe
from libcell.train.pictures.contract import reader_of
from libcell.train.selfsup import collapse, picture, watch
from libcell.train.selfsup.material import Material
from libcell.train.selfsup.task import Unlabelled, Views
from libcell.train.selfsup.watch import Watch

SETTLING = 8  # batches from which an untrained network learns the spread of its layers


class Training:
    """Stores' crops, described once, and the backbone that learns from them."""

    def __init__(self, job: Job, paths: list[Path], options: Any):
        self.job, self.options = job, options
        given = choice.pairs("--method-options", options.method_options)
        self.given = asdict(selfsup.options(options.method, given))
        self.count = _local_views(options)
        self.made = Material(paths, options)
        self.told = watch.known(self.made.index(), options, job.seed) if options.target else None
        self.batch = self._batch()
        self.epoch_steps = max(1, len(self.made) // self.batch)
        self.watch = Watch(self.made, self.told, options.probe_every, options.epochs, job.seed)
        self.device = torch.device(devices.resolve(job.device))
        self.size = (self.made.contract["size_px"][0], self.made.contract["size_px"][1])
        self.shape = {"backbone": options.backbone, "size_px": list(self.size),
                      "channels": len(self.made.contract["channels"]) + options.mask_channel}

    def fit(self) -> tuple[Fitted, Learner]:
        """The trained learner, on the CPU."""
        options, seed = self.options, self.job.seed
        seeds.plant(seed)
        backbone = self._backbone()
        small = _local_size(options, backbone, self.size) if self.count else self.size
        _require_fit(backbone, self.shape["channels"], {self.size, small}, options)
        learner = selfsup.build(options.method, backbone, self.epoch_steps, self.given)
        task = Unlabelled(learner, self.made, _views(options, self.size, small, self.count),
                          self.batch, self.watch, seed)
        return fit(task, Recipe.of(options, last=True), self.job, seed=seed), learner

    def save(self, root: Path, fitted: Fitted, learner: Learner) -> dict[str, Any]:
        """Write the backbone as a model to `root`, with its curves; returns the card."""
        options, made = self.options, self.made
        baselines = self._untrained() if self.told else {}
        found = collapse.verdict(learner, fitted.history)
        last = {k: fitted.figures[k] for k in ("linear", "neighbours") if k in fitted.figures}
        card = {
            "provenance": self.job.provenance(),
            "architecture": f"{options.backbone}+{options.method}",
            "classes": [],
            "target": "",
            "input": made.contract,
            "network": self.shape,
            "training_data": self.job.inputs.digest()["digest"],
            "split": {"by": [], "rows": {"train": len(made)}, "warnings": []},
            "training": {"method": options.method, "options": self.given,
                         "epoch": fitted.epoch, "epochs": fitted.epochs, "batch": self.batch,
                         "parameters": sum(p.numel() for p in learner.taught.parameters())},
            "metrics": {},
            "collapse": found,
            "seed": self.job.seed,
        }
        if self.told:
            card["probes"] = last | {
                "target": options.target, "by": list(self.told.columns),
                "rows": len(self.told.rows), "folds": int(self.told.fold.max()) + 1,
                "untrained": baselines}
        history.write(root, fitted.history, self.job.provenance())
        (root / picture.NAME).write_text(picture.draw(fitted.history, baselines,
                                                      len(self.told.classes) if self.told else 0))
        models.save(root, {f"backbone.{k}": v.detach().cpu().contiguous().numpy()
                           for k, v in learner.taught.state_dict().items()}, card)
        return card

    def _batch(self) -> int:
        if self.options.batch < 2:
            raise UsageFault(f"--batch {self.options.batch}: crops are compared with each other; "
                             "expected 2 or more")
        if self.options.batch > len(self.made):
            self.job.reporter.warn(f"--batch {self.options.batch}: there are {len(self.made)} "
                                   "crops, so each epoch is one step of all of them")
        return min(self.options.batch, len(self.made))

    def _backbone(self) -> nn.Module:
        name, channels = self.options.backbone, self.shape["channels"]
        made = backbones.build(name, channels, self.size, any_size=True)
        if self.options.weights:
            pretrained.take(made, models.load_foreign(Path(self.options.weights)),
                            self.options.weights)
        return made

    def _untrained(self) -> dict[str, float]:
        """What probes say of the same backbone before training, every layer awake and its
        normalisation settled on the crops."""
        seeds.plant(self.job.seed)
        made = backbones.build(self.options.backbone, self.shape["channels"], self.size)
        untrained.wake(made)
        made.to(self.device).train()
        contract, path = self.made.contract, self.made.paths[0]
        with torch.no_grad():
            for _, batch in zip(range(SETTLING), reader_of(contract, path).in_order(128)):
                if len(batch.rows) > 1:
                    made(classifier.prepare(batch.crops, batch.masks, contract, self.device))
        return self.watch.probes(made.eval(), self.device)


def _local_views(options: Any) -> int:
    """How many small views of each crop. UsageFault where the method has no use of them."""
    own = int(selfsup.load(options.method).LOCAL)
    if options.local_views and not own:
        raise UsageFault(f"--local-views {options.local_views}: --method {options.method} has no "
                         "use of small views")
    return own if options.local_views is None else int(options.local_views)


def _local_size(options: Any, backbone: nn.Module, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of small views: those asked for, or half of the whole ones', in full
    patches where there are some."""
    if options.local_size:
        return options.local_size, options.local_size
    patch = getattr(getattr(backbone, "patch_embed", None), "patch_size", (1, 1))
    made = [max(p, math.ceil(s / 2 / p) * p) for s, p in zip(size, patch)]
    return made[0], made[1]


def _require_fit(
    backbone: nn.Module, channels: int, sizes: set[tuple[int, int]], options: Any
) -> None:
    """UsageFault unless pictures of all sizes go through."""
    backbone.eval()
    for height, width in sorted(sizes, reverse=True):
        try:
            with torch.no_grad():
                backbone(torch.zeros((1, channels, height, width)))
        except (AssertionError, RuntimeError, ValueError) as error:
            raise UsageFault(
                f"--backbone {options.backbone} cannot take views of {height} x {width} px "
                f"({short(error)}); choose another --size or --local-size, or "
                "--local-views 0") from error


def _views(
    options: Any, size: tuple[int, int], small: tuple[int, int], count: int
) -> Views:
    # where pixels outside the object are black, what a turn brings in must be, too
    masked = options.region not in ("patch", "nucleocentric")

    def cut(to: tuple[int, int], area: tuple[float, ...], name: str) -> Cut:
        if len(area) != 2 or not 0 < area[0] <= area[1] <= 1:
            raise UsageFault(f"--{name}: expected two parts of 1, e.g. 0.5,1")
        return Cut(to, (area[0], area[1]), flip=not options.no_flip, turns=not options.no_turn,
                   rotate=options.rotate, fill="zeros" if masked else "reflection")

    varied = Augmentation(intensity=options.intensity, noise=options.noise, blur=options.blur,
                          drop=options.channel_dropout)
    return Views(cut(size, options.area, "area"), cut(small, options.local_area, "local-area"),
                 count, varied)
