"""Grad-CAM++: as Grad-CAM, but each object of a class counts, however small."""

from dataclasses import dataclass

from torch import Tensor

from libcell.explain.maps import Answer, Choose, Subject
from libcell.explain.maps._weighted import weighted
from libcell.nn.saliency import weighting

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
    return weighted(subject, fed, choose, weighting.gradcam_plus_plus)
