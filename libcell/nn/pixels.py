"""From a crop store's pixels to what a network is fed: the input contract of a model's card.

`normalisation` is one of

    {"kind": "train", "mean": [...], "sd": [...]}    per channel, of the training part's pixels
    {"kind": "range", "full": 255}                   divided by the largest value of the type
    {"kind": "crop", "percentiles": [0.1, 99.9]}     each crop's channels stretched to 0..1
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

KINDS = ("train", "range", "crop")


def to_float(crops: np.ndarray | torch.Tensor, device: torch.device) -> torch.Tensor:
    """(B,C,H,W) of any type as float32 on the device; the narrow type travels."""
    if isinstance(crops, np.ndarray):
        crops = torch.from_numpy(crops)
    return crops.to(device).to(torch.float32)


def fit_size(pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(B,C,H,W) scaled to `size` with its proportions kept, the rest filled with 0."""
    height, width = pixels.shape[2:]
    scale = min(size[0] / height, size[1] / width)
    inner = (max(1, round(height * scale)), max(1, round(width * scale)))
    if inner != (height, width):
        pixels = functional.interpolate(pixels, inner, mode="bilinear", antialias=True)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    if inner == tuple(size):
        return pixels
    return functional.pad(pixels, (left, size[1] - inner[1] - left, top, size[0] - inner[0] - top))


def shape(
    crops: np.ndarray | torch.Tensor, size: tuple[int, int], how: Mapping[str, Any],
    device: torch.device,
) -> torch.Tensor:
    """Crops (B,C,H,W) as float of `size`, not yet normalised: 0 is black still.

    Each crop's own percentiles are taken here, before black is added around it; a constant
    channel becomes 0.
    """
    pixels = to_float(crops, device)
    if how["kind"] == "crop":
        low, high = _percentiles(pixels, *how["percentiles"])
        pixels = ((pixels - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)
    return fit_size(pixels, size)


def normalise(pixels: torch.Tensor, how: Mapping[str, Any]) -> torch.Tensor:
    """What `shape` gave, as the network wants it."""
    if how["kind"] == "range":
        return pixels / how["full"]
    if how["kind"] == "train":
        mean, sd = (torch.tensor(how[k], dtype=pixels.dtype, device=pixels.device)
                    .reshape(1, -1, 1, 1) for k in ("mean", "sd"))
        return (pixels - mean) / sd
    return pixels


def _percentiles(
    pixels: torch.Tensor, low: float, high: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Two percentiles of each crop's channels (B,C,1,1): the nearest value in order.

    They lie near the ends, which topk finds in a fraction of the time that sorting all takes.
    """
    values = pixels.flatten(2)  # torch.quantile stops at 16 million of them
    last = values.shape[2] - 1
    below, above = round(low / 100 * last), last - round(high / 100 * last)
    return (values.topk(below + 1, dim=2, largest=False).values[..., -1, None, None],
            values.topk(above + 1, dim=2).values[..., -1, None, None])
