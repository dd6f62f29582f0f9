"""An untrained network that is fair to compare with: every layer has a say.

Training starts best where the branches of a residual network begin at nothing: the last
normalisation of each has weight 0 (Goyal et al. 2017, arXiv:1706.02677, section 5.1), or a scale
of 1e-6 stands behind it (Touvron et al. 2021, arXiv:2103.17239). Left so, an untrained network is
its shortcuts alone, and a baseline of straw: on nuclei in 16 classes, plates held out, a linear
probe on an untrained ResNet-18 reaches a balanced accuracy of 0.2 to 0.4 so, and 0.5 to 0.6 with
its branches.
"""

import torch
from torch import nn

NOTHING = 1e-3  # scales are begun at 0 to 1e-4, everything else at 1


def wake(network: nn.Module) -> None:
    """Give every branch its full part: scales (one number per channel) that are next to 0 are 1."""
    with torch.no_grad():
        for name, value in network.named_parameters():
            scale = value.ndim <= 1 and "bias" not in name.rpartition(".")[2]
            if scale and value.numel() and value.abs().max() <= NOTHING:
                value.fill_(1.0)
