"""Each frame for itself: a backbone and one linear layer, what a sequence's network must beat."""

from dataclasses import dataclass

from torch import Tensor, nn

from libcell.nn import backbones
from libcell.nn.sequence import Said, of_frames

SUMMARY = "Each frame for itself: the baseline."


@dataclass(frozen=True)
class Options:
    """backbone: a name of `cell-train cnn`."""

    backbone: str = "resnet18"


class Frames(nn.Module):
    """Pixels (B,T,C,H,W) to scores (B,T,K); no frame knows of another."""

    def __init__(self, backbone: nn.Module, classes: int):
        super().__init__()
        self.frame = nn.Sequential(backbone, nn.Linear(int(backbone.num_features), classes))  # type: ignore[arg-type]

    def forward(self, pixels: Tensor, there: Tensor) -> Said:
        return Said(of_frames(self.frame, pixels, there))


def build(channels: int, size: tuple[int, int], classes: int, options: Options) -> nn.Module:
    """See the package."""
    return Frames(backbones.build(options.backbone, channels, size), classes)
