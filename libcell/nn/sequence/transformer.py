"""A small transformer over time, on a vector per frame: every frame sees all the others.

Blocks with the normalisation first (Xiong et al. 2020, arXiv:2002.04745) and time as sines
(Vaswani et al. 2017, arXiv:1706.03762), so that a gap is a longer step and a film may be of any
length.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from libcell.errors import UsageFault
from libcell.nn import backbones
from libcell.nn.sequence import Said, of_frames

SUMMARY = "A small transformer over time on a backbone's features."


@dataclass(frozen=True)
class Options:
    """backbone of each frame; width, heads and depth of the transformer; its dropout."""

    backbone: str = "resnet18"
    width: int = 128
    heads: int = 4
    depth: int = 2
    dropout: float = 0.1


class Transformer(nn.Module):
    """Pixels (B,T,C,H,W) to scores (B,T,K)."""

    def __init__(self, backbone: nn.Module, classes: int, options: Options):
        super().__init__()
        self.frame = nn.Sequential(backbone, nn.Linear(int(backbone.num_features), options.width))  # type: ignore[arg-type]
        block = nn.TransformerEncoderLayer(
            options.width, options.heads, 4 * options.width, options.dropout, "gelu",
            batch_first=True, norm_first=True)
        self.time = nn.TransformerEncoder(block, options.depth, enable_nested_tensor=False)
        self.classifier = nn.Sequential(nn.LayerNorm(options.width),
                                        nn.Linear(options.width, classes))

    def forward(self, pixels: Tensor, there: Tensor) -> Said:
        found = of_frames(self.frame, pixels, there)
        found = found + waves(found.shape[1], found.shape[2], found)
        # a sequence without any frame would ask for the mean of nothing
        hidden = ~there & there.any(dim=1, keepdim=True)
        return Said(self.classifier(self.time(found, src_key_padding_mask=hidden)))


def waves(length: int, width: int, like: Tensor) -> Tensor:
    """(length,width): sines and cosines of the frame's number."""
    at = torch.arange(length, device=like.device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, device=like.device) * (-math.log(1e4) / width))
    return torch.stack([torch.sin(at * rate), torch.cos(at * rate)], 2).flatten(1).to(like.dtype)


def build(channels: int, size: tuple[int, int], classes: int, options: Options) -> nn.Module:
    """See the package."""
    if options.width % options.heads or options.width % 2:
        raise UsageFault(f"--network transformer: width={options.width} must be even and a "
                         f"multiple of heads={options.heads}")
    return Transformer(backbones.build(options.backbone, channels, size), classes, options)
