"""Score-CAM: the planes of a layer, each as much as the score holds when only it is let through."""

from dataclasses import dataclass

from torch import Tensor

from libcell.explain.maps import Answer, Choose, Subject
from libcell.nn.saliency import gradients, masking
from libcell.nn.saliency.absent import absent

SUMMARY = "Planes of a layer, each by the score that is left when only it is let through."
PAPER = "Wang et al. 2020, arXiv:1910.01279"
NEEDS = ""
LAYER = True
CHANNELS = False


@dataclass(frozen=True)
class Options:
    """`planes` that vary most are asked (0: all, as the paper does; one pass of the network each);
    `absent` stands where nothing is let through: mean, black or blur."""

    planes: int = 32
    absent: str = "mean"


def explain(subject: Subject, fed: Tensor, choose: Choose, options: Options) -> Answer:
    """Maps >= 0 of the layer's grid."""
    assert subject.layer
    seen = gradients.record(subject.backbone, subject.network, subject.layer, fed, choose)
    made = masking.scorecam(subject.network, fed, seen.planes, seen.classes,
                            absent(fed, subject.contract, options.absent), options.planes)
    return Answer(seen.scores, seen.classes, made)
