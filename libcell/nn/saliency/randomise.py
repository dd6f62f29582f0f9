"""A network that forgets what it learnt, from its last layer to its first."""

import copy
from collections.abc import Iterator

import torch
from torch import nn


def cascade(network: nn.Module, steps: int, seed: int) -> Iterator[tuple[float, nn.Module]]:
    """Copies of `network` with ever more of its layers drawn anew, and which part of them that is.

    Every layer with weights of its own counts; they are drawn in `steps` lots, from the end, with
    the same mean and spread as those that were learnt, so that signals keep their size. The last
    copy has forgotten everything. Source: Adebayo et al. 2018, arXiv:1810.03292, cascading
    randomisation.
    """
    made = copy.deepcopy(network)
    layers = [m for m in made.modules() if any(True for _ in m.parameters(recurse=False))]
    layers.reverse()
    random = torch.Generator().manual_seed(seed)
    done = 0
    for step in range(1, steps + 1):
        upto = max(done + 1, round(len(layers) * step / steps))
        for layer in layers[done:upto]:
            _draw(layer, random)
        done = upto
        yield min(1.0, done / max(1, len(layers))), made


def _draw(layer: nn.Module, random: torch.Generator) -> None:
    """Weights anew; scales and shifts of a normalisation are dealt out anew among its channels."""
    with torch.no_grad():
        for value in layer.parameters(recurse=False):
            if value.ndim > 1:
                spread = float(value.std()) if value.numel() > 1 else 1.0
                drawn = torch.randn(value.shape, generator=random) * spread + float(value.mean())
                value.copy_(drawn.to(value))
            else:
                value.copy_(value[torch.randperm(len(value), generator=random).to(value.device)])
