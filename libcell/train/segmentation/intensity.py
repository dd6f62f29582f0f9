"""Changes of intensity in training: what another microscope, stain or exposure would do."""

import numpy as np
import torch
from torch.nn import functional

from libcell.train.segmentation.crops import Crop

EMPTY = 0.02  # share of the crops that are nothing but noise, so that noise is no cell


def changed(crop: Crop, rng: np.random.Generator, swap: float) -> Crop:
    """A crop with other intensities; `swap` is how often dark and bright change places."""
    if rng.random() < EMPTY:
        noise = _noise(crop.image.shape, rng)
        return Crop(noise, torch.zeros_like(crop.target), torch.ones_like(crop.valid))
    return Crop(recast(crop.image, rng, swap), crop.target, crop.valid)


def recast(image: torch.Tensor, rng: np.random.Generator, swap: float) -> torch.Tensor:
    """An image (C,Z,Y,X) with other intensities."""
    if rng.random() < swap:
        image = 1 - image
    image = _bent(image, rng)
    if rng.random() < 0.3:
        image = image + _slope(image.shape, rng)
    if rng.random() < 0.2:
        image = _blurred(image, float(rng.uniform(0.4, 1.3)))
    if rng.random() < 0.5:
        image = image + torch.from_numpy(rng.normal(
            0, rng.uniform(0, 0.08), image.shape).astype(np.float32))
    return image


def _bent(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Gamma within 0..1, then contrast and brightness; each channel for itself."""
    made = []
    for channel in image:
        gamma = float(np.exp(rng.uniform(-0.45, 0.45)))
        within = channel.clamp(0, 1)
        bent = within.pow(gamma) + (channel - within)
        made.append(bent * float(rng.uniform(0.7, 1.2)) + float(rng.uniform(-0.1, 0.1)))
    return torch.stack(made)


def _slope(shape: torch.Size, rng: np.random.Generator) -> torch.Tensor:
    """Uneven light: a few random heights, smoothly joined; the same in all planes."""
    coarse = torch.from_numpy(rng.normal(0, 0.08, (1, 1, 3, 3)).astype(np.float32))
    wide = functional.interpolate(coarse, size=tuple(shape[-2:]), mode="bicubic",
                                  align_corners=True)
    return wide[0]


def _blurred(image: torch.Tensor, sigma_px: float) -> torch.Tensor:
    """Gaussian along rows and columns."""
    reach = int(np.ceil(3 * sigma_px))
    along = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = torch.exp(-0.5 * (along / sigma_px) ** 2)
    weights /= weights.sum()
    flat = image.reshape(-1, 1, *image.shape[-2:])
    flat = functional.pad(flat, (reach,) * 4, mode="reflect")
    flat = functional.conv2d(flat, weights.reshape(1, 1, 1, -1))
    return functional.conv2d(flat, weights.reshape(1, 1, -1, 1)).reshape(image.shape)


def _noise(shape: torch.Size, rng: np.random.Generator) -> torch.Tensor:
    """Noise as an empty field has it once its contrast is stretched."""
    noise = torch.from_numpy(rng.normal(0.4, 0.25, shape).astype(np.float32))
    return _blurred(noise, float(rng.uniform(0.3, 1.5))) if rng.random() < 0.5 else noise
