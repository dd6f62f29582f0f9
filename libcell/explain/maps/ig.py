"""Integrated gradients: what each pixel adds to the score on the way from an absent crop."""

from dataclasses import dataclass

import torch
from torch import Tensor

from libcell.explain.maps import Answer, Choose, Subject
from libcell.nn.saliency.absent import absent

SUMMARY = "What each pixel adds to the score on the way from an absent crop to this one."
PAPER = "Sundararajan et al. 2017, arXiv:1703.01365"
NEEDS = "explain"
LAYER = False
CHANNELS = True


@dataclass(frozen=True)
class Options:
    """`steps` on the way; where it begins: `absent` mean, black or blur."""

    steps: int = 32
    absent: str = "mean"


def explain(subject: Subject, fed: Tensor, choose: Choose, options: Options) -> Answer:
    """Signed maps of what the network was fed; they add up to the score that was gained."""
    from captum.attr import IntegratedGradients

    with torch.no_grad():
        scores = subject.network(fed)
    classes = choose(scores)
    way = IntegratedGradients(subject.network)
    gone = absent(fed, subject.contract, options.absent)
    made = [way.attribute(fed, gone, target=classes[:, k], n_steps=options.steps,
                          internal_batch_size=max(len(fed), 64))
            for k in range(classes.shape[1])]
    maps = torch.stack(made, dim=1).detach()
    return Answer(scores, classes, maps if subject.by_channel else maps.sum(2))
