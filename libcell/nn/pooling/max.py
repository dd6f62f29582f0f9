"""The largest value of each feature over all instances and a linear layer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from libcell.nn.pooling import Said
from libcell.nn.pooling.mean import before

SUMMARY = "The largest value of each feature."


@dataclass(frozen=True)
class Options:
    """width of a layer before the maximum, 0: none; dropout before and after it."""

    width: int = 64
    dropout: float = 0.5


class Max(nn.Module):
    """Instances (B,N,P) to `Said`; an instance's attention is the share of features that are its.
    """

    def __init__(self, features: int, classes: int, options: Options):
        super().__init__()
        self.before = before(features, options.width, options.dropout)
        self.classifier = nn.Linear(options.width or features, classes)

    def forward(self, instances: Tensor, there: Tensor) -> Said:
        seen = self.before(instances).masked_fill(~there[..., None], -torch.inf)
        largest, which = seen.max(dim=1)
        share = functional.one_hot(which, there.shape[1]).to(largest.dtype).mean(dim=1)
        return Said(self.classifier(largest), share)


def build(features: int, classes: int, options: Options) -> nn.Module:
    """(B,N,features) to scores (B,classes)."""
    return Max(features, classes, options)
