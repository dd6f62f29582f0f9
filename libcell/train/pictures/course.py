"""A store's crops, split and looked at once, and the models that learn from them: one from one
split, or one per fold and all in one.
"""

import shutil
from pathlib import Path
from typing import Any

import torch

from libcell.data import models
from libcell.errors import UsageFault
from libcell.run import devices
from libcell.run.job import Job
from libcell.train.engine.launch import processes
from libcell.train.folds import members
from libcell.train.pictures import plan
from libcell.train.pictures.answers import CHANCES, of_crops
from libcell.train.pictures.options import PictureOptions
from libcell.train.pictures.training import Training


class Course:
    """The store at `path`, of which `index` is the table."""

    def __init__(self, job: Job, path: Path, index: Any, options: PictureOptions):
        self.job = job
        self.made, plans = plan.plans(path, index, options, job.seed)
        if len(plans) > 1 and processes() > 1:
            raise UsageFault("several folds under torchrun: train them one by one (--fold 0 ...)")
        self.leaks = plan.audit(self.made, options.allow_leaks)
        self.device = torch.device(devices.resolve(job.device))
        self.trainings = [Training(job, one, self.leaks, options, self.device)
                          for one in plans]

    def model(
        self, root: Path, options: PictureOptions, seed: int, phase: str
    ) -> dict[str, Any] | None:
        """Train a model, write it to `root`, and return its card; what an interrupted run
        finished is not done again. None in all processes of torchrun's but the first."""
        if (root / models.CARD).is_file():  # written last of all its files
            return models.load_card(root)
        if len(self.trainings) == 1:
            return self._one(0, root, options, seed, phase)
        def one(k: int, folder: Path) -> None:
            self._one(k, folder, options, seed, f"{phase}-{folder.name}")

        made = self.made
        members.train(self.job, root, len(self.trainings), one)
        split = members.split_card(made.group_columns, made.groups, made.split, made.y,
                                   made.classes, self.leaks)
        said = of_crops(root, {"split": split}, made.keys, made.path, made.rows,
                        str(self.device), alone=True, others=False)
        card = members.card(root, split, said[CHANCES], made.classes[made.y], made.groups, seed)
        first = models.load_card(root / "fold-0")["training"]
        card["training"] = {"parameters": first["parameters"]}  # of each
        models.save(root, None, card)
        return card

    def _one(
        self, k: int, root: Path, options: PictureOptions, seed: int, phase: str
    ) -> dict[str, Any] | None:
        training = self.trainings[k]
        fitted, shape = training.fit(options, seed, phase)
        if not fitted.first:
            return None
        card = training.save(root, options, seed, fitted, shape)
        shutil.rmtree(self.job.parts / phase, ignore_errors=True)  # checkpoints of a finished one
        return card
