"""What a COCO outline's pixels are: exactly those of `pycocotools.COCO.annToMask`.

pycocotools draws a polygon with rounded slopes that depend on where in the image it lies (a
tie of `y + slope * step` falls to one side or the other with the size of y), so a polygon
moved into its bounding box gives other pixels: about one in a thousand. Its run-length code
costs no more for the whole image than for a box, though; only filling the whole image does.
So outlines are coded in their image, and the runs are painted where they are wanted.

Runs are columns first, as COCO counts: pixel (y, x) of an image is number x * height + y.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco

AT_ONCE = 200  # pycocotools' arithmetic overflows on thousands of masks in one call
FAR = 8  # outlines this many image sizes outside cost memory and have nothing inside
BITS = 5  # of a number in one character of the code
LONGEST = 7  # characters of a number: 2^35 pixels


class Unusable(ValueError):
    """Why an outline has no mask."""


def encode(
    outlines: Sequence[Any], boxes: Sequence[Any], height: int, width: int
) -> list[bytes | Unusable]:
    """The run-length code of each object in an image of `height` x `width` px, or why it has none.

    An outline is a list of polygons, one flat polygon, or run lengths (compressed or not); where
    it is None or empty the box (x, y, width, height) is the mask.
    """
    made: list[bytes | Unusable | None] = []
    polygons: list[list[float]] = []
    parts: list[tuple[int, int, int]] = []  # object, its first polygon, how many
    for i, (outline, box) in enumerate(zip(outlines, boxes)):
        try:
            if isinstance(outline, dict):
                made.append(_runs_given(outline, height, width))
            elif outline and (not isinstance(outline, list) or any(outline)):
                some = _polygons(outline, max(height, width))
                parts.append((i, len(polygons), len(some)))
                polygons += some
                made.append(None)
            else:
                made.append(_box(box, height, width))
        except Unusable as fault:
            made.append(fault)
    codes = [code for first in range(0, len(polygons), AT_ONCE)
             for code in coco.frPyObjects(polygons[first : first + AT_ONCE], height, width)]
    for i, first, count in parts:
        joined = codes[first] if count == 1 else coco.merge(codes[first : first + count])
        made[i] = joined["counts"]
    return made  # type: ignore[return-value]


def _polygons(outline: Any, edge: int) -> list[list[float]]:
    """The polygons of an object, checked: pycocotools takes what it is given."""
    if not isinstance(outline, list):
        raise Unusable("outline is neither polygons nor run lengths")
    some = outline if isinstance(outline[0], list) else [outline]
    for polygon in some:
        if not isinstance(polygon, list):
            raise Unusable("outline mixes polygons and numbers")
        if len(polygon) < 6:
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


def _box(box: Any, height: int, width: int) -> bytes:
    """pycocotools' own mask of a box, which may have fractions."""
    if box is None:
        raise Unusable("neither outline nor box")
    numbers = isinstance(box, list) and all(isinstance(v, int | float) for v in box)
    if not numbers or len(box) != 4:
        raise Unusable("box that is not four numbers")
    if box[2] <= 0 or box[3] <= 0:
        raise Unusable("box without width or height")
    if max(map(abs, box)) > FAR * max(height, width):
        raise Unusable("box far outside the image")
    code: bytes = coco.frPyObjects(np.array([box], np.float64), height, width)[0]["counts"]
    return code


def _runs_given(outline: dict[str, Any], height: int, width: int) -> bytes:
    """Run lengths as they are in the file, compressed; refused unless they fill the image."""
    if list(outline.get("size") or []) != [height, width]:
        raise Unusable("run lengths of another image size")
    counts = outline.get("counts")
    if isinstance(counts, list):
        fits = all(type(c) is int and c >= 0 for c in counts)
        if not fits or sum(counts) != height * width:
            raise Unusable("run lengths that do not fill the image")
        packed: bytes = coco.frPyObjects([{"size": [height, width], "counts": counts}],
                                         height, width)[0]["counts"]
        return packed
    code = counts.encode() if isinstance(counts, str) else b""
    try:
        lengths, _ = _counts([code])
    except Unusable:
        lengths = np.array([-1])
    if (lengths < 0).any() or lengths.sum() != height * width:
        raise Unusable("run lengths that do not fill the image")
    return code


def _counts(codes: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The run lengths (m,) int64 that codes stand for, and each one's object (m,).

    A number is little-endian characters of 5 bits, a sixth says that more follow; from the
    fourth on it is the difference to the one before the last (maskApi.c, rleFrString).
    """
    code = np.frombuffer(b"".join(codes), np.uint8) - np.uint8(48)  # below 48 wraps to above 63
    if not len(code):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    ends = np.flatnonzero(code < 32)
    if code.max() > 63 or not len(ends) or ends[-1] != len(code) - 1:
        raise Unusable("run lengths that cannot be decoded")
    sizes = np.diff(ends, prepend=-1)
    longest = int(sizes.max())
    if longest > LONGEST:
        raise Unusable("run lengths that cannot be decoded")
    first = ends - sizes + 1
    values = (code[first] & 31).astype(np.int64)
    for place in range(1, longest):
        more = np.flatnonzero(sizes > place)
        values[more] |= (code[first[more] + place] & 31).astype(np.int64) << (BITS * place)
    values -= np.where(code[ends] & 16, np.int64(1) << (BITS * sizes), 0)
    bytes_of = np.cumsum([len(c) for c in codes])
    owner = np.repeat(np.arange(len(codes)), np.diff(
        np.searchsorted(ends, bytes_of), prepend=0))
    rank = _rank(owner)
    for parity in (0, 1):
        chain = np.flatnonzero((rank % 2 == parity) & (rank > 0))
        values[chain] = _cumulated(values[chain], owner[chain])
    return values, owner


def _rank(owner: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... within each object; `owner` ascends."""
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    return np.arange(len(owner)) - np.repeat(first, np.diff(first, append=len(owner)))


def _cumulated(values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Running sum within each object, its own value included."""
    if not len(values):
        return values
    total = np.cumsum(values)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    before = total[first] - values[first]
    return total - np.repeat(before, np.diff(first, append=len(owner)))


@dataclass(frozen=True)
class Runs:
    """Masks of n objects as runs of pixels, each within one column, ordered by object.

    `owner`, `y`, `x`, `length` (m,) int64: the object (0..n-1), the first pixel, how many below
    each other.
    """

    n: int
    owner: np.ndarray
    y: np.ndarray
    x: np.ndarray
    length: np.ndarray

    def areas(self) -> np.ndarray:
        """Pixels of each object (n,) int64."""
        return np.bincount(self.owner, self.length, self.n).astype(np.int64)

    def boxes(self) -> np.ndarray:
        """y0, x0, y1, x1 of each object (n,4) int64, the end exclusive; 0 without a pixel."""
        found = np.zeros((self.n, 4), np.int64)
        if len(self.owner):
            first = np.flatnonzero(np.diff(self.owner, prepend=-1))
            ends = self.y + self.length
            found[self.owner[first]] = np.column_stack([
                np.minimum.reduceat(self.y, first), np.minimum.reduceat(self.x, first),
                np.maximum.reduceat(ends, first), np.maximum.reduceat(self.x, first) + 1])
        return found

    def centroids(self) -> np.ndarray:
        """y, x of each object (n,2) float64, NaN without a pixel; sums are exact."""
        ys = self.length * self.y + self.length * (self.length - 1) // 2
        sums = [np.bincount(self.owner, v, self.n) for v in (ys, self.length * self.x)]
        with np.errstate(invalid="ignore"):
            return np.column_stack(sums) / self.areas()[:, None]

    @classmethod
    def of(cls, counts: np.ndarray, y: np.ndarray, x: np.ndarray, length: np.ndarray) -> "Runs":
        """Runs of which `counts` (n,) tell how many each object has."""
        return cls(len(counts), np.repeat(np.arange(len(counts)), counts), y, x, length)

    def some(self, first: int, stop: int) -> "Runs":
        """Objects first:stop, numbered from 0."""
        a, b = np.searchsorted(self.owner, [first, stop])
        return Runs(stop - first, self.owner[a:b] - first, self.y[a:b], self.x[a:b],
                    self.length[a:b])

    def paint(self, masks: np.ndarray, corners: np.ndarray) -> None:
        """Set each object's pixels in its own `masks[i]` (H,W), whose (0,0) is image pixel
        `corners[i]` (n,2: y, x). The object must lie inside."""
        _, height, width = masks.shape
        y, x = (v - corners[self.owner, axis] for axis, v in enumerate((self.y, self.x)))
        first = (self.owner * height + y) * width + x
        masks.reshape(-1)[_pixels(first, self.length, width)] = True

    def paint_labels(self, image: np.ndarray, labels: np.ndarray) -> None:
        """Set label `labels[i]` at the pixels of object i in `image` (Y,X); later ones win."""
        width = image.shape[1]
        values = np.repeat(labels[self.owner], self.length)
        image.reshape(-1)[_pixels(self.y * width + self.x, self.length, width)] = values


def _pixels(first: np.ndarray, length: np.ndarray, step: int) -> np.ndarray:
    """Flat places of the pixels of runs that begin at `first` and go down, `step` apart."""
    ends = np.cumsum(length)
    inside = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - length, length)
    return np.repeat(first, length) + inside * step


def decode(codes: Sequence[bytes], heights: np.ndarray | int) -> Runs:
    """The runs of n codes; `heights` (n,) or one: rows of each object's image."""
    lengths, owner = _counts(codes)
    ends = _cumulated(lengths, owner)
    filled = (_rank(owner) & 1 == 1) & (lengths > 0)
    lengths, owner, starts = lengths[filled], owner[filled], (ends - lengths)[filled]
    height = np.broadcast_to(np.asarray(heights, np.int64), len(codes))[owner]
    x, y = starts // height, starts % height
    columns = (y + lengths - 1) // height + 1
    if (columns > 1).any():  # a run that goes on at the top of the next column
        return _split(len(codes), owner, starts, lengths, height, columns)
    return Runs(len(codes), owner, y, x, lengths)


def _split(
    n: int, owner: np.ndarray, starts: np.ndarray, lengths: np.ndarray, height: np.ndarray,
    columns: np.ndarray,
) -> Runs:
    """Runs cut where a column ends."""
    which = np.repeat(np.arange(len(owner)), columns)
    number = _rank(which)
    height = height[which]
    x = starts[which] // height + number
    begin = np.maximum(starts[which], x * height)
    end = np.minimum(starts[which] + lengths[which], (x + 1) * height)
    return Runs(n, owner[which], begin - x * height, x, end - begin)
