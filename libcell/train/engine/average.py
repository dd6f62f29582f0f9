"""An average of the weights over steps, often better than any of them (Polyak & Juditsky 1992)."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn


class Average:
    """Exponential moving average of a network's floating-point tensors; the rest is copied.

    The decay rises with the steps, (1 + n) / (10 + n) at most, so that the first weights, which
    are random, are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self.n = 0
        self.tensors = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        self.n += 1
        decay = min(self.decay, (1 + self.n) / (10 + self.n))
        for name, value in network.state_dict().items():
            mean = self.tensors[name]
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    @contextlib.contextmanager
    def worn_by(self, network: nn.Module) -> Iterator[None]:
        """Lend the averaged weights to the network for a while."""
        own = {k: v.detach().clone() for k, v in network.state_dict().items()}
        network.load_state_dict(self.tensors)
        try:
            yield
        finally:
            network.load_state_dict(own)
