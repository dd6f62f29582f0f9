"""Crops and their classes as the engine's task."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from libcell.nn import augment, pixels
from libcell.nn.augment import Augmentation
from libcell.train.engine.task import Task
from libcell.train.kernels import confusion
from libcell.train.pictures import judge
from libcell.train.pictures.contract import reader_of
from libcell.train.pictures.plan import Plan

DRAW = 1  # tells the seed of balanced draws from that of the reader's order


@dataclass(frozen=True)
class Lesson:
    """How a batch becomes a loss."""

    batch: int
    augmentation: Augmentation
    mixup: float = 0.0
    label_smoothing: float = 0.0
    balance: str = "none"  # weights: rare classes weigh more; sampling: they come more often
    monitor: str = "balanced_accuracy"
    layout: torch.memory_format = torch.contiguous_format  # of tensors; channels_last suits bf16


class CropClasses(Task):
    """Learn the classes of a plan's training part; judged on its validation part."""

    def __init__(self, network: nn.Module, made: Plan, contract: dict[str, Any], lesson: Lesson,
                 seed: int):
        self.network = network.to(memory_format=lesson.layout)  # type: ignore[call-overload]
        self.monitor, self.higher = lesson.monitor, lesson.monitor != "loss"
        self._plan, self._contract, self._lesson, self._seed = made, contract, lesson, seed
        self._train, self._held = made.of("train"), made.of("validation")
        self._counts = np.bincount(made.y[self._train], minlength=len(made.classes))
        self._weights = self._class_weights() if lesson.balance == "weights" else None

    # -- batches -------------------------------------------------------------------------

    def steps(self, epoch: int) -> int:
        """Whole batches; what is left over comes in another epoch."""
        return max(1, len(self._train) // self._lesson.batch)

    def batches(self, epoch: int, start: int) -> Iterator[dict[str, np.ndarray]]:
        size = self._lesson.batch
        reader = reader_of(self._contract, self._plan.path, self._drawn(epoch))
        drawn = reader.shuffled(size, seed=self._seed, epoch=epoch, start=start * size)
        for _, batch in zip(range(start, self.steps(epoch)), drawn):
            places = np.searchsorted(self._plan.rows, batch.rows)
            yield {"crops": batch.crops, "masks": batch.masks, "y": self._plan.y[places]}

    def _drawn(self, epoch: int) -> np.ndarray:
        """The store's rows of an epoch."""
        rows = self._plan.rows[self._train]
        if self._lesson.balance != "sampling":
            return rows
        chance = 1 / self._counts[self._plan.y[self._train]]
        random = np.random.default_rng((self._seed, epoch, DRAW))
        return random.choice(rows, len(rows), p=chance / chance.sum())

    # -- the loss ------------------------------------------------------------------------

    def loss(
        self, network: nn.Module, batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        fed, truth = self._varied(batch), batch["y"]
        if not self._lesson.mixup:
            scores = network(fed)
            return self._cross_entropy(scores, truth), {"accuracy": _accuracy(scores, truth)}
        fed, order, share = augment.mixed(fed, self._lesson.mixup)
        scores = network(fed)
        each = (share * self._cross_entropy(scores, truth, "none")
                + (1 - share) * self._cross_entropy(scores, truth[order], "none"))
        return each.mean(), {"accuracy": _accuracy(scores, truth)}

    def _varied(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Geometry while 0 is black, then normalised, then intensities; the mask goes along."""
        how, size = self._contract["normalisation"], tuple(self._contract["size_px"])
        device = batch["crops"].device
        made = pixels.shape(batch["crops"], (size[0], size[1]), how, device)
        n = made.shape[1]
        if self._contract["mask_channel"]:
            mask = pixels.to_float(batch["masks"], device)[:, None]
            made = torch.cat([made, pixels.fit_size(mask, (size[0], size[1]))], dim=1)
        made = self._lesson.augmentation.geometry(made)
        seen = self._lesson.augmentation.intensities(pixels.normalise(made[:, :n], how))
        fed = torch.cat([seen, made[:, n:]], dim=1)
        return fed.contiguous(memory_format=self._lesson.layout)

    def _cross_entropy(
        self, scores: torch.Tensor, truth: torch.Tensor, reduction: str = "mean"
    ) -> torch.Tensor:
        """Weighted by class where asked for; the mean is over items, so that pieces add up."""
        weights = self._weights.to(scores.device) if self._weights is not None else None
        each = functional.cross_entropy(scores.float(), truth, weight=weights, reduction="none",
                                        label_smoothing=self._lesson.label_smoothing)
        return each.mean() if reduction == "mean" else each

    def _class_weights(self) -> torch.Tensor:
        """One over each class's count; 1 on average over the training part."""
        total = self._counts.sum() / len(self._counts)
        return torch.from_numpy(total / np.maximum(self._counts, 1)).float()

    # -- validation ----------------------------------------------------------------------

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        if not len(self._held):
            return {}
        truth = self._plan.y[self._held]
        found = judge.scores(network, self._plan.path, self._contract,
                             self._plan.rows[self._held], device, len(self._plan.classes))
        loss = functional.cross_entropy(torch.from_numpy(found), torch.from_numpy(truth))
        k = len(self._plan.classes)
        figures = confusion.figures(
            confusion.count_confusion(truth, found.argmax(axis=1), k, k))
        return {"loss": float(loss), "balanced_accuracy": float(figures.balanced_accuracy),
                "macro_f1": float(figures.macro_f1)}


def _accuracy(scores: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return (scores.argmax(dim=1) == truth).float().mean()
