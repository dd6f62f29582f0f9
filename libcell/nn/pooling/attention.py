"""Gated attention (Ilse et al. 2018, arXiv:1802.04712): a weighted mean whose weights are learnt.

With `width=0,dropout=0` it is CLANet's (arXiv:2306.16538).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from libcell.nn.pooling import Said
from libcell.nn.pooling.mean import before

SUMMARY = "Gated attention: a mean whose weights are learnt."


@dataclass(frozen=True)
class Options:
    """hidden units that decide on the weight of an instance; width of a layer before them, 0:
    none; dropout before and after it."""

    hidden: int = 128
    width: int = 64
    dropout: float = 0.5


class Attention(nn.Module):
    """Instances (B,N,P) to `Said`."""

    def __init__(self, features: int, classes: int, options: Options):
        super().__init__()
        self.before = before(features, options.width, options.dropout)
        width = options.width or features
        self.content = nn.Linear(width, options.hidden)
        self.gate = nn.Linear(width, options.hidden)
        self.weight = nn.Linear(options.hidden, 1)
        self.classifier = nn.Linear(width, classes)

    def forward(self, instances: Tensor, there: Tensor) -> Said:
        seen = self.before(instances)
        worth = self.weight(torch.tanh(self.content(seen)) * torch.sigmoid(self.gate(seen)))
        attention = worth[..., 0].masked_fill(~there, -torch.inf).softmax(dim=1)
        return Said(self.classifier((attention[..., None] * seen).sum(dim=1)), attention)


def build(features: int, classes: int, options: Options) -> nn.Module:
    """(B,N,features) to scores (B,classes)."""
    return Attention(features, classes, options)
