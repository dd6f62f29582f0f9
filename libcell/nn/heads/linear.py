"""One linear layer: what a backbone is usually given."""

from dataclasses import dataclass

from torch import nn

SUMMARY = "One linear layer."


@dataclass(frozen=True)
class Options:
    """`dropout` of the features, a part of 1."""

    dropout: float = 0.0


def build(in_features: int, classes: int, options: Options) -> nn.Module:
    """(B, in_features) to (B, classes)."""
    return nn.Sequential(nn.Dropout(options.dropout), nn.Linear(in_features, classes))
