"""Layers between a backbone and a loss of views; thrown away after training."""

from torch import nn


def projector(width: int, hidden: int, out: int, layers: int) -> nn.Sequential:
    """(B, width) to (B, out) by `layers` linear layers, normalised over the batch between."""
    made: list[nn.Module] = []
    for _ in range(layers - 1):
        made += [nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
        width = hidden
    return nn.Sequential(*made, nn.Linear(width, out))
