"""Sequences with a stage a frame, or with the order of their stages alone, as the engine's task."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from libcell.nn import viterbi
from libcell.nn.augment import Augmentation
from libcell.train.engine.task import Task
from libcell.train.kernels import confusion
from libcell.train.sequences import batches, judge
from libcell.train.sequences.courses import Course, Material
from libcell.train.sequences.running import Running, Weak


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

    monitor, higher = "loss", False

    def __init__(
        self, network: nn.Module, made: Material, path: Path, contract: dict[str, Any],
        lesson: Lesson, seed: int,
    ):
        self._path, self._contract, self._lesson, self._seed = path, contract, lesson, seed
        self._train, self._held = (made.courses[p] for p in ("train", "validation"))
        self._k = len(made.classes)
        self.running = Running(self._k)
        order = [torch.from_numpy(c.transcript) for c in self._train]
        self.running.start(order, sum(map(len, self._train)))
        self.network = Weak(network, self.running)
        self._weights = self._class_weights() if lesson.balance and not lesson.weak else None
        if not lesson.weak:
            self.monitor, self.higher = "balanced_accuracy", True

    # -- batches -------------------------------------------------------------------------

    def steps(self, epoch: int) -> int:
        return max(1, len(self._train) // self._lesson.batch)

    def batches(self, epoch: int, start: int) -> Iterator[dict[str, np.ndarray]]:
        random = np.random.default_rng((self._seed, epoch))
        courses = [self._window(c, random) for c in self._train]
        for some in batches.alike(courses, self._lesson.batch, random)[start:]:
            yield batches.read(self._path, self._contract, some) | _transcripts(some)

    def _window(self, course: Course, random: np.random.Generator) -> Course:
        """Some frames of a long sequence; where only the order of the stages is known, all."""
        most = self._lesson.frames
        if self._lesson.weak or len(course) <= most:
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
        scores = scores.float()
        truth = batch["y"]
        if self._lesson.weak:
            truth = aligned(scores.detach(), batch, self.running)
            self.running.update(truth, batch["transcript"], self.steps(0))
        loss, accuracy = self._stage_loss(scores, truth, there)
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
        y = np.concatenate([c.y[(c.y >= 0) & (c.rows >= 0)] for c in self._train])
        counts = np.maximum(np.bincount(y, minlength=self._k), 1)
        return torch.from_numpy(np.sqrt(len(y) / self._k / counts)).float()

    def after_step(self, step: int, total: int) -> None:
        self.running.done.fill_(step / total)

    # -- validation ----------------------------------------------------------------------

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Against the stages, or, where only their order may be used, against their alignment."""
        if not self._held:
            return {}
        found = judge.scores(network, self._path, self._contract, self._held, device)
        truth = [c.y for c in self._held]
        if self._lesson.weak:
            truth = self._aligned(found)
        there = np.concatenate([c.rows >= 0 for c in self._held])
        said, right = np.concatenate(found), np.concatenate(truth)
        said, right = (x[there & (right >= 0)] for x in (said, right))
        loss = functional.cross_entropy(torch.from_numpy(said), torch.from_numpy(right))
        figures = confusion.figures(
            confusion.count_confusion(right, said.argmax(axis=1), self._k, self._k))
        return {"loss": float(loss), "balanced_accuracy": float(figures.balanced_accuracy),
                "macro_f1": float(figures.macro_f1)}

    def _aligned(self, found: list[np.ndarray]) -> list[np.ndarray]:
        batch = {k: torch.from_numpy(v) for k, v in _transcripts(self._held).items()}
        batch["frames"] = torch.tensor([len(c) for c in self._held])
        batch["there"] = judge.padded([c.rows >= 0 for c in self._held])
        running = Running(self._k)
        running.load_state_dict({k: v.cpu() for k, v in self.running.state_dict().items()})
        made = aligned(judge.padded(found), batch, running).numpy()
        return [row[: len(c)] for row, c in zip(made, self._held)]


def aligned(scores: Tensor, batch: dict[str, Tensor], running: Running) -> Tensor:
    """int64 (B,T): stages along each sequence's transcript, by what the network says now."""
    logs = (scores.log_softmax(2) - running.log_prior) * batch["there"][..., None] * running.trust
    transcript = batch["transcript"]
    law = viterbi.poisson(running.lengths.to(logs.dtype), logs.shape[1])
    return viterbi.align(logs, batch["frames"], transcript, (transcript >= 0).sum(1), law)


def _transcripts(courses: list[Course]) -> dict[str, np.ndarray]:
    """transcript int64 (B,N), -1 where a sequence has fewer stages."""
    order = [c.transcript for c in courses]
    made = np.full((len(order), max(map(len, order), default=0)), -1)
    for row, one in zip(made, order):
        row[: len(one)] = one
    return {"transcript": made}


def _drawing_loss(drawn: Tensor, fed: Tensor, masks: Tensor, there: Tensor) -> Tensor:
    """How far the drawn centre cell is from the masked picture, its darkest pixel 0 and its
    brightest 1, averaged over channels."""
    seen = fed[there].mean(1, keepdim=True)
    low, high = (f(seen, dim=(1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
    wanted = (seen - low) / (high - low).clamp_min(1e-6) * masks[there].clamp(0, 1)
    return functional.binary_cross_entropy_with_logits(drawn[there], wanted)
