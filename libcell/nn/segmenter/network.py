"""A small U-Net for cells: per pixel whether it is cell, and which way its cell's centre lies.

Pixels are first folded into channels, so that nothing is computed at full resolution and yet no
detail is lost; what comes out is unfolded again. Normalisation is by batch, folded into the
convolutions for use: unlike normalisation by group it makes no pixel depend on the whole patch,
so `reach_px` is where a pixel's surroundings end.

U-Net: Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28. Directions to the centre:
Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
"""

import itertools
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


@dataclass(frozen=True)
class Shape:
    """What the network is made of.

    channels  of the image
    ndim      2 (N,C,Y,X) or 3 (N,C,Z,Y,X); planes are never folded or pooled, so any number will do
    fold      rows and columns that are folded into channels: 2, or 4 for large cells
    widths    channels of each level, the first at 1/fold of the resolution, each half the last
    """

    channels: int = 1
    ndim: int = 2
    fold: int = 2
    widths: tuple[int, ...] = (32, 64, 128, 192)

    @property
    def outputs(self) -> int:
        """Cell (logit), then one component per axis."""
        return 1 + self.ndim

    @property
    def multiple(self) -> int:
        """Rows and columns of what goes in are multiples of this."""
        return self.fold << (len(self.widths) - 1)

    @property
    def reach_px(self) -> int:
        """How far (rows, columns) an output looks, rounded up to `multiple`.

        Two convolutions per level and way, and the grid's own cells, which pooling aligns.
        """
        steps = [self.fold << level for level in range(len(self.widths))]
        reach = 2 * sum(steps) + 2 * sum(steps[:-1]) + sum(steps)
        return -(-reach // self.multiple) * self.multiple

    def to_card(self) -> dict[str, Any]:
        """For the model card; `Shape(**card)` makes it again."""
        return asdict(self) | {"widths": list(self.widths)}


class Segmenter(nn.Module):
    """Image (N,C,[Z,]Y,X) float32, normalised, to (N,outputs,[Z,]Y,X) float32.

    Channel 0 is the logit of `cell`; the others, along [z,] y, x, a direction of length at most
    about 1: towards the centre of the pixel's cell.
    """

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        widths, ndim = shape.widths, shape.ndim
        entering = (shape.channels * shape.fold**2, *widths[:-1])
        self.down = nn.ModuleList(Pair(a, b, ndim) for a, b in zip(entering, widths))
        self.narrow = nn.ModuleList(
            _conv(b, a, ndim, 1) for a, b in itertools.pairwise(widths))
        self.up = nn.ModuleList(Pair(a, a, ndim) for a in widths[:-1])
        self.head = _conv(widths[0], shape.outputs * shape.fold**2, ndim, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return unfold(self.head(self.features(image)), self.shape.fold)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """What the head reads, (N,widths[0],[Z,]Y/fold,X/fold)."""
        x, skips = fold(image, self.shape.fold), []
        for level, block in enumerate(self.down):
            if level:
                x = _pool(x)
            x = block(x)
            skips.append(x)
        for level in reversed(range(len(self.up))):
            x = self.up[level](skips[level] + _double(self.narrow[level](x)))
        return x

    def fused(self) -> "Segmenter":
        """A copy for use: evaluation mode, normalisation folded into the convolutions."""
        made = Segmenter(self.shape)
        made.load_state_dict(self.state_dict())
        made.eval()
        for block in made.modules():
            if isinstance(block, Pair):
                block.fuse()
        return made


class Pair(nn.Module):
    """Two convolutions, each normalised and rectified; the second adds to what the first made."""

    def __init__(self, inside: int, outside: int, ndim: int):
        super().__init__()
        norm = nn.BatchNorm2d if ndim == 2 else nn.BatchNorm3d
        self.first: Any = _conv(inside, outside, ndim, 3)
        self.second: Any = _conv(outside, outside, ndim, 3)
        self.norm_first: Any = norm(outside)
        self.norm_second: Any = norm(outside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Both, one after the other."""
        x = functional.relu(self.norm_first(self.first(x)), inplace=True)
        return functional.relu(x + self.norm_second(self.second(x)), inplace=True)

    def fuse(self) -> None:
        """Fold the normalisation into the convolutions."""
        self.first = fuse_conv_bn_eval(self.first, self.norm_first)
        self.second = fuse_conv_bn_eval(self.second, self.norm_second)
        self.norm_first = self.norm_second = nn.Identity()


def fold(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Rows and columns into channels: (N,C,...,Y,X) to (N,C*f*f,...,Y/f,X/f)."""
    if image.ndim == 4:
        return functional.pixel_unshuffle(image, factor)
    return functional.pixel_unshuffle(image.transpose(1, 2), factor).transpose(1, 2)


def unfold(x: torch.Tensor, factor: int) -> torch.Tensor:
    """The inverse of `fold`."""
    if x.ndim == 4:
        return functional.pixel_shuffle(x, factor)
    return functional.pixel_shuffle(x.transpose(1, 2), factor).transpose(1, 2)


def _conv(inside: int, outside: int, ndim: int, size: int) -> nn.Module:
    kind = nn.Conv2d if ndim == 2 else nn.Conv3d
    return kind(inside, outside, size, padding=size // 2, bias=size == 1)


def _pool(x: torch.Tensor) -> torch.Tensor:
    """Rows and columns halved; planes stay."""
    return functional.max_pool2d(x, 2) if x.ndim == 4 else functional.max_pool3d(x, (1, 2, 2))


def _double(x: torch.Tensor) -> torch.Tensor:
    """Rows and columns doubled; planes stay."""
    return functional.interpolate(x, scale_factor=2.0 if x.ndim == 4 else (1.0, 2.0, 2.0))
