"""Crops as small pictures: channels in colours that everybody can tell apart."""

import io

import numpy as np
from PIL import Image

# sky blue, orange, bluish green, reddish purple (Okabe and Ito), as fractions of white
COLOURS = np.array([(0.34, 0.71, 0.91), (0.90, 0.62, 0.0), (0.0, 0.62, 0.45), (0.80, 0.47, 0.65)])
PAIRED = 96
GREY = np.ones((1, 3))


def windows(crops: np.ndarray, low: float = 1.0, high: float = 99.8) -> np.ndarray:
    """Display range (C,2) of each channel over crops (N,C,H,W), so that they can be compared."""
    flat = np.moveaxis(crops, 1, 0).reshape(crops.shape[1], -1)
    return np.percentile(flat, (low, high), axis=1).T


def thumbnail(crop: np.ndarray, ranges: np.ndarray, mask: np.ndarray | None, size: int) -> bytes:
    """A crop (C,H,W) as PNG bytes of `size` px, the mask's outline drawn in white."""
    target = io.BytesIO()
    _sized(_painted(crop, ranges, mask), size).save(target, format="PNG", optimize=True)
    return target.getvalue()


def pair(left: np.ndarray, right: np.ndarray) -> bytes:
    """Two pictures (H,W,3) of 0..1 side by side, as PNG bytes of 192 x 96 px."""
    both = [_sized(Image.fromarray((np.clip(one, 0, 1) * 255).astype(np.uint8)), PAIRED)
            for one in (left, right)]
    target = io.BytesIO()
    Image.fromarray(np.concatenate([np.asarray(one) for one in both], axis=1)).save(
        target, format="PNG", optimize=True)
    return target.getvalue()


def small(
    crop: np.ndarray, ranges: np.ndarray, mask: np.ndarray | None, size: int, quality: int
) -> bytes:
    """The same as WebP: a thousand of them fit into a page."""
    target = io.BytesIO()
    _sized(_painted(crop, ranges, mask), size).save(target, format="WEBP", quality=quality,
                                                    method=2)
    return target.getvalue()


def _painted(crop: np.ndarray, ranges: np.ndarray, mask: np.ndarray | None) -> Image.Image:
    span = np.maximum(ranges[:, 1] - ranges[:, 0], 1e-9)
    scaled = np.clip((crop - ranges[:, :1, None]) / span[:, None, None], 0, 1)
    colours = GREY if len(crop) == 1 else COLOURS[np.arange(len(crop)) % len(COLOURS)]
    rgb = np.clip(np.einsum("chw,cs->hws", scaled, colours), 0, 1)
    if mask is not None and mask.any() and not mask.all():
        rgb[_outline(mask)] = 1.0
    return Image.fromarray((rgb * 255).astype(np.uint8))


def _sized(picture: Image.Image, size: int) -> Image.Image:
    # nearest where a crop is enlarged: what looks like a pixel should be one
    kind = Image.Resampling.NEAREST if size >= picture.width else Image.Resampling.BOX
    return picture.resize((size, size), kind)


def _outline(mask: np.ndarray) -> np.ndarray:
    """Pixels just outside the mask."""
    framed = np.pad(mask, 1)
    grown = framed[:-2, 1:-1] | framed[2:, 1:-1] | framed[1:-1, :-2] | framed[1:-1, 2:]
    return np.asarray(grown & ~mask)
