"""Variation of a batch, on its device, for any number of channels.

Geometry is one affine map per item, sampled bilinearly once; intensities are varied per item and
channel. All draws come from torch's global generator.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """How much is varied; 0 leaves a kind out.

    `rotate` in degrees, +-; `zoom` and `shift` +-, parts of 1 and of the picture; `intensity`:
    contrast and brightness +- parts of the spread; `noise`: its standard deviation at most;
    `blur`: its standard deviation at most, px; `drop`: chance that a channel is missing (never
    all of them). `fill` is what lies outside: reflection, border or zeros.
    """

    flip: bool = True
    rotate: float = 180.0
    zoom: float = 0.1
    shift: float = 0.05
    intensity: float = 0.2
    noise: float = 0.05
    blur: float = 0.0
    drop: float = 0.0
    fill: str = "reflection"

    def geometry(self, pixels: Tensor) -> Tensor:
        """(B,C,H,W) turned, mirrored, scaled, moved: each item in its own way."""
        if self.rotate or self.zoom or self.shift:
            maps = self._maps(len(pixels), pixels.shape[2:], pixels.device)
            grid = functional.affine_grid(maps, list(pixels.shape), align_corners=False)
            return functional.grid_sample(pixels, grid, padding_mode=self.fill,
                                          align_corners=False)
        if self.flip:
            for axis in (2, 3):
                turned = torch.rand(len(pixels), 1, 1, 1, device=pixels.device) < 0.5
                pixels = torch.where(turned, pixels.flip(axis), pixels)
        return pixels

    def _maps(self, n: int, size: torch.Size, device: torch.device) -> Tensor:
        """(n,2,3): from the result's coordinates (-1..1, x first) to the picture's."""
        def spread(width: float) -> Tensor:
            return (torch.rand(n, device=device) * 2 - 1) * width

        angle, scale = torch.deg2rad(spread(self.rotate)), 1 + spread(self.zoom)
        moves = torch.stack([spread(2 * self.shift), spread(2 * self.shift)], dim=1)
        mirrored = torch.where(torch.rand(n, device=device) < (0.5 if self.flip else 0.0), -1, 1)
        sine, cosine = torch.sin(angle) / scale, torch.cos(angle) / scale
        aspect = size[1] / size[0]  # a turn in pixels is none in coordinates of -1..1
        rows = (torch.stack([cosine * mirrored, -sine / aspect], 1),
                torch.stack([sine * mirrored * aspect, cosine], 1))
        return torch.cat([torch.stack(rows, 1), moves[:, :, None]], dim=2)

    def intensities(self, pixels: Tensor) -> Tensor:
        """(B,C,H,W), normalised: contrast, brightness, blur, noise, missing channels."""
        n, channels = pixels.shape[:2]

        def each(low: float, high: float) -> Tensor:
            drawn = torch.rand(n, channels, 1, 1, device=pixels.device, dtype=pixels.dtype)
            return low + (high - low) * drawn

        if self.intensity:
            middle = pixels.mean(dim=(2, 3), keepdim=True)
            spread = pixels.std(dim=(2, 3), keepdim=True)
            gain = each(1 - self.intensity, 1 + self.intensity)
            pixels = (pixels - middle) * gain + middle
            pixels = pixels + spread * each(-self.intensity, self.intensity)
        if self.blur:
            pixels = _blurred(pixels, self.blur)
        if self.noise:
            pixels = pixels + torch.randn_like(pixels) * each(0, self.noise)
        if self.drop and channels > 1:
            pixels = pixels * _kept(n, channels, self.drop, pixels)
        return pixels


@dataclass(frozen=True)
class Cut:
    """Parts of pictures, each chosen at random, brought to `size` (height, width) in one
    interpolation: what two views of a picture are made of.

    `area`: least and largest part of the picture; `aspect`: its sides are up to so much longer
    or shorter for it; `rotate` in degrees, +-, on top of any number of quarter `turns`. A turned
    part may reach beyond the picture: `fill` is what lies there.
    """

    size: tuple[int, int]
    area: tuple[float, float] = (0.5, 1.0)
    aspect: float = 4 / 3
    flip: bool = True
    turns: bool = True
    rotate: float = 0.0
    fill: str = "reflection"

    def take(self, pixels: Tensor) -> Tensor:
        """(B,C,H,W) to (B,C,*size): another part of each picture."""
        maps = self._maps(len(pixels), pixels.shape[3] / pixels.shape[2], pixels.device)
        grid = functional.affine_grid(maps, [*pixels.shape[:2], *self.size], align_corners=False)
        return functional.grid_sample(pixels, grid, padding_mode=self.fill, align_corners=False)

    def _maps(self, n: int, wide: float, device: torch.device) -> Tensor:
        """(n,2,3): from the result's coordinates (-1..1, x first) to those of a picture that is
        `wide` times as wide as high."""
        def drawn(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(n, device=device)

        edge, longer = drawn(*self.area).sqrt(), drawn(-1, 1) * math.log(self.aspect) / 2
        width, height = (edge * longer.exp()).clamp(max=1), (edge / longer.exp()).clamp(max=1)
        moves = torch.stack([drawn(-1, 1) * (1 - width), drawn(-1, 1) * (1 - height)], dim=1)
        angle = torch.deg2rad(drawn(-self.rotate, self.rotate))
        if self.turns:
            angle = angle + torch.randint(4, (n,), device=device) * (math.pi / 2)
        mirrored = torch.where(drawn(0, 1) < (0.5 if self.flip else 0.0), -width, width)
        sine, cosine = torch.sin(angle), torch.cos(angle)
        rows = (torch.stack([cosine * mirrored, -sine * height / wide], 1),
                torch.stack([sine * mirrored * wide, cosine * height], 1))
        return torch.cat([torch.stack(rows, 1), moves[:, :, None]], dim=2)


def _blurred(pixels: Tensor, most: float) -> Tensor:
    """Each item blurred by a Gaussian of its own width, up to `most` px."""
    n, channels = pixels.shape[:2]
    reach = max(1, round(3 * most))
    sigma = torch.rand(n, 1, device=pixels.device).clamp_min(1e-3) * most
    at = torch.arange(-reach, reach + 1, device=pixels.device, dtype=pixels.dtype)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, 0)
    mode = "reflect" if reach < min(pixels.shape[2:]) else "replicate"
    flat = functional.pad(pixels.reshape(1, n * channels, *pixels.shape[2:]), (reach,) * 4, mode)
    flat = functional.conv2d(flat, kernel[:, None, :, None], groups=n * channels)
    flat = functional.conv2d(flat, kernel[:, None, None, :], groups=n * channels)
    return flat.reshape(pixels.shape)


def _kept(n: int, channels: int, drop: float, like: Tensor) -> Tensor:
    """(n,channels,1,1) of 1 and 0; at least one channel of each item stays."""
    drawn = torch.rand(n, channels, device=like.device)
    kept = (drawn >= drop) | (drawn == drawn.max(dim=1, keepdim=True).values)
    return kept.to(like.dtype)[..., None, None]


def mixed(pixels: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    """Mixup (Zhang et al. 2018): pixels mixed with a permuted batch, that permutation, and the
    first part's weight in each item (B,)."""
    concentration = torch.tensor(alpha, device=pixels.device)
    weight = torch.distributions.Beta(concentration, concentration).sample((len(pixels),))
    order = torch.randperm(len(pixels), device=pixels.device)
    share = weight.reshape(-1, 1, 1, 1).to(pixels.dtype)
    return pixels * share + pixels[order] * (1 - share), order, weight
