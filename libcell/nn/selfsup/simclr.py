"""Contrast: of all views in a batch, find the one of the same picture.

Chen et al. 2020, arXiv:2002.05709 (NT-Xent). Under torchrun and in pieces (`--accumulate`) each
share of a batch is a batch of its own to this loss.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from libcell.errors import UsageFault
from libcell.nn.selfsup import Learner
from libcell.nn.selfsup._projector import projector

SUMMARY = "Two views of a picture are alike, all others are not (SimCLR)."
LOCAL = 0


@dataclass(frozen=True)
class Options:
    """Projector: `hidden` units, `out` dimensions, `layers` of them; `temperature` of the
    cosines."""

    hidden: int = 512
    out: int = 128
    layers: int = 2
    temperature: float = 0.2


class SimClr(Learner):
    """A backbone and a projector."""

    def __init__(self, backbone: nn.Module, options: Options):
        super().__init__()
        if options.temperature <= 0:
            raise UsageFault("--method simclr: temperature: expected more than 0")
        width = int(backbone.num_features)  # type: ignore[arg-type]
        self.backbone = backbone
        self.projector = projector(width, options.hidden, options.out, options.layers)
        self._temperature = options.temperature

    @property
    def taught(self) -> nn.Module:
        return self.backbone

    def forward(
        self, whole: Tensor, local: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        places = functional.normalize(self.projector(self.backbone(whole)).float(), dim=1)
        n = len(places)
        alike = places @ places.T / self._temperature
        alike = alike.masked_fill(torch.eye(n, dtype=torch.bool, device=alike.device), -torch.inf)
        twin = torch.arange(n, device=alike.device).roll(n // 2)
        found = (alike.argmax(dim=1) == twin).float().mean()
        return functional.cross_entropy(alike, twin), {"found": found}


def build(backbone: nn.Module, epoch_steps: int, options: Any) -> Learner:
    """A backbone and a projector. UsageFault for options that cannot be."""
    return SimClr(backbone, options)
