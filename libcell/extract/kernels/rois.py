"""ImageJ's regions of interest: which pixels are theirs, on which frame and plane.

The rule is ImageJ's own: a pixel belongs if its centre lies inside the outline. Coordinates are
pixel corners, x to the right and y down: pixel (0, 0) spans 0 to 1 and its centre is at 0.5. A
centre exactly on an outline's left or lower edge is outside, on its right or upper edge inside,
so that outlines which share an edge share no pixel and leave none between them.
"""

import logging
import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from roifile import ImagejRoi

OUTLINES = ("POLYGON", "FREEHAND", "TRACED")  # ellipses and turned boxes are FREEHAND, too
NUDGE = 1e-8  # ImageJ's: a crossing that rounding put a hair left of a centre lies on it
Patch = tuple[int, int, np.ndarray]  # first row, first column, mask (h,w) bool


class Unusable(ValueError):
    """A region that is no object, and why."""


def read(data: bytes) -> "ImagejRoi":
    """The region in the bytes of a `.roi`. Unusable if they are none."""
    import roifile

    logging.getLogger("roifile").setLevel(logging.ERROR)  # what it warns of ends as Unusable
    try:
        return roifile.ImagejRoi.frombytes(data)
    except (ValueError, TypeError, IndexError, struct.error) as error:
        raise Unusable(f"not a readable ImageJ ROI: {error}") from error


def position(roi: "ImagejRoi", frames: int, planes: int) -> tuple[int, int]:
    """Frame and plane of a region, from 0, in an image of so many.

    ImageJ counts from 1, 0 tells nothing. `position` is the place in a stack, so it tells a
    frame or a plane where the image has several of only one of them.
    """
    t, z = roi.t_position, roi.z_position
    if not t and planes == 1:
        t = roi.position
    if not z and frames == 1:
        z = roi.position
    return _one_of(t, frames, "frame"), _one_of(z, planes, "plane")


def _one_of(told: int, count: int, name: str) -> int:
    if count == 1:
        return 0
    if told < 1:
        raise Unusable(f"where it lies: tells no {name} of {count}")
    if told > count:
        raise Unusable(f"where it lies: {name} {told} of {count}")
    return told - 1


def area(roi: "ImagejRoi", size: tuple[int, int]) -> Patch:
    """Pixels of a region in an image (height, width), as the patch that holds them.

    Unusable for lines, points, text and whatever else has no area, or none in the image.
    """
    kind = roi.subtype.name if roi.subtype.name in ("TEXT", "IMAGE", "ARROW") else roi.roitype.name
    if (kind == "RECT" and roi.composite) or kind in OUTLINES:
        found = polygon(_paths(roi), size)
    elif kind in ("RECT", "OVAL"):
        found = _bounded(roi, kind, size)
    else:
        raise Unusable(f"has no area: {kind.lower()}")
    if not found[2].any():
        raise Unusable("has no pixel inside the image")
    return found


def _paths(roi: "ImagejRoi") -> list[np.ndarray]:
    """Closed outlines (n,2) of x, y; a composite has several."""
    try:
        paths = [np.asarray(p, float) for p in roi.coordinates(multi=True)]
    except (NotImplementedError, RuntimeError, ValueError, IndexError) as error:
        raise Unusable(f"its outline cannot be followed: {error}") from error
    if not sum(map(len, paths)):
        raise Unusable("has no points")
    return paths


def polygon(paths: list[np.ndarray], size: tuple[int, int]) -> Patch:
    """Pixels of closed outlines; what lies within two of them is a hole (even and odd)."""
    y0, x0, height, width = _window(np.concatenate(paths), size)
    flips = np.zeros((height, width + 1), np.int32)
    for path in paths:
        here = path - (x0, y0)
        for start, end in zip(here, np.roll(here, -1, axis=0)):
            _cross(flips, start, end)
    return y0, x0, np.cumsum(flips[:, :width], axis=1) % 2 == 1


def _window(points: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """First row, first column, height and width of the box around points x, y, in the image."""
    limit = size[::-1]
    x0, y0 = np.clip(np.floor(points.min(axis=0)), 0, limit).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(points.max(axis=0)), 0, limit).astype(int).tolist()
    return y0, x0, y1 - y0, x1 - x0


def _cross(flips: np.ndarray, start: np.ndarray, end: np.ndarray) -> None:
    """Note where the rows' centre lines cross an edge: inside and outside change there."""
    (xa, ya), (xb, yb) = sorted((start.tolist(), end.tolist()), key=lambda p: p[1])
    first, last = (int(np.clip(np.ceil(y - 0.5), 0, len(flips))) for y in (ya, yb))
    if first >= last:
        return
    rows = np.arange(first, last)
    at = xa + (rows + 0.5 - ya) * ((xb - xa) / (yb - ya)) + NUDGE
    columns = np.clip(np.floor(at + 0.5), 0, flips.shape[1] - 1).astype(int)
    flips[rows, columns] += 1


def _bounded(roi: "ImagejRoi", kind: str, size: tuple[int, int]) -> Patch:
    """Pixels of a box, a rounded box or an oval, cut where the image ends."""
    top, left = float(roi.top), float(roi.left)
    height, width = float(roi.bottom - roi.top), float(roi.right - roi.left)
    if roi.subpixelrect:
        top, left, height, width = roi.yd, roi.xd, roi.heightd, roi.widthd
    arc = max(height, width) if kind == "OVAL" else float(roi.rounded_rect_arc_size)
    corners = np.array([(left, top), (left + width, top + height)])
    y0, x0, rows, columns = _window(corners, size)
    y = np.arange(y0, y0 + rows) + 0.5 - top
    x = np.arange(x0, x0 + columns) + 0.5 - left
    inside = ((y > 0) & (y <= height))[:, None] & ((x > 0) & (x <= width))
    if arc > 0:
        inside &= _beyond(y, height, arc)[:, None] ** 2 + _beyond(x, width, arc) ** 2 < 1
    return y0, x0, inside


def _beyond(at: np.ndarray, length: float, arc: float) -> np.ndarray:
    """How far centres reach into the rounding at either end, 1 at the end itself."""
    radius = min(arc, length) / 2
    if not radius:
        return np.zeros_like(at)
    return np.abs(at - np.clip(at, radius, length - radius)) / radius


def oval(height: int, width: int) -> np.ndarray:
    """Mask (height, width) bool of the ellipse that fills it."""
    y = (np.arange(height) + 0.5) / height - 0.5
    x = (np.arange(width) + 0.5) / width - 0.5
    found: np.ndarray = y[:, None] ** 2 + x**2 < 0.25
    return found
