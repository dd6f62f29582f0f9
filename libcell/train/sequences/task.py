"""Sequences with a stage a frame, or with the order of their stages alone, as the engine's task."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from libcell.nn.augment import Augmentation
from libcell.train.engine.task import Task
from libcell.train.kernels import confusion
from libcell.train.sequences import batches, judge, orders
from libcell.train.sequences.courses import Course, Material
from libcell.train.sequences.orders import Told


@dataclass(frozen=True)
class Lesson:
    """How a batch becomes a loss. `frames`: of a sequence at most, in training; `draw`: weight of
    the drawn centre cell; `weak`: only the order of the stages is told."""

    batch: int
    augmentation: Augmentation
    frames: int
    draw: float
    weak: bool
    balance: bool


class Stages(Task):
    """Learn a stage for each frame of the training part's sequences."""

    monitor, higher = "balanced_accuracy", True

    def __init__(
        self, network: nn.Module, made: Material, path: Path, contract: dict[str, Any],
        lesson: Lesson, seed: int,
    ):
        self._path, self._contract, self._lesson, self._seed = path, contract, lesson, seed
        self._train, self._held = (made.courses[p] for p in ("train", "validation"))
        self._k = len(made.classes)
        known = [*self._train, *self._held]  # the validation part's come last
        self._labels = orders.first(path, contract, known, self._k) if lesson.weak else None
        self.network = Told(network, self._labels)
        self._weights = self._class_weights() if lesson.balance else None

    @property
    def told(self) -> list[Course]:
        """The training part's sequences with the stages that are learnt from."""
        return self._told(self._train, 0)

    def _told(self, courses: list[Course], first: int) -> list[Course]:
        if self._labels is None:
            return courses
        return [replace(c, y=self._labels.of(first + i)[: len(c)]) for i, c in enumerate(courses)]

    # -- batches -------------------------------------------------------------------------

    def steps(self, epoch: int) -> int:
        return max(1, len(self._train) // self._lesson.batch)

    def batches(self, epoch: int, start: int) -> Iterator[dict[str, np.ndarray]]:
        random = np.random.default_rng((self._seed, epoch))
        courses = [self._window(c, random) for c in self.told]
        for some in batches.alike(courses, self._lesson.batch, random)[start:]:
            yield batches.read(self._path, self._contract, some)

    def _window(self, course: Course, random: np.random.Generator) -> Course:
        """Some frames in a row of a long sequence."""
        most = self._lesson.frames
        if len(course) <= most:
            return course
        seen = np.flatnonzero(course.rows[: len(course) - most + 1] >= 0)
        start = int(random.choice(seen))  # the first frame always is there
        return course.part(start, start + most)

    # -- the loss ------------------------------------------------------------------------

    def loss(
        self, network: nn.Module, batch: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Any]]:
        there = batch["there"]
        fed, masks = judge.prepared(batch, self._contract, self._lesson.augmentation)
        scores, drawn = network(fed, there)
        loss, accuracy = self._stage_loss(scores.float(), batch["y"], there)
        figures = {"accuracy": accuracy}
        if drawn is not None and self._lesson.draw:
            figures["drawn"] = _drawing_loss(drawn.float(), fed, masks, there)
            loss = loss + self._lesson.draw * figures["drawn"]
        return loss, figures

    def _stage_loss(self, scores: Tensor, truth: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy over the stages of the frames whose stage is known, and accuracy."""
        known = there & (truth >= 0)
        said, right = scores[known], truth[known]
        if not len(right):  # a window without a label
            return scores.sum() * 0, scores.new_tensor(0.0)
        weights = None if self._weights is None else self._weights.to(scores.device)
        loss = functional.cross_entropy(said, right, weight=weights)
        return loss, (said.argmax(1) == right).float().mean()

    def _class_weights(self) -> Tensor:
        """Rare stages weigh more: by the root of how rare they are, which learns the many frames
        of interphase as well."""
        y = np.concatenate([c.y[(c.y >= 0) & (c.rows >= 0)] for c in self.told])
        counts = np.maximum(np.bincount(y, minlength=self._k), 1)
        return torch.from_numpy(np.sqrt(len(y) / self._k / counts)).float()

    def after_step(self, step: int, total: int) -> None:
        """With the order of the stages alone, the network has its say after some of the epochs."""
        steps = self.steps(0)
        asked = {round(share * total / steps) for share in orders.ASKED}
        if self._labels is None or step % steps or step // steps not in asked:
            return
        network = self.network
        network.eval()
        device = self._labels.labels.device
        found = judge.scores(network, self._path, self._contract, self._train, device)
        self._labels.ask(found, self._train)
        network.train()

    # -- validation ----------------------------------------------------------------------

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Against the stages, or, where only their order may be used, against the labels that
        were found for them before any network learnt."""
        if not self._held:
            return {}
        found = judge.scores(network, self._path, self._contract, self._held, device)
        truth = [c.y for c in self._told(self._held, len(self._train))]
        there = np.concatenate([c.rows >= 0 for c in self._held])
        said, right = np.concatenate(found), np.concatenate(truth)
        said, right = (x[there & (right >= 0)] for x in (said, right))
        loss = functional.cross_entropy(torch.from_numpy(said), torch.from_numpy(right))
        figures = confusion.figures(
            confusion.count_confusion(right, said.argmax(axis=1), self._k, self._k))
        return {"loss": float(loss), "balanced_accuracy": float(figures.balanced_accuracy),
                "macro_f1": float(figures.macro_f1)}


def _drawing_loss(drawn: Tensor, fed: Tensor, masks: Tensor, there: Tensor) -> Tensor:
    """How far the drawn centre cell is from the masked picture, its darkest pixel 0 and its
    brightest 1, averaged over channels."""
    seen = fed[there].mean(1, keepdim=True)
    low, high = (f(seen, dim=(1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
    wanted = (seen - low) / (high - low).clamp_min(1e-6) * masks[there].clamp(0, 1)
    return functional.binary_cross_entropy_with_logits(drawn[there], wanted)
