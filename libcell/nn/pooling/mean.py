"""The mean of all instances and a linear layer: every instance counts alike."""

from dataclasses import dataclass

from torch import Tensor, nn

from libcell.nn.pooling import Said

SUMMARY = "The mean of all instances."


@dataclass(frozen=True)
class Options:
    """width of a layer before the mean, 0: none; dropout before and after it."""

    width: int = 64
    dropout: float = 0.5


class Mean(nn.Module):
    """Instances (B,N,P) to `Said`."""

    def __init__(self, features: int, classes: int, options: Options):
        super().__init__()
        self.before = before(features, options.width, options.dropout)
        self.classifier = nn.Linear(options.width or features, classes)

    def forward(self, instances: Tensor, there: Tensor) -> Said:
        share = there / there.sum(dim=1, keepdim=True)
        mean = (share[..., None] * self.before(instances)).sum(dim=1)
        return Said(self.classifier(mean), share)


def before(features: int, width: int, dropout: float) -> nn.Module:
    """What each instance goes through alone.

    Bags are few and embeddings wide: without dropout of the embedding itself the network knows
    each bag by heart before it has found what tells the classes.
    """
    if not width:
        return nn.Dropout(dropout)
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(features, width), nn.ReLU(),
                         nn.Dropout(dropout))


def build(features: int, classes: int, options: Options) -> nn.Module:
    """(B,N,features) to scores (B,classes)."""
    return Mean(features, classes, options)
