"""A field of view with objects marked on it, and one of them from near."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from libcell.explain.drawing import overlay

Box = tuple[int, int, int, int]  # first row, first column, one past the last row and column
EDGE = 640  # of each picture, px
ORANGE = (230, 159, 0)


def whole(rgb: np.ndarray, boxes: Sequence[tuple[Box, tuple[int, int, int]]],
          edge: int = EDGE) -> Image.Image:
    """A field (Y,X,3) of 0..1, its longer side `edge` px, with boxes drawn in their colours."""
    scale = edge / max(rgb.shape[:2])
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    made = Image.fromarray((rgb * 255).astype(np.uint8)).resize(size, Image.Resampling.BOX)
    pen = ImageDraw.Draw(made)
    for (y0, x0, y1, x1), colour in boxes:
        pen.rectangle([x0 * scale - 3, y0 * scale - 3, x1 * scale + 2, y1 * scale + 2],
                      outline=colour, width=2)
    return made


def near(rgb: np.ndarray, box: Box, mask: np.ndarray | None, edge: int = EDGE) -> Image.Image:
    """Three times an object's box, enlarged, the mask's outline (or the box) drawn."""
    if mask is not None:
        rgb = overlay.outlined(rgb, mask)
    y0, x0, y1, x1 = box
    side = max(24, 3 * max(y1 - y0, x1 - x0))
    top, left = (y0 + y1 - side) // 2, (x0 + x1 - side) // 2
    framed = np.zeros((side, side, 3))
    rows = slice(max(0, top), min(len(rgb), top + side))
    columns = slice(max(0, left), min(rgb.shape[1], left + side))
    framed[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = \
        rgb[rows, columns]
    made = Image.fromarray((framed * 255).astype(np.uint8)).resize((edge, edge),
                                                                   Image.Resampling.NEAREST)
    if mask is None:
        scale = edge / side
        ImageDraw.Draw(made).rectangle(
            [(x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale],
            outline=ORANGE, width=2)
    return made


def side_by_side(pictures: Sequence[Image.Image], text: str) -> Image.Image:
    """Pictures beside each other under a line of text."""
    gap, line = overlay.GAP * 2, overlay.NAME + 6
    page = Image.new("RGB", (sum(p.width + gap for p in pictures) + gap,
                             max(p.height for p in pictures) + line + gap), "white")
    ImageDraw.Draw(page).text((gap, 6), text, fill="#1b1f24")
    x = gap
    for picture in pictures:
        page.paste(picture, (x, line))
        x += picture.width + gap
    return page
