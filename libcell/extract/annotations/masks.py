"""What a COCO outline's pixels are: exactly those of `pycocotools.COCO.annToMask`.

pycocotools draws a polygon with rounded slopes that depend on where in the image it lies (a
tie of `y + slope * step` falls to one side or the other with the size of y), so a polygon
moved into its bounding box gives other pixels: about one in a thousand. So outlines are drawn in
their image, as runs of pixels (`spans`), and painted where they are wanted.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from libcell.extract.annotations import codes, numbers, spans
from libcell.extract.annotations.spans import Spans

FAR = 8  # outlines this many image sizes outside cost memory and have nothing inside
CROWD = "crowd: outline of many objects (see --crowd)"


class Unusable(ValueError):
    """Why an outline has no mask."""


@dataclass(frozen=True)
class Found:
    """Masks of n objects, and why some have none: `faults` (n,), "" where there is one."""

    spans: Spans
    faults: list[str]

    @classmethod
    def nothing(cls) -> "Found":
        """No object at all."""
        none = np.zeros(0, np.int64)
        return cls(Spans(none, none, none, none, np.zeros((0, 4), np.int64), none,
                         np.zeros((0, 2), np.int64)), [])


@dataclass(frozen=True)
class Texts:
    """JSON of n objects within `text` (bytes, uint8): `outlines` and `boxes` (n,2), the first byte
    and the length of each, 0 where there is none."""

    text: np.ndarray
    outlines: np.ndarray
    boxes: np.ndarray

    def outline(self, i: int) -> Any:
        return self._value(self.outlines[i])

    def box(self, i: int) -> Any:
        return self._value(self.boxes[i])

    def _value(self, span: np.ndarray) -> Any:
        start, length = span.tolist()
        return msgspec.json.decode(self.text[start : start + length].data) if length else None


def find(texts: Texts, height: int, width: int, left_out: np.ndarray) -> Found:
    """The mask of each object in an image of `height` x `width` px, or why it has none.

    An outline is a list of polygons, one flat polygon, or run lengths (compressed or not); where
    it is None or empty the box (x, y, width, height) is the mask. Objects that are `left_out`
    (n,) have faults of their own, or else are crowds.
    """
    values, ends, parts, plain = numbers.polygons(texts.text, texts.outlines)
    plain &= ~_far(values, ends, parts, FAR * max(height, width))
    parts[~plain] = 0
    others = _Others(height, width, [values], [ends], ends[-1], len(ends) - 1, parts)
    faults = [""] * len(plain)
    for i in np.flatnonzero(~plain).tolist():
        try:
            others.take(i, texts)
        except Unusable as fault:
            faults[i] = str(fault)
    for i in np.flatnonzero(left_out).tolist():
        faults[i] = faults[i] or CROWD
        parts[i] = others.columns[i] = 0
    made = Spans(*spans.draw(height, width, *others.arrays()))
    for i in np.flatnonzero(made.areas == 0).tolist():
        faults[i] = faults[i] or "no pixel inside the image"
    return Found(made, faults)


def _far(values: np.ndarray, ends: np.ndarray, parts: np.ndarray, limit: int) -> np.ndarray:
    """Whether an object has a coordinate beyond the limit."""
    beyond = np.flatnonzero(np.abs(values) > limit)
    polygons = np.searchsorted(ends, beyond, "right") - 1
    counts = np.bincount(polygons, minlength=len(ends))
    before = np.concatenate([[0], np.cumsum(counts)])
    far: np.ndarray = before[parts[:, 1]] > before[parts[:, 0]]
    return far


class _Others:
    """Outlines that are no plain polygons, one by one, behind those that are."""

    def __init__(self, height: int, width: int, values: list[np.ndarray], ends: list[np.ndarray],
                 used: int, number: int, parts: np.ndarray):
        self.height, self.width = height, width
        self._values, self._ends, self._used, self._number = values, ends, int(used), number
        self._parts, self.columns = parts, np.zeros_like(parts)
        self._starts: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []
        self._runs = 0

    def take(self, i: int, texts: Texts) -> None:
        """Add object i; Unusable where it has no mask."""
        outline = texts.outline(i)
        if isinstance(outline, dict):
            self._add_runs(i, lengths_given(outline, self.height, self.width))
        elif outline and (not isinstance(outline, list) or any(outline)):
            self._add_polygons(i, polygons_given(outline, max(self.height, self.width)))
        else:
            x, y, width, height = box_given(texts.box(i), self.height, self.width)
            corners = [x, y, x, y + height, x + width, y + height, x + width, y]
            self._add_polygons(i, [corners])  # maskApi.c, rleFrBbox

    def _add_polygons(self, i: int, some: list[list[float]]) -> None:
        self._parts[i] = self._number, self._number + len(some)
        self._values += [np.array(one, np.float64) for one in some]
        self._ends.append(self._used + np.cumsum([len(one) for one in some]))
        self._number, self._used = self._number + len(some), int(self._ends[-1][-1])

    def _add_runs(self, i: int, lengths: np.ndarray) -> None:
        ends = np.cumsum(lengths)
        inside = lengths[1::2] > 0
        self._lengths.append(lengths[1::2][inside])
        self._starts.append((ends - lengths)[1::2][inside])
        self.columns[i] = self._runs, self._runs + len(self._starts[-1])
        self._runs = int(self.columns[i, 1])

    def arrays(self) -> tuple[np.ndarray, ...]:
        """What `spans.draw` asks for, but for the size of the image."""
        none = [np.empty(0, np.int64)]
        return (np.concatenate(self._values), np.concatenate(self._ends), self._parts,
                np.concatenate(none + self._starts), np.concatenate(none + self._lengths),
                self.columns)


def polygons_given(outline: Any, edge: int) -> list[list[float]]:
    """The polygons of an object, checked. Unusable where they are none."""
    if not isinstance(outline, list):
        raise Unusable("outline is neither polygons nor run lengths")
    some = outline if isinstance(outline[0], list) else [outline]
    for polygon in some:
        if not isinstance(polygon, list):
            raise Unusable("outline mixes polygons and numbers")
        if len(polygon) < 2 * numbers.CORNERS:
            raise Unusable("polygon of fewer than 3 points")
        if len(polygon) % 2:
            raise Unusable("polygon with an odd number of coordinates")
        try:
            low, high = min(polygon), max(polygon)
            inside = -FAR * edge <= low and high <= FAR * edge
        except TypeError as error:
            raise Unusable("polygon with a coordinate that is no number") from error
        if not inside:
            raise Unusable("polygon far outside the image")
    return some


def box_given(box: Any, height: int, width: int) -> list[float]:
    """x, y, width, height of a box, which may have fractions, checked. Unusable if it is none."""
    if box is None:
        raise Unusable("neither outline nor box")
    if not isinstance(box, list) or len(box) != 4 or not all(
            isinstance(v, int | float) for v in box):
        raise Unusable("box that is not four numbers")
    if box[2] <= 0 or box[3] <= 0:
        raise Unusable("box without width or height")
    if max(map(abs, box)) > FAR * max(height, width):
        raise Unusable("box far outside the image")
    return box


def lengths_given(outline: dict[str, Any], height: int, width: int) -> np.ndarray:
    """Run lengths (m,) int64, background first. Unusable unless they fill the image."""
    if list(outline.get("size") or []) != [height, width]:
        raise Unusable("run lengths of another image size")
    counts = outline.get("counts")
    found = np.array([-1])
    if isinstance(counts, list) and all(type(c) is int and c >= 0 for c in counts):
        found = np.array(counts, np.int64)
    elif isinstance(counts, str):
        found = codes.lengths(np.frombuffer(counts.encode(), np.uint8))
    if (found < 0).any() or found.sum() != height * width:
        raise Unusable("run lengths that do not fill the image")
    return found
