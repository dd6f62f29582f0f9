"""The pixels of a label image sorted by object, made once and shared by all families."""

from dataclasses import dataclass

import numpy as np

from libcell.errors import DataError


@dataclass(frozen=True, eq=False)
class ObjectIndex:
    """Every object's pixels, one object after the other, each in raster order.

    labels   (n,) int64, ascending; they need not be contiguous
    pixels   (p,) int64, flat positions in the label image
    owner    (p,) int64, which object (0..n-1) a pixel belongs to
    starts   (n,) int64, where each object's pixels begin
    counts   (n,) int64, how many there are
    y, x     (p,) int64, position of each pixel
    y0, x0, y1, x1   (n,) int64, bounding boxes, the end exclusive
    """

    labels: np.ndarray
    pixels: np.ndarray
    owner: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    y: np.ndarray
    x: np.ndarray
    y0: np.ndarray
    x0: np.ndarray
    y1: np.ndarray
    x1: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray) -> "ObjectIndex":
        """Index of a label image (Y,X); DataError for another shape."""
        if labels.ndim != 2:
            raise DataError(f"a label image (Y,X) is needed, not shape {labels.shape}")
        where = np.flatnonzero(labels)
        values = labels.ravel()[where]
        order = np.argsort(values, kind="stable")
        pixels = where[order]
        found, starts, counts = np.unique(values[order], return_index=True, return_counts=True)
        y, x = np.divmod(pixels, labels.shape[1])
        owner = np.repeat(np.arange(found.size), counts)
        boxes = [_reduced(f, v, starts) for v in (y, x) for f in (np.minimum, np.maximum)]
        return cls(found.astype(np.int64), pixels, owner, starts, counts, y, x,
                   boxes[0], boxes[2], boxes[1] + 1, boxes[3] + 1)

    def __len__(self) -> int:
        return len(self.labels)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sum of values (p,) over each object, float64 (n,)."""
        return np.bincount(self.owner, weights=values, minlength=len(self))

    def minimum(self, values: np.ndarray) -> np.ndarray:
        """Smallest of values (p,) in each object (n,)."""
        return _reduced(np.minimum, values, self.starts)

    def maximum(self, values: np.ndarray) -> np.ndarray:
        """Largest of values (p,) in each object (n,)."""
        return _reduced(np.maximum, values, self.starts)

    def ordered(self, values: np.ndarray) -> np.ndarray:
        """Values (p,) sorted within each object, for `quantile`."""
        return values[np.lexsort((values, self.owner))]

    def quantile(self, ordered: np.ndarray, q: float) -> np.ndarray:
        """Quantile (n,) of `ordered` values, linear at (n-1) q as numpy's."""
        place = (self.counts - 1) * q
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, self.counts - 1)
        part = place - low
        below, above = ordered[self.starts + low], ordered[self.starts + high]
        return below * (1 - part) + above * part


def _reduced(function: np.ufunc, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return function.reduceat(values, starts) if starts.size else values[:0]
