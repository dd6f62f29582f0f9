"""Grad-CAM++: as Grad-CAM, but each object of a class counts, however small."""

from dataclasses import dataclass

import torch
from torch import Tensor

from libcell.explain.maps import Answer, Choose, Subject
from libcell.nn.saliency import gradients, weighting

SUMMARY = "As Grad-CAM, but small objects count as large ones."
PAPER = "Chattopadhay et al. 2018, arXiv:1710.11063"
NEEDS = ""
LAYER = True
CHANNELS = False


@dataclass(frozen=True)
class Options:
    """None."""


def explain(subject: Subject, fed: Tensor, choose: Choose, options: Options) -> Answer:
    """Maps >= 0 of the layer's grid."""
    assert subject.layer
    seen = gradients.record(subject.backbone, subject.network, subject.layer, fed, choose)
    made = [weighting.gradcam_plus_plus(seen.planes, slope) for slope in seen.gradients]
    return Answer(seen.scores, seen.classes, torch.stack(made, dim=1))
