"""What a layer gave, and how scores change with it.

The layer's output is cut off from what made it, so that only the layers behind it keep what a
gradient needs: all before runs as in a prediction. No parameter may want a gradient.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from libcell.nn.saliency.layers import Layer

Choose = Callable[[Tensor], Tensor]  # scores (B,n) to the classes (B,K) int64 that are explained


class Recorded(NamedTuple):
    """scores (B,n), classes (B,K), planes (B,C,h,w), and K gradients of their shape."""

    scores: Tensor
    classes: Tensor
    planes: Tensor
    gradients: Iterator[Tensor]


def record(backbone: nn.Module, network: nn.Module, layer: Layer, fed: Tensor,
           choose: Choose) -> Recorded:
    """Run `network` on fed (B,C,H,W); `layer` is of its `backbone`. Gradients come one by one."""
    held: list[Tensor] = []

    def cut(module: nn.Module, given: object, made: Tensor) -> Tensor:
        held.append(made.detach().requires_grad_())
        return held[-1].clone()  # what comes next may work in place

    hook = backbone.get_submodule(layer.name).register_forward_hook(cut)
    try:
        with torch.enable_grad():
            scores = network(fed)
    finally:
        hook.remove()
    classes = choose(scores.detach())
    leaf = held[-1]
    return Recorded(scores.detach(), classes, layer.planes(leaf.detach()),
                    _gradients(scores, classes, leaf, layer))


def _gradients(scores: Tensor, classes: Tensor, leaf: Tensor, layer: Layer) -> Iterator[Tensor]:
    last = classes.shape[1] - 1
    for k in range(last + 1):
        picked = scores.gather(1, classes[:, k : k + 1]).sum()
        (made,) = torch.autograd.grad(picked, leaf, retain_graph=k < last)
        yield layer.planes(made)
