"""The connectome of *C. elegans* between the features and the classes (Elegans-AI)."""

from torch import nn

from libcell.nn.connectome.graph import celegans
from libcell.nn.connectome.head import Options
from libcell.nn.connectome.head import build as around

__all__ = ["SUMMARY", "Options", "build"]

SUMMARY = "The connectome of C. elegans: 279 neurons, 2993 connections."


def build(in_features: int, classes: int, options: Options) -> nn.Module:
    """(B, in_features) to (B, classes)."""
    return around(celegans, in_features, classes, options, "elegans")
