"""One step: loss, gradient, optimiser. A batch that does not fit the device is cut in two."""

import contextlib
from collections.abc import Callable
from typing import Any

import torch

from libcell.errors import Unavailable, short
from libcell.train.engine import feed, seeds
from libcell.train.engine.launch import Launch
from libcell.train.engine.recipe import Recipe
from libcell.train.engine.task import Task


class Stepper:
    """Takes steps; `pieces` is what a batch is cut into at present.

    Losses and figures of the pieces are weighted by their items, so that both are the whole
    batch's (batch normalisation alone sees the piece).
    """

    def __init__(self, task: Task, recipe: Recipe, optimizer: torch.optim.Optimizer,
                 launch: Launch, warn: Callable[[str], None]):
        self.pieces = recipe.accumulate
        self._task, self._recipe, self._optimizer = task, recipe, optimizer
        self._launch, self._warn = launch, warn
        self._network = launch.wrap(task.network)
        if recipe.precision == "bf16" and slow_bf16(launch.device):
            warn("--precision bf16: this processor has no such arithmetic and takes several times "
                 "as long to imitate it; --precision fp32 is faster here")

    def take(self, batch: Any, place: tuple[int, ...]) -> tuple[dict[str, torch.Tensor], int]:
        """Move the weights by one batch; its mean figures (`loss` among them) and its items.

        `place` is what randomness depends on. A batch with fewer items than processes is passed
        over, since one of them would have none.
        """
        total = feed.count(batch)
        if total < self._launch.world:
            return {}, 0
        own = feed.rows(batch, feed.pieces(total, self._launch.world)[self._launch.rank])
        figures = self._gradient(own, total, place)
        if self._recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(self._task.network.parameters(), self._recipe.clip)
        self._optimizer.step()
        return figures, feed.count(own)

    def _gradient(self, own: Any, total: int, place: tuple[int, ...]) -> dict[str, torch.Tensor]:
        """Leave the gradient in the parameters, in as many pieces as memory asks for."""
        while True:
            seeds.plant(*place, self._launch.rank)
            self._optimizer.zero_grad(set_to_none=True)
            try:
                return self._attempt(own, total)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                text = short(error)
            # only here, where the failed attempt's tensors are no longer held by its traceback
            self._halve(feed.count(own), text)

    def _attempt(self, own: Any, total: int) -> dict[str, torch.Tensor]:
        parts = feed.pieces(feed.count(own), self.pieces)
        sums: dict[str, torch.Tensor] = {}
        for index, part in enumerate(parts):
            piece = feed.to_device(feed.rows(own, part), self._launch.device)
            with self._alone(last=index == len(parts) - 1):
                with self.arithmetic():
                    loss, figures = self._task.loss(self._network, piece)
                # DDP takes the mean over processes, whose shares may differ in size
                (loss * ((part.stop - part.start) * self._launch.world / total)).backward()
            share = (part.stop - part.start) / feed.count(own)
            for name, value in ({"loss": loss} | figures).items():
                value = torch.as_tensor(value, device=self._launch.device).detach().float()
                sums[name] = sums.get(name, 0.0) + value * share
        return sums

    def arithmetic(self) -> Any:
        """The precision that the recipe asks for, as a context."""
        if self._recipe.precision == "bf16":
            return torch.autocast(self._launch.device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def _alone(self, last: bool) -> Any:
        """Processes exchange gradients once, after the last piece."""
        if self._launch.world == 1 or last:
            return contextlib.nullcontext()
        return self._network.no_sync()  # type: ignore[operator]

    def _halve(self, items: int, text: str) -> None:
        device = self._launch.device
        if self._launch.world > 1:  # the others would wait for this one's gradients
            raise Unavailable(f"out of memory on {device}: use a smaller --batch or --accumulate "
                              f"{self.pieces * 2} ({text})")
        if self.pieces >= items:
            raise Unavailable(f"out of memory on {device} with a single item; use a smaller "
                              f"network or --device cpu ({text})")
        self.pieces *= 2
        if device.type == "cuda":
            torch.cuda.empty_cache()
        self._warn(f"out of memory on {device}: batches are cut into {self.pieces} pieces from "
                   "here on; the gradient stays the whole batch's")


def slow_bf16(device: torch.device) -> bool:
    """Whether the device is a processor without arithmetic in bfloat16."""
    return device.type == "cpu" and not (
        torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch ran out of memory; on the CPU that is an error like any other."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
