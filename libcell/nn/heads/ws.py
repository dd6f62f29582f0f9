"""Watts and Strogatz's random graph, as many neurons and connections as the connectome."""

from dataclasses import dataclass

from torch import nn

from libcell.nn.connectome import head
from libcell.nn.connectome.graph import celegans
from libcell.nn.connectome.random_graphs import watts_strogatz

SUMMARY = "A random graph as large as the connectome, a small world."


@dataclass(frozen=True)
class Options(head.Options):
    """As the connectome's, and which graph is drawn: `graph` 0, 1, 2 and so on."""

    graph: int = 0


def build(in_features: int, classes: int, options: Options) -> nn.Module:
    """(B, in_features) to (B, classes)."""
    return head.build(lambda: watts_strogatz(celegans(), options.graph), in_features, classes,
                      options, "ws")
