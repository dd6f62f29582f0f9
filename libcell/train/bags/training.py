"""Networks of bags from options to a model: split, built, trained, judged, saved."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from libcell.data import digests, models
from libcell.errors import UsageFault
from libcell.nn import choice, pooling
from libcell.nn.pooling import Bag
from libcell.run import devices
from libcell.run.job import Job
from libcell.train.bags import answers, baseline, instances
from libcell.train.bags.instances import Bags
from libcell.train.bags.task import BagClasses, Lesson, said
from libcell.train.engine import history, seeds
from libcell.train.engine.fit import Fitted, fit
from libcell.train.engine.launch import processes
from libcell.train.engine.recipe import Recipe
from libcell.train.folds import members, sample
from libcell.train.kernels import held_out, probe, temperature

IDENTITY = 5  # instances of fewer columns may be equal by chance


class Training:
    """Bags, split and looked at once, and the networks that learn from them: one from one split,
    or one per fold and all in one model."""

    def __init__(self, job: Job, bags: Bags, options: Any):
        self.job, self.bags, self.options = job, bags, options
        instances.require_alike(bags, (options.target,), "--target")
        instances.require_alike(bags, options.group, "--group")
        table = bags.table.append_column("place", pa.array(np.arange(len(bags))))
        self.made = sample.sample(table, options, job.seed)
        self.places = self.made.table.column("place").to_numpy()
        if len(self.made.splits) > 1 and processes() > 1:
            raise UsageFault("several folds under torchrun: train them one by one (--fold 0 ...)")
        self.leaks = self._audit()
        self.device = torch.device(devices.resolve(job.device))

    def _audit(self) -> list[Any]:
        """Of single instances: one that is in bags of two parts tells one the other's class."""
        inside = np.full(len(self.bags), -1)
        inside[self.places] = np.arange(len(self.places))
        bag = inside[self.bags.bag]
        some = np.flatnonzero(bag >= 0)
        enough = len(self.bags.names) >= IDENTITY
        return sample.audit(
            self.bags.instances.take(pa.array(some)), self.made.groups[bag[some]],
            self.made.tested[bag[some]], self.options.allow_leaks,
            self.bags.values[self.bags.rows[some]] if enough else None)

    def model(self, root: Path) -> dict[str, Any] | None:
        """Train a model, write it to `root`, and return its card. None in all processes of
        torchrun's but the first."""
        if len(self.made.splits) == 1:
            return self._one(0, root, "train")

        def one(k: int, folder: Path) -> None:
            self._one(k, folder, f"train-{folder.name}")

        made = self.made
        members.train(self.job, root, len(made.splits), one)
        split = members.split_card(made.columns, made.groups, made.tested, made.y, made.classes,
                                   self.leaks)
        found = answers.of_bags(root, {"split": split}, self.bags, self.places, str(self.device),
                                others=False)
        card = members.card(root, split, found[answers.CHANCES], made.classes[made.y],
                            made.groups, self.job.seed)
        first = models.load_card(root / "fold-0")["training"]
        card["training"] = {"parameters": first["parameters"]}  # of each
        models.save(root, None, card)
        return card

    def _one(self, k: int, root: Path, phase: str) -> dict[str, Any] | None:
        split = self.made.splits[k]
        fitted = self._fit(split, phase)
        if not fitted.first:
            return None
        card = self._save(root, split, fitted)
        shutil.rmtree(self.job.parts / phase, ignore_errors=True)  # checkpoints of a finished one
        return card

    def _fit(self, split: np.ndarray, phase: str) -> Fitted:
        options, made = self.options, self.made
        lesson = Lesson(self.places, made.y, split, len(made.classes), options.batch,
                        options.passes, options.balance, options.sampling == "segments",
                        options.monitor)
        seeds.plant(self.job.seed)
        network = pooling.build(self._shape(), len(made.classes))
        self._scale(network, split)
        task = BagClasses(network, self.bags, lesson, self.job.seed)
        return fit(task, Recipe.of(options), self.job, seed=self.job.seed, phase=phase)

    def _shape(self) -> dict[str, Any]:
        """The card's `network`."""
        options = self.options
        given = choice.pairs("--pooling-options", options.pooling_options)
        return {"name": options.pooling, "features": len(self.bags.names),
                "options": asdict(pooling.options(options.pooling, given))}

    def _scale(self, network: Bag, split: np.ndarray) -> None:
        """Mean and spread of the training part's instances."""
        train = np.concatenate([self.bags.of(b) for b in self.places[split == "train"]])
        there = ~np.isnan(train).all(axis=0)
        mean, sd = np.zeros(train.shape[1]), np.ones(train.shape[1])
        mean[there] = np.nanmean(train[:, there], axis=0, dtype=float)
        sd[there] = np.nanstd(train[:, there], axis=0, dtype=float)
        network.mean.copy_(torch.from_numpy(mean))
        network.sd.copy_(torch.from_numpy(np.where(sd > 0, sd, 1.0)))

    def _save(self, root: Path, split: np.ndarray, fitted: Fitted) -> dict[str, Any]:
        """Judge a trained network and write its model to `root`; returns the card."""
        made, options, job = self.made, self.options, self.job
        provenance = job.provenance()
        card = {
            "provenance": provenance,
            "architecture": f"bags+{options.pooling}",
            "classes": made.classes.tolist(),
            "target": options.target,
            "input": {"kind": "bags", "columns": self.bags.names},
            "network": self._shape(),
            "training_data": digests.of_json([i["digest"] for i in provenance["inputs"]]),
            "split": held_out.split_card(made.columns, made.groups, split, made.y, made.classes,
                                         self.leaks),
            "training": {"epoch": fitted.epoch, "epochs": fitted.epochs,
                         "parameters": sum(p.numel() for p in fitted.network.parameters())},
            "seed": job.seed,
        } | self._verdict(fitted.network, split)
        if not options.no_baselines:
            train = split == "train"
            baseline.fit(root, self.bags, self.places[train], made.y[train], len(made.classes))
        history.write(root, fitted.history, provenance)
        models.save(root, fitted.tensors(), card)
        return card

    def _verdict(self, network: Any, split: np.ndarray) -> dict[str, Any]:
        """The card's `calibration`, `metrics` and `batch_probe`, from what was held out."""
        made, seed = self.made, self.job.seed
        held = np.flatnonzero(split != "train")
        y, groups = made.y[held], made.groups[held]
        scores, _ = said(network, self.bags, self.places[held], "cpu")
        scores = scores.reshape(len(held), len(made.classes))
        validation = split[held] == "validation"
        found = temperature.fit_temperature(scores[validation], y[validation])
        return {"calibration": {"temperature": found, "rows": int(validation.sum())},
                "metrics": held_out.figures(temperature.probabilities(scores, found), y,
                                            made.classes, split[held], groups, seed),
                "batch_probe": probe.batch_probe(scores, groups, y, seed)}
