"""Occlusion: how far the score falls when a window of the crop is taken away."""

from dataclasses import dataclass

import torch
from torch import Tensor

from libcell.explain.maps import Answer, Choose, Subject
from libcell.nn.saliency.absent import absent

SUMMARY = "How far the score falls when a window of the crop is taken away."
PAPER = "Zeiler & Fergus 2014, arXiv:1311.2901"
NEEDS = "explain"
LAYER = False
CHANNELS = True


@dataclass(frozen=True)
class Options:
    """The window is a `part` of the crop's width, and moves by half of that; `absent` stands in it:
    mean, black or blur."""

    part: float = 0.2
    absent: str = "mean"


def explain(subject: Subject, fed: Tensor, choose: Choose, options: Options) -> Answer:
    """Signed maps of what the network was fed."""
    from captum.attr import Occlusion

    with torch.no_grad():
        scores = subject.network(fed)
    classes = choose(scores)
    edge = max(2, round(min(fed.shape[2:]) * options.part))
    deep = 1 if subject.by_channel else fed.shape[1]
    gone = absent(fed, subject.contract, options.absent)
    way = Occlusion(subject.network)
    with torch.no_grad():
        made = [way.attribute(fed, (deep, edge, edge), (deep, edge // 2, edge // 2), gone,
                              target=classes[:, k]) for k in range(classes.shape[1])]
    maps = torch.stack(made, dim=1)
    return Answer(scores, classes, maps if subject.by_channel else maps[:, :, 0])
