"""How often each stage is and how long it lasts, as a running average of what was aligned."""

import math

import torch
from torch import Tensor, nn

TRUSTED = 0.4  # share of the steps after which the network's word counts in full


class Running(nn.Module):
    """Frames and stretches of each stage (K,), both fading over about one epoch of steps.

    They are buffers of the network that is trained, so that checkpoints hold them. (The published
    code took the prior and the lengths from the last sequence of each batch alone.)
    """

    frames: Tensor
    stretches: Tensor
    done: Tensor

    def __init__(self, classes: int):
        super().__init__()
        self.register_buffer("frames", torch.ones(classes))
        self.register_buffer("stretches", torch.ones(classes))
        self.register_buffer("done", torch.zeros(()))  # share of all steps

    def start(self, transcripts: list[Tensor], frames: int) -> None:
        """Before anything is known all stretches are equally long."""
        stages = torch.cat(transcripts)
        self.stretches.copy_(torch.bincount(stages, minlength=len(self.frames)).clamp_min(1))
        self.frames.copy_(self.stretches * frames / len(stages))

    @property
    def trust(self) -> Tensor:
        """How much the network's word counts in an alignment, 0 to 1: at first all stages are
        taken to be equally long, else the first guess of an untrained network would stay."""
        return (self.done / TRUSTED).clamp_max(1.0)

    def update(self, labels: Tensor, transcripts: Tensor, steps: int) -> None:
        """One step of `steps` an epoch: labels (B,T) and transcripts (B,N), -1 where none are."""
        stay = math.exp(-1 / steps)
        for total, values in ((self.frames, labels), (self.stretches, transcripts)):
            counted = torch.bincount(values[values >= 0], minlength=len(total))
            total.mul_(stay).add_(counted.to(total.dtype))

    @property
    def log_prior(self) -> Tensor:
        """(K,), no stage rarer than one frame in ten thousand."""
        return (self.frames / self.frames.sum()).clamp_min(1e-4).log()

    @property
    def lengths(self) -> Tensor:
        """Mean frames of a stretch (K,)."""
        return (self.frames / self.stretches.clamp_min(1e-6)).clamp_min(1.0)


class Weak(nn.Module):
    """A network and what is known of the stages beside it; only the first goes into a model."""

    def __init__(self, network: nn.Module, running: Running):
        super().__init__()
        self.network = network
        self.running = running

    def forward(self, fed: Tensor, there: Tensor) -> tuple[Tensor, ...]:
        said: tuple[Tensor, ...] = self.network(fed, there)
        return said
