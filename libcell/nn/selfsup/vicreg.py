"""Two views of a picture are in one place, and no dimension of the places may die or repeat.

Bardes et al. 2022, arXiv:2105.04906. Under torchrun and in pieces (`--accumulate`) each share of
a batch is a batch of its own to this loss.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from libcell.nn.selfsup import Learner
from libcell.nn.selfsup._projector import projector

SUMMARY = "Views in one place, with variance and without covariance (VICReg)."
LOCAL = 0
EPSILON = 1e-4


@dataclass(frozen=True)
class Options:
    """Expander: `layers` of `out` dimensions; weights of the three terms of the loss."""

    out: int = 512
    layers: int = 3
    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0


class VicReg(Learner):
    """A backbone and an expander."""

    def __init__(self, backbone: nn.Module, options: Options):
        super().__init__()
        width = int(backbone.num_features)  # type: ignore[arg-type]
        self.backbone = backbone
        self.expander = projector(width, options.out, options.out, options.layers)
        self._options = options

    @property
    def taught(self) -> nn.Module:
        return self.backbone

    def forward(
        self, whole: Tensor, local: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        o = self._options
        views = self.expander(self.backbone(whole)).float().chunk(2)
        apart = functional.mse_loss(*views)
        # a batch of one has no spread; its loss is the distance alone
        spread = [torch.sqrt(v.var(dim=0, correction=0) + EPSILON) for v in views]
        flat = torch.stack([functional.relu(1 - s).mean() for s in spread]).mean()
        again = torch.stack([_covariance(v) for v in views]).sum()
        loss = o.invariance * apart + o.variance * flat + o.covariance * again
        return loss, {"invariance": apart, "variance": flat, "covariance": again}


def _covariance(places: Tensor) -> Tensor:
    """Sum of the squared covariances between dimensions of (B,D), over D."""
    n, d = places.shape
    centred = places - places.mean(dim=0)
    found = centred.T @ centred / max(1, n - 1)
    return (found.square().sum() - found.diagonal().square().sum()) / d


def build(backbone: nn.Module, epoch_steps: int, options: Any) -> Learner:
    """A backbone and an expander."""
    return VicReg(backbone, options)
