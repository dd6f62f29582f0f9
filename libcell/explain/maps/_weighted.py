"""What the ways have in common that weigh a layer's planes by their gradients."""

from collections.abc import Callable

import torch
from torch import Tensor

from libcell.explain.maps import Answer, Choose, Subject
from libcell.nn.saliency import gradients


def weighted(
    subject: Subject, fed: Tensor, choose: Choose, weigh: Callable[[Tensor, Tensor], Tensor]
) -> Answer:
    """Maps of the layer's grid, each by `weigh` (see `saliency.weighting`) of planes and gradients.
    """
    assert subject.layer
    seen = gradients.record(subject.backbone, subject.network, subject.layer, fed, choose)
    made = [weigh(seen.planes, slope) for slope in seen.gradients]
    return Answer(seen.scores, seen.classes, torch.stack(made, dim=1))
