"""The pixels of a label image sorted by object, made once and shared by all families."""

from functools import cached_property

import numpy as np

from libcell.compiled import compiled
from libcell.errors import DataError
from libcell.feat.families._groups import Groups
from libcell.feat.families._hull import Hulls, hulls
from libcell.feat.families._moments import Moments, moments
from libcell.feat.families._runs import Runs

LARGEST = 2**32 - 1


class ObjectIndex:
    """Every object of a label image (Y,X), by its runs of pixels along x and by its pixels.

    mask     (Y,X) uint32, the label image
    labels   (n,) int64, ascending; they need not be contiguous
    by_run   its runs of pixels along x, what compiled loops are handed
    y0, x0, y1, x1          (n,) int64, bounding boxes, the end exclusive
    each     groups of pixels by object, in raster order
    pixels   (p,) int64, flat positions in the label image
    y, x     (p,) int64, position of each pixel
    edge     (p,) bool, pixels that touch another label or background to the left, right, above
             or below; the image's rim is no edge (scikit-image's find_boundaries, "inner")
    hulls    convex hulls, see `Hulls`
    moments  of the masks, see `Moments`
    """

    def __init__(self, mask: np.ndarray, labels: np.ndarray, by_run: Runs) -> None:
        self.mask = mask
        self.labels = labels
        self.by_run = by_run
        self.y0, self.x0, self.y1, self.x1 = by_run.box.T

    @classmethod
    def of(cls, labels: np.ndarray) -> "ObjectIndex":
        """Index of a label image (Y,X); DataError for what is not one."""
        if labels.ndim != 2:
            raise DataError(f"objects are measured in a label image (Y,X), not {labels.shape}")
        if labels.dtype.kind not in "ui" or (labels.size and labels.min() < 0):
            raise DataError(f"labels must be integers from 0, not {labels.dtype}, smallest "
                            f"{labels.min() if labels.size else None}")
        if labels.dtype.itemsize > 4 and labels.size and labels.max() > LARGEST:
            raise DataError(f"labels must be below 2^32; the largest is {labels.max()}")
        # one kind of array, so that the loops are compiled once
        mask = np.require(labels, np.uint32, ("C", "W"))
        value, y, x0, x1 = _label_runs(mask)
        found, owner = np.unique(value, return_inverse=True)
        return cls(mask, found.astype(np.int64), Runs(*_sorted(owner, len(found), y, x0, x1)))

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def each(self) -> Groups:
        return Groups(self.by_run.area)

    @cached_property
    def pixels(self) -> np.ndarray:
        return self.y * self.mask.shape[1] + self.x

    @cached_property
    def y(self) -> np.ndarray:
        return np.repeat(self.by_run.y, self.by_run.x1 - self.by_run.x0)

    @cached_property
    def x(self) -> np.ndarray:
        lengths = self.by_run.x1 - self.by_run.x0
        before = np.cumsum(lengths) - lengths
        return np.arange(lengths.sum()) + np.repeat(self.by_run.x0 - before, lengths)

    @cached_property
    def edge(self) -> np.ndarray:
        return _edge(self.mask, self.by_run)

    @cached_property
    def hulls(self) -> Hulls:
        return hulls(self.by_run)

    @cached_property
    def moments(self) -> Moments:
        return moments(self.by_run)

    def squares(self, size: int) -> "Squares":
        """Squares of `size` px around the centroids, cut off at the image's rim."""
        # not rint: halves would go up or down with the place of a window
        centers = np.floor(np.column_stack([self.moments.y, self.moments.x]) + 0.5).astype(np.int64)
        low = np.maximum(centers - size // 2, 0)
        high = np.minimum(centers - size // 2 + size, self.mask.shape)
        rows = high[:, 0] - low[:, 0]
        first = np.concatenate([[0], np.cumsum(rows)])
        y = np.arange(first[-1]) + np.repeat(low[:, 0] - first[:-1], rows)
        runs = Runs(first, y, np.repeat(low[:, 1], rows), np.repeat(high[:, 1], rows),
                    np.hstack([low, high]), rows * (high[:, 1] - low[:, 1]))
        return Squares(self.mask, self.labels, runs)

    def values(self, image: np.ndarray) -> np.ndarray:
        """The image (Y,X) at every pixel, float64 (p,)."""
        found = np.empty(int(self.by_run.area.sum()))
        # native bytes, writable: each other kind of array would be compiled for anew
        kind = image.dtype.newbyteorder("=")
        _values(np.require(image, kind, ("C", "W")), self.by_run, found)
        return found


class Squares(ObjectIndex):
    """Squares around objects, whatever lies in them; they may overlap."""

    @cached_property
    def edge(self) -> np.ndarray:
        """Pixels at a square's rim, where the image goes on."""
        height, width = self.mask.shape
        y0, x0, y1, x1 = (self.each.spread(a) for a in (self.y0, self.x0, self.y1, self.x1))
        return (((self.y == y0) & (y0 > 0)) | ((self.y == y1 - 1) & (y1 < height))
                | ((self.x == x0) & (x0 > 0)) | ((self.x == x1 - 1) & (x1 < width)))


@compiled
def _label_runs(
    mask: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Label, row, first and last + 1 column of every run of one label, in raster order."""
    height, width = mask.shape
    count = 0
    for y in range(height):
        before = np.uint32(0)
        for x in range(width):
            here = mask[y, x]
            count += here != 0 and here != before
            before = here
    value = np.empty(count, np.uint32)
    where = np.empty((3, count), np.int64)
    k = -1
    for y in range(height):
        before = np.uint32(0)
        for x in range(width):
            here = mask[y, x]
            if here != before:
                if before != 0:
                    where[2, k] = x
                if here != 0:
                    k += 1
                    value[k], where[0, k], where[1, k] = here, y, x
                before = here
        if before != 0:
            where[2, k] = width
    return value, where[0], where[1], where[2]


@compiled
def _sorted(
    owner: np.ndarray, n: int, y: np.ndarray, x0: np.ndarray, x1: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The fields of `Runs` from runs of `owner` 0..n-1 in raster order: a counting sort."""
    first = np.zeros(n + 1, np.int64)
    for i in owner:
        first[i + 1] += 1
    for i in range(n):
        first[i + 1] += first[i]
    place = first[:-1].copy()
    area = np.zeros(n, np.int64)
    box = np.empty((n, 4), np.int64)
    box[:, :2], box[:, 2:] = 2**62, 0
    found = np.empty((3, owner.size), np.int64)
    for k in range(owner.size):
        i = owner[k]
        at = place[i]
        found[0, at], found[1, at], found[2, at] = y[k], x0[k], x1[k]
        place[i] = at + 1
        area[i] += x1[k] - x0[k]
        box[i, 0], box[i, 1] = min(box[i, 0], y[k]), min(box[i, 1], x0[k])
        box[i, 2], box[i, 3] = max(box[i, 2], y[k] + 1), max(box[i, 3], x1[k])
    return first, found[0], found[1], found[2], box, area


@compiled
def _edge(mask: np.ndarray, runs: Runs) -> np.ndarray:
    """Whether each pixel has another label beside, above or below it, bool (p,)."""
    height, width = mask.shape
    found = np.zeros(runs.area.sum(), np.bool_)
    k = 0
    for r in range(runs.y.size):
        y, x0, x1 = runs.y[r], runs.x0[r], runs.x1[r]
        own = mask[y, x0]
        for x in range(x0, x1):
            found[k] = (
                (x == x0 and x > 0) or (x == x1 - 1 and x1 < width)
                or (y > 0 and mask[y - 1, x] != own)
                or (y + 1 < height and mask[y + 1, x] != own)
            )
            k += 1
    return found


@compiled
def _values(image: np.ndarray, runs: Runs, found: np.ndarray) -> None:
    k = 0
    for r in range(runs.y.size):
        y = runs.y[r]
        for x in range(runs.x0[r], runs.x1[r]):
            found[k] = image[y, x]
            k += 1
