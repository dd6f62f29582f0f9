"""LayerCAM: a layer's planes, each position as much as the score rises with it."""

from dataclasses import dataclass

from torch import Tensor

from libcell.explain.maps import Answer, Choose, Subject
from libcell.explain.maps._weighted import weighted
from libcell.nn.saliency import weighting

SUMMARY = "Planes of a layer, each position as much as the score rises with it."
PAPER = "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943"
NEEDS = ""
LAYER = True
CHANNELS = False


@dataclass(frozen=True)
class Options:
    """None."""


def explain(subject: Subject, fed: Tensor, choose: Choose, options: Options) -> Answer:
    """Maps >= 0 of the layer's grid."""
    return weighted(subject, fed, choose, weighting.layercam)
