"""What is trained, as the engine sees it."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

Batch = Any  # a tensor or array, or a tuple, list or dict of them; the first axis is the items


class Task(abc.ABC):
    """A network, its batches, its loss, and how it is judged.

    `monitor` names the figure of `validate` that chooses the best epoch, stops early and lets
    the learning rate fall (`plateau`); `higher` says that more of it is better.
    """

    network: nn.Module
    monitor: str = "loss"
    higher: bool = False

    @abc.abstractmethod
    def steps(self, epoch: int) -> int:
        """Batches of an epoch."""

    @abc.abstractmethod
    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """The epoch's batches from number `start` on, as they would come without the skip.

        They depend on the seed and the epoch alone. Drawn in a thread of their own, ahead of
        the network, and brought to the device by the engine; leave torch's generators alone
        here. Under torchrun each process takes its share of the rows.
        """

    @abc.abstractmethod
    def loss(self, network: nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, Any]]:
        """Mean loss over the items of a batch (a scalar), and further figures (means, too).

        Call `network`, not `self.network`: under torchrun it is a wrapped one. Augmentation on
        the device belongs here; torch's generators are seeded for this very batch.
        """

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Figures on what is held out; without gradient, `network` in evaluation mode.

        Empty: the last epoch's weights are kept.
        """
        return {}

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Parameters for the optimiser; a group may state its own `weight_decay` or `lr_scale`."""
        return [{"params": [p for p in network.parameters() if p.requires_grad]}]

    def after_step(self, step: int, total: int) -> None:  # noqa: B027  most tasks need none
        """After each step of the optimiser, e.g. to move a teacher (part of `network`)."""
