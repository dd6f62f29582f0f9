"""Attention rollout: the places a transformer's answer gathers from, the same for every class."""

from dataclasses import dataclass

from torch import Tensor, nn

from libcell.explain.maps import Answer, Choose, Subject
from libcell.nn.saliency import rollout

SUMMARY = "Attention of a transformer's blocks, multiplied through; the same for every class."
PAPER = "Abnar & Zuidema 2020, arXiv:2005.00928"
NEEDS = ""
LAYER = False
CHANNELS = False


@dataclass(frozen=True)
class Options:
    """None."""


def require(backbone: nn.Module) -> None:
    """UsageFault for a network without attention over all places."""
    rollout.layers_of(backbone)


def explain(subject: Subject, fed: Tensor, choose: Choose, options: Options) -> Answer:
    """Maps >= 0 of the token grid; what all places have alike is taken off."""
    scores, maps = rollout.rollout(subject.backbone, subject.network, fed)
    classes = choose(scores)
    maps = maps - maps.amin(dim=(1, 2), keepdim=True)
    return Answer(scores, classes, maps[:, None].expand(-1, classes.shape[1], -1, -1))
