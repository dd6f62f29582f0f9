"""The loop: epochs of steps, judged and checkpointed, that a kill at any moment cannot change."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from libcell.errors import DataError
from libcell.train.engine import checkpoints, feed, history, launch, optimizers, seeds
from libcell.train.engine.average import Average
from libcell.train.engine.checkpoints import Checkpoint
from libcell.train.engine.history import Board, Log
from libcell.train.engine.launch import Launch
from libcell.train.engine.progress import Progress
from libcell.train.engine.recipe import Recipe
from libcell.train.engine.schedule import Schedule, improved
from libcell.train.engine.step import Stepper
from libcell.train.engine.task import Task

if TYPE_CHECKING:
    from libcell.run.job import Job

LOOK = 16  # steps between looks at the loss, which on a GPU wait for it


@dataclass(frozen=True)
class Fitted:
    """A trained network, on the CPU, in evaluation mode, with the weights that are kept.

    `epoch` (from 1) is whose they are, `figures` what validation said of them, `history` the
    rows of table `curves`, `epochs` how many were done. `first` is False in all processes of
    torchrun's but one: what follows the training is that one's alone.
    """

    network: nn.Module
    epoch: int
    epochs: int
    figures: dict[str, float]
    history: list[dict[str, Any]]
    first: bool = True

    def tensors(self) -> dict[str, np.ndarray]:
        """The network's state as `libcell.data.models.save` takes it."""
        return {k: v.detach().cpu().contiguous().numpy()
                for k, v in self.network.state_dict().items()}


def fit(task: Task, recipe: Recipe, job: Job, *, seed: int, phase: str = "train") -> Fitted:
    """Train `task.network` by `recipe`; an earlier run's checkpoints below `job.parts` go on.

    `phase` names this training within the job, should there be several. The same seed gives the
    same weights, interrupted or not, on the same device with the same number of threads. Call
    `seeds.plant(seed)` before the network is made. DataError if the loss is no number;
    Unavailable if not even one item fits the device's memory.
    """
    torch.set_num_threads(max(1, min(torch.get_num_threads(), job.pool.cores)))
    torch.backends.cudnn.deterministic = True  # of a GPU's convolutions the repeatable ones
    with launch.joined(job.device) as place:
        training = _Training(task, recipe, job, seed, phase, place)
        try:
            return training.run()
        finally:
            training.board.close()
            del training  # what it wraps must be gone before the processes part


@dataclass
class _State:
    """Where training is; plain values, so that a checkpoint holds them as JSON."""

    epoch: int = 0  # under way, from 0
    batch: int = 0  # the epoch's next
    step: int = 0
    items: int = 0  # of this epoch so far
    names: list[str] = field(default_factory=list)  # of the figures that `sums` adds up
    best: float | None = None
    best_epoch: int = 0
    best_figures: dict[str, float] = field(default_factory=dict)
    waited: int = 0
    over: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


class _Training:
    def __init__(self, task: Task, recipe: Recipe, job: Job, seed: int, phase: str, place: Launch):
        self.task, self.recipe, self.job, self.seed, self.phase = task, recipe, job, seed, phase
        self.place = place
        task.network.to(place.device)
        self.optimizer = optimizers.build(task, recipe)
        self.schedule = Schedule(recipe, max(1, task.steps(0)), task.higher)
        self.stepper = Stepper(task, recipe, self.optimizer, place, job.reporter.warn)
        self.average = Average(task.network, recipe.ema) if recipe.ema else None
        self.state = _State()
        self.sums = torch.zeros(0)
        self.kept: dict[str, torch.Tensor] = {}
        self.folder = Path(place.told(str((job.parts / phase).absolute())))
        self.log = Log(self.folder / "history.jsonl")
        self.board = Board(recipe.tensorboard if place.first else None)
        self.saved = time.monotonic()

    def run(self) -> Fitted:
        self._restore()
        total = self.recipe.epochs * self.schedule.steps
        progress = Progress(self.job.reporter, self.phase, total, self.state.step)
        while not self.state.over:
            self._epoch(progress)
            self._judge(progress)
        if self.kept:
            self.task.network.load_state_dict(self.kept)
        self.task.network.to("cpu").eval()
        state = self.state
        return Fitted(self.task.network, state.best_epoch, state.epoch, state.best_figures,
                      state.history, self.place.first)

    # -- one epoch -----------------------------------------------------------------------

    def _epoch(self, progress: Progress) -> None:
        state = self.state
        self.task.network.train()
        with feed.ahead(self.task.batches(state.epoch, state.batch)) as batches:
            for batch in batches:
                rate = self.recipe.lr * self.schedule.factor(state.step)
                optimizers.set_rate(self.optimizer, rate)
                figures, items = self.stepper.take(batch, (self.seed, state.epoch, state.batch))
                self._after_step(figures, items)
                progress.step(state.step, items * self.place.world)
        self._require_finite()

    def _after_step(self, figures: dict[str, torch.Tensor], items: int) -> None:
        state = self.state
        state.batch += 1
        state.step += 1
        if items:
            self._add(figures, items)
            if self.average:
                self.average.update(self.task.network)
            self.task.after_step(state.step, self.recipe.epochs * self.schedule.steps)
        if state.step % LOOK == 0:
            self._require_finite()
            if self.place.world == 1 and self._due():  # the processes' sums differ within an epoch
                self._save()

    def _add(self, figures: dict[str, torch.Tensor], items: int) -> None:
        if not self.state.names:
            self.state.names = list(figures)
            self.sums = torch.zeros(len(figures), device=self.place.device)
        self.sums += torch.stack(list(figures.values())) * items
        self.state.items += items

    def _require_finite(self) -> None:
        state = self.state
        if not state.items or bool(torch.isfinite(self.sums).all()):
            return
        raise DataError(f"epoch {state.epoch + 1}, batch {state.batch}: the loss is no number any "
                        "more; use a lower --lr or --clip 1, and look for NaN in the input")

    # -- after an epoch ------------------------------------------------------------------

    def _judge(self, progress: Progress) -> None:
        """Validate, keep the weights if they are the best, decide whether to go on."""
        state, number = self.state, self.state.epoch + 1
        train = self._train_figures()
        held = self._validate()
        rate = {"lr": self.optimizer.param_groups[0]["lr"]}
        rows = [*history.entries(number, state.step, "train", train | rate),
                *history.entries(number, state.step, "validation", held)]
        state.history += rows
        self._choose(number, held)
        self.schedule.after_epoch(held.get(self.task.monitor))
        stop = self.recipe.patience is not None and state.waited >= self.recipe.patience
        state.over = number >= self.recipe.epochs or (stop and number >= self.recipe.min_epochs)
        state.epoch, state.batch, state.items, state.names = number, 0, 0, []
        told = {"loss": train.get("loss", float("nan"))}
        told |= {f"validation {k}": v for k, v in held.items()}
        progress.epoch(number, self.recipe.epochs, told, state.step)
        self.board.add(rows, progress.speed)
        self._save()

    def _train_figures(self) -> dict[str, float]:
        if not self.state.items:
            return {}
        means = self.place.mean(self.sums / self.state.items).tolist()
        return dict(zip(self.state.names, means))

    def _validate(self) -> dict[str, float]:
        """Figures of the weights that would be kept: the averaged ones, where there are any."""
        network = self.task.network
        found: dict[str, float] = {}
        if self.place.first:
            seeds.plant(self.seed, self.state.epoch, seeds.VALIDATION)
            worn = self.average.worn_by(network) if self.average else contextlib.nullcontext()
            network.eval()
            with torch.no_grad(), worn, self.stepper.arithmetic():
                found = self.task.validate(network, self.place.device)
        return dict(self.place.told({k: float(v) for k, v in found.items()}))

    def _choose(self, number: int, held: dict[str, float]) -> None:
        state = self.state
        figure = held.get(self.task.monitor)
        better = figure is not None and improved(figure, state.best, self.task.higher)
        state.waited = 0 if better else state.waited + 1
        if better:
            state.best = figure
        if better or self.recipe.last or figure is None or not self.kept:
            state.best_epoch, state.best_figures = number, held
            source = self.average.tensors if self.average else self.task.network.state_dict()
            self.kept = {k: v.detach().cpu().clone() for k, v in source.items()}

    # -- checkpoints ---------------------------------------------------------------------

    def _due(self) -> bool:
        return time.monotonic() - self.saved >= self.recipe.checkpoint_seconds

    def _save(self) -> None:
        if not self.place.first:
            return
        moments, numbers = optimizers.state(self.optimizer)
        tensors = {"sums": self.sums} if self.state.items else {}
        for group, some in (("network", self.task.network.state_dict()), ("optimizer", moments),
                            ("kept", self.kept),
                            ("average", self.average.tensors if self.average else {})):
            tensors |= {f"{group}/{k}": v for k, v in some.items()}
        values = {"state": vars(self.state) | {"history": []},
                  "history": self.log.keep(self.state.history), "schedule": self.schedule.state(),
                  "optimizer": numbers, "pieces": self.stepper.pieces,
                  "averaged": self.average.n if self.average else 0}
        checkpoints.save(self.folder, self.state.step, Checkpoint(tensors, values))
        self.job.keep(self.phase, f"step {self.state.step}")
        self.saved = time.monotonic()

    def _restore(self) -> None:
        found = checkpoints.latest(self.folder, self.job.reporter.warn)
        if found is None:
            return
        self.state = _State(**found.values["state"])
        self.state.history = self.log.take(found.values["history"])
        self.schedule.restore(found.values["schedule"])
        self.stepper.pieces = found.values["pieces"]
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in found.tensors.items():
            group, _, name = key.partition("/")
            parts.setdefault(group, {})[name] = value
        self.task.network.load_state_dict(parts["network"])
        optimizers.restore(self.optimizer, parts.get("optimizer", {}), found.values["optimizer"])
        self.kept = parts.get("kept", {})
        self.sums = parts.get("sums", {"": self.sums})[""].to(self.place.device)
        if self.average:
            self.average.n = found.values["averaged"]
            self.average.tensors = {k: v.to(self.place.device)
                                    for k, v in parts["average"].items()}
        self.job.reporter.note(f"{self.phase}: going on at epoch {self.state.epoch + 1}, "
                               f"batch {self.state.batch}")
