"""A crop as a grey or coloured picture, and a map of its class laid over it."""

import io

import numpy as np
from PIL import Image, ImageDraw
from plotly.colors import sequential, unlabel_rgb

from libcell.explain.page.pictures import COLOURS, GREY

INFERNO = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in sequential.Inferno]) / 255
CIVIDIS = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] if c.startswith("#")
                    else unlabel_rgb(c) for c in sequential.Cividis])
CIVIDIS = CIVIDIS / 255
GAP = 4
NAME = 16  # px of a line of text
FULL = 0.99  # part of the pixels below the strength that is drawn in full


def coloured(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(H,W) of 0..1 to (H,W,3) along a colour scale (k,3)."""
    at = np.clip(values, 0, 1) * (len(scale) - 1)
    return np.stack([np.interp(at, np.arange(len(scale)), scale[:, c]) for c in range(3)], -1)


def shown(crop: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    """A crop (C,H,W) in the display ranges (C,2) of its channels, as (H,W,3) of 0..1."""
    span = np.maximum(ranges[:, 1] - ranges[:, 0], 1e-9)
    scaled = np.clip((crop - ranges[:, :1, None]) / span[:, None, None], 0, 1)
    colours = GREY if len(crop) == 1 else COLOURS[np.arange(len(crop)) % len(COLOURS)]
    return np.asarray(np.clip(np.einsum("chw,cs->hws", scaled, colours), 0, 1))


def overlaid(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A map (H,W) of -1..1 over a picture (H,W,3) turned grey: nothing where it is 0, glowing where
    it speaks for the class, blue where against it. A single pixel does not set the scale."""
    values = np.clip(values / max(float(np.quantile(np.abs(values), FULL)), 1e-9), -1, 1)
    grey = picture.mean(2, keepdims=True) * 0.85 * np.ones(3)
    strength = np.abs(values)[..., None] * 0.75
    heat = np.where(values[..., None] >= 0, coloured(0.25 + 0.7 * values, INFERNO),
                    np.array([0.20, 0.55, 0.95]))
    return np.asarray(grey * (1 - strength) + heat * strength)


def outlined(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with the pixels just outside a mask in white."""
    framed = np.pad(mask, 1)
    grown = framed[:-2, 1:-1] | framed[2:, 1:-1] | framed[1:-1, :-2] | framed[1:-1, 2:]
    made = picture.copy()
    made[grown & ~mask] = 1.0
    return made


def sheet(tiles: list[tuple[str, list[np.ndarray]]], edge: int, columns: int) -> bytes:
    """PNG of tiles: a text above pictures (H,W,3) side by side, each `edge` px wide."""
    width = len(tiles[0][1]) * (edge + GAP)
    cell = (width + 2 * GAP, edge + NAME + GAP)
    rows = -(-len(tiles) // columns)
    page = Image.new("RGB", (columns * cell[0] + GAP, rows * cell[1] + GAP), "white")
    pen = ImageDraw.Draw(page)
    for i, (text, pictures) in enumerate(tiles):
        x, y = GAP + i % columns * cell[0], GAP + i // columns * cell[1]
        pen.text((x, y), text, fill="#1b1f24")
        for k, picture in enumerate(pictures):
            one = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
            height = max(1, round(edge * picture.shape[0] / picture.shape[1]))
            kind = (Image.Resampling.NEAREST if edge >= picture.shape[1]
                    else Image.Resampling.BOX)
            page.paste(one.resize((edge, min(edge, height)), kind),
                       (x + k * (edge + GAP), y + NAME))
    return png(page)


def png(picture: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    target = io.BytesIO()
    picture.save(target, format="PNG", optimize=True)
    return target.getvalue()
