"""The largest value of each feature over all instances and a linear layer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from libcell.nn.pooling import Said
from libcell.nn.pooling.mean import before

SUMMARY = "The largest value of each feature."


@dataclass(frozen=True)
class Options:
    """width of a layer before the maximum, 0: none; dropout before and after it."""

    width: int = 64
    dropout: float = 0.5


class Max(nn.Module):
    """Instances (B,N,P) to `Said`; an instance's attention is the share of features in which it
    is the largest; equals share one."""

    def __init__(self, features: int, classes: int, options: Options):
        super().__init__()
        self.before = before(features, options.width, options.dropout)
        self.classifier = nn.Linear(options.width or features, classes)

    def forward(self, instances: Tensor, there: Tensor) -> Said:
        seen = self.before(instances).masked_fill(~there[..., None], -torch.inf)
        largest = seen.amax(dim=1)
        equal = (seen == largest[:, None]).to(largest.dtype)
        return Said(self.classifier(largest), (equal / equal.sum(dim=1, keepdim=True)).mean(dim=2))


def build(features: int, classes: int, options: Options) -> nn.Module:
    """(B,N,features) to scores (B,classes)."""
    return Max(features, classes, options)
