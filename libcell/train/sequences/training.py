"""A network of sequences from options to a model: built, trained, judged, saved."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from libcell.data import crops, models
from libcell.nn import choice, sequence
from libcell.nn.augment import Augmentation
from libcell.run import devices
from libcell.run.job import Job
from libcell.train.engine import history, seeds
from libcell.train.engine.fit import Fitted, fit
from libcell.train.engine.recipe import Recipe
from libcell.train.kernels import held_out, temperature
from libcell.train.pictures import contract, plan
from libcell.train.sequences import courses, durations, judge, truth, written
from libcell.train.sequences.courses import Material
from libcell.train.sequences.task import Lesson, Stages


class Training:
    """A store's sequences, split and described once, and the network that learns from them."""

    def __init__(self, job: Job, path: Path, options: Any):
        self.job, self.path, self.options = job, path, options
        store = crops.open_crops(path)
        index = truth.joined(store.index(), options.truth, options.target)
        told = written.orders(options.orders) if options.orders else {}
        if told:
            index = written.spread(index, courses.read(store, index), told, options.target,
                                   options.orders)
        self.made: Material = courses.material(path, store, index, options, job.seed)
        if told:
            self.made = written.ordered(self.made, told)
        self.leaks = plan.audit(self.made.plan, options.allow_leaks)
        train = np.unique(np.concatenate([c.rows for c in self.made.courses["train"]]))
        self.fed = contract.make(path, options, train[train >= 0]) | {"kind": "sequences"}
        self.device = torch.device(devices.resolve(job.device))

    def fit(self) -> tuple[Fitted, nn.Module, Stages]:
        """The trained network, and the task that trained it."""
        options, job = self.options, self.job
        seeds.plant(job.seed)
        network = sequence.build(self.shape(), len(self.made.classes))
        task = Stages(network, self.made, self.path, self.fed, _lesson(options), job.seed)
        fitted = fit(task, Recipe.of(options), job, seed=job.seed)
        return fitted, network, task

    def shape(self) -> dict[str, Any]:
        """The card's `network`."""
        options = self.options
        given = choice.pairs("--network-options", options.network_options)
        return {"name": options.network, "channels": len(self.fed["channels"]),
                "size_px": self.fed["size_px"],
                "options": asdict(sequence.options(options.network, given))}

    def save(self, root: Path, fitted: Fitted, network: nn.Module, task: Stages) -> dict[str, Any]:
        """Judge the trained network and write its model to `root`; returns the card."""
        card = {
            "provenance": self.job.provenance(),
            "architecture": self.options.network + ("+order" if self.options.weak else ""),
            "classes": self.made.classes.tolist(),
            "target": self.options.target,
            "input": self.fed,
            "network": self.shape(),
            "training_data": self.job.inputs.digest()["digest"],
            "split": self.made.plan.card(self.leaks),
            "training": {"epoch": fitted.epoch, "epochs": fitted.epochs,
                         "sequences": {k: len(v) for k, v in self.made.courses.items()},
                         "parameters": sum(p.numel() for p in network.parameters())},
            "seed": self.job.seed,
            "stages": self._stages(task),
        } | self._verdict(network)
        history.write(root, fitted.history, self.job.provenance())
        models.save(root, {k: v.detach().cpu().contiguous().numpy()
                           for k, v in network.state_dict().items()}, card)
        return card

    def _stages(self, task: Stages) -> dict[str, Any]:
        """What was seen of the stages: which follows which and how often, how long each lasts."""
        k = len(self.made.classes)
        changes = np.zeros((k, k), np.int64)
        for one in self.made.courses["train"]:
            order = one.transcript
            np.add.at(changes, (order[:-1], order[1:]), 1)
        return {"changes": changes.tolist(),
                "mean_frames": durations.mean_frames([c.y for c in task.told], k)}

    def _verdict(self, network: nn.Module) -> dict[str, Any]:
        """The card's `calibration` and `metrics`; with `weak` the temperature stays 1, since the
        validation part's stages are not known then; with `orders` nobody knows any stage."""
        if self.options.orders:
            return {"calibration": {"temperature": 1.0, "rows": 0}, "metrics": {}}
        made, held = self.made.plan, [*self.made.courses["validation"], *self.made.courses["test"]]
        network.to(self.device).eval()
        scores = judge.scores(network, self.path, self.fed, held, self.device)
        network.to("cpu")
        each, _ = judge.by_crop(scores, held, int(made.rows[-1]) + 1)
        places = np.flatnonzero(made.split != "train")
        said, y, split = each[made.rows[places]], made.y[places], made.split[places]
        known = (split == "validation") & (not self.options.weak)
        found = temperature.fit_temperature(said[known], y[known])
        figures = held_out.figures(temperature.probabilities(said, found), y, made.classes, split,
                                   made.groups[places], self.job.seed) if len(places) else {}
        return {"calibration": {"temperature": found, "rows": int(known.sum())},
                "metrics": figures}


def _lesson(options: Any) -> Lesson:
    masked = options.region not in ("patch", "nucleocentric")
    varied = Augmentation(
        flip=not options.no_flip, rotate=options.rotate, zoom=0.0, shift=options.shift,
        intensity=options.intensity, noise=options.noise,
        fill="zeros" if masked else "reflection")
    return Lesson(options.batch, varied, options.frames, options.draw, options.weak,
                  options.balance)
