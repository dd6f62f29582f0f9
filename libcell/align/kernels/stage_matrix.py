"""Tracks below each other in aligned time, a colour for each stage."""

import io
from collections.abc import Sequence

import numpy as np

# Okabe and Ito's colours, which everybody can tell apart
COLOURS = ((86, 180, 233), (240, 228, 66), (230, 159, 0), (213, 94, 0), (204, 121, 167),
           (0, 158, 115), (0, 114, 178))
NOTHING = (235, 235, 235)
HEIGHT_PX, WIDTH_PX = (2, 12), (3, 12)  # of a track, of a frame: least and most
SIDE_PX = 900
LINE_PX, MARGIN_PX = 18, 10


def matrix(
    tracks: Sequence[tuple[np.ndarray, np.ndarray]], low: int, high: int
) -> np.ndarray:
    """(tracks, frames from `low` to `high`) int: the stage at each aligned frame, -1 unseen.

    Each track is its aligned time and its stages; a stretched frame fills the ones up to the next.
    """
    grid = np.arange(low, high + 1)
    rows = np.full((len(tracks), grid.size), -1)
    for row, (time, stages) in zip(rows, tracks):
        place = np.searchsorted(time, grid + 0.5) - 1  # the last frame that has begun
        known = (place >= 0) & (grid <= time[-1] + 0.5)
        row[known] = stages[place[known]]
    return rows


def picture(rows: np.ndarray, low: int, names: Sequence[str], anchor: str) -> bytes:
    """A PNG of `matrix`, longest unbroken courses on top, with a line at time 0."""
    from PIL import Image, ImageDraw

    tall = int(np.clip(SIDE_PX // max(1, len(rows)), *HEIGHT_PX))
    wide = int(np.clip(SIDE_PX // max(1, rows.shape[1]), *WIDTH_PX))
    colours = np.array([*(COLOURS[i % len(COLOURS)] for i in range(len(names))), NOTHING], np.uint8)
    pixels = colours[rows].repeat(tall, axis=0).repeat(wide, axis=1)
    top = LINE_PX * (len(names) + 1) + MARGIN_PX
    size = (max(pixels.shape[1], 300) + 2 * MARGIN_PX, len(pixels) + top + LINE_PX + MARGIN_PX)
    image = Image.new("RGB", size, "white")
    image.paste(Image.fromarray(pixels), (MARGIN_PX, top))
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN_PX, 2), f"{len(rows)} tracks; line: first frame of {anchor}", "black")
    for i, name in enumerate(names):
        y = LINE_PX * (i + 1)
        draw.rectangle((MARGIN_PX, y + 2, MARGIN_PX + 12, y + 14), tuple(map(int, colours[i])))
        draw.text((MARGIN_PX + 18, y + 2), name, "black")
    zero = MARGIN_PX - low * wide
    draw.line((zero, top, zero, top + len(pixels)), "black", 2)
    for t in (low, 0, low + rows.shape[1] - 1):
        draw.text((MARGIN_PX + (t - low) * wide, top + len(pixels) + 2), str(t), "black")
    target = io.BytesIO()
    image.save(target, format="PNG", optimize=True)
    return target.getvalue()
