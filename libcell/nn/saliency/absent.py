"""What stands where a pixel is taken away."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from libcell.nn import pixels

KINDS = ("mean", "black", "blur")


def absent(fed: Tensor, contract: Mapping[str, Any], kind: str) -> Tensor:
    """(B,C,H,W) for a network fed with (B,C,H,W) by a card's `input` contract.

    `mean` is the mean pixel of what the network learnt from where the card tells it, else the
    crop's own; `black` is a pixel of 0; `blur` leaves the crop's light and no detail. In a mask
    channel nothing is there.
    """
    how = contract["normalisation"]
    count = fed.shape[1] - bool(contract["mask_channel"])
    seen = fed[:, :count]
    if kind == "blur":
        made = _blurred(seen)
    elif kind == "black":
        made = pixels.normalise(torch.zeros_like(seen), how)
    elif how["kind"] == "train":
        made = torch.zeros_like(seen)
    else:
        made = seen.mean(dim=(2, 3), keepdim=True).expand_as(seen)
    return torch.cat([made, torch.zeros_like(fed[:, count:])], dim=1)


def _blurred(seen: Tensor) -> Tensor:
    """A mean over a third of the width, twice: about a Gaussian."""
    size = max(3, min(seen.shape[2:]) // 3) | 1
    for _ in range(2):
        framed = functional.pad(seen, [size // 2] * 4, mode="replicate")
        seen = functional.avg_pool2d(framed, size, stride=1)
    return seen
