"""ImageJ's regions of interest to pixels.

ImageJ counts positions from pixel corners: the centre of the pixel in row r and column c is at
(r + 0.5, c + 0.5), and a pixel belongs to an area if its centre is inside the outline, by the
even-odd rule where an outline crosses itself or has holes. A centre exactly on an edge is out
on the left or lower edge and in on the right or upper one, so that outlines which share an edge
share no pixel and leave none between them. An upright rectangle or oval has
whole bounds, whatever finer ones the file adds, as in ImageJ's own masks.
"""

from typing import Any

import numpy as np
import roifile
from roifile import ROI_SUBTYPE, ROI_TYPE

Patch = tuple[int, int, np.ndarray]  # first row, first column, mask (h,w) bool
OUTLINES = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
NO_AREA = (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.ARROW, ROI_SUBTYPE.IMAGE)
NUDGE = 1e-8  # px, ImageJ's own: a crossing that rounding put left of a centre lies on it
EDGE = 32767  # positions are 16 bits; a box beyond them is no box


class Unusable(ValueError):
    """Why a region becomes no object."""


def read(data: bytes) -> Any:
    """A region out of the bytes of a `.roi`. Unusable if they are none."""
    try:
        return roifile.ImagejRoi.frombytes(data)
    except Exception as error:
        raise Unusable(f"not a readable ImageJ ROI: {error}") from error


def area(roi: Any, size: tuple[int, int]) -> Patch:
    """Pixels of a region in an image of that (height, width), cut at its edges.

    Unusable for what has no area, or none inside the image.
    """
    if roi.subtype in NO_AREA:
        raise Unusable(f"has no area: {roi.subtype.name.lower()}")
    if roi.composite:
        found = fill(_composite(roi), size)
    elif roi.roitype in OUTLINES:
        found = fill([roi.coordinates()], size)
    elif roi.roitype == ROI_TYPE.RECT:
        found = _box(roi, size, rounded(*_size(roi), roi.rounded_rect_arc_size))
    elif roi.roitype == ROI_TYPE.OVAL:
        found = _box(roi, size, oval(*_size(roi)))
    else:
        raise Unusable(f"has no area: {roi.roitype.name.lower()}")
    if not found[2].any():
        raise Unusable("no pixel inside the image")
    return found


def _composite(roi: Any) -> list[np.ndarray]:
    try:
        return list(roi.coordinates(multi=True))
    except (NotImplementedError, RuntimeError, IndexError) as error:
        raise Unusable(f"shape of curves or a broken path: {error}") from error


def fill(outlines: list[np.ndarray], size: tuple[int, int]) -> Patch:
    """Pixels whose centres are inside closed outlines (n,2) of x, y from pixel corners."""
    height, width = size
    closed = [np.asarray(o, float).reshape(-1, 2) for o in outlines]
    starts = np.concatenate([*closed, np.empty((0, 2))])
    ends = np.concatenate([*(np.roll(o, -1, axis=0) for o in closed), np.empty((0, 2))])
    if not len(starts) or not np.isfinite(starts).all():
        raise Unusable("outline has no points, or some that are no numbers")
    y0, y1 = _span(starts[:, 1], height)
    x0, x1 = _span(starts[:, 0], width)
    toggles = np.zeros((y1 - y0, x1 - x0 + 1), np.int32)
    centres = np.arange(y0, y1) + 0.5
    for (ax, ay), (bx, by) in zip(starts.tolist(), ends.tolist()):
        first, last = np.searchsorted(centres, sorted((ay, by)))
        if first < last:
            x = ax + (centres[first:last] - ay) * ((bx - ax) / (by - ay))
            column = np.clip(np.floor(x + NUDGE + 0.5), x0, x1).astype(int) - x0
            toggles[np.arange(first, last), column] += 1
    return y0, x0, np.cumsum(toggles, axis=1)[:, :-1] % 2 == 1


def _span(values: np.ndarray, length: int) -> tuple[int, int]:
    """First pixel and one past the last that some positions reach, inside 0..length."""
    low, high = np.clip([np.floor(values.min()), np.ceil(values.max())], 0, length)
    return int(low), int(high)


def _size(roi: Any) -> tuple[int, int]:
    height, width = roi.bottom - roi.top, roi.right - roi.left
    if not (0 < height <= EDGE and 0 < width <= EDGE):
        raise Unusable("no pixel inside the image")
    return height, width


def oval(height: int, width: int) -> np.ndarray:
    """(height,width) bool: pixels whose centres are inside the ellipse that fills the box."""
    y = (np.arange(height) + 0.5) / height * 2 - 1
    x = (np.arange(width) + 0.5) / width * 2 - 1
    inside: np.ndarray = y[:, None] ** 2 + x[None] ** 2 < 1
    return inside


def rounded(height: int, width: int, arc: int) -> np.ndarray:
    """(height,width) bool of a rectangle whose corners are quarters of a circle `arc` px wide."""
    radius = min(arc, height, width) / 2
    if radius <= 0:
        return np.ones((height, width), bool)
    over = []  # how far a centre lies past the straight part of its side
    for length in (height, width):
        centre = np.arange(length) + 0.5
        over.append(np.maximum(np.maximum(radius - centre, centre - (length - radius)), 0))
    inside: np.ndarray = over[0][:, None] ** 2 + over[1][None] ** 2 < radius**2
    return inside


def _box(roi: Any, size: tuple[int, int], mask: np.ndarray) -> Patch:
    """A mask that fills a region's bounds, cut at the image's edges."""
    top, left = max(roi.top, 0), max(roi.left, 0)
    bottom, right = (max(v, 0) for v in (roi.bottom, roi.right))
    part = mask[top - roi.top : bottom - roi.top, left - roi.left : right - roi.left]
    return top, left, part[: max(size[0] - top, 0), : max(size[1] - left, 0)]


def position(roi: Any, frames: int, planes: int) -> tuple[int, int]:
    """Frame and plane, from 0, that a region lies on. Unusable where that stays open.

    Its frame and slice count; else its place in a plain stack, which is of frames or of planes.
    """
    single = frames == 1 or planes == 1
    stack = roi.position if single and not (roi.t_position or roi.z_position) else 0
    found = []
    axes = (("frame", roi.t_position, frames), ("plane", roi.z_position, planes))
    for name, told, length in axes:
        number = (told or stack) if length > 1 else 1
        if not 1 <= number <= length:
            text = f"{name} {number} of {length}" if number else f"tells no {name} of {length}"
            raise Unusable(f"where it lies: {text}")
        found.append(number - 1)
    return found[0], found[1]
