"""Square boxes on the areas that cells cover: CLANet's cluster-level selection, without merging.

Yang et al., arXiv:2306.16538. Boxes are (n,2) int64, first row and column, all of one size.
"""

import numpy as np
from scipy import ndimage

EIGHT = np.ones((3, 3), bool)
TILED = 2  # an area larger than this many boxes is tiled as well


class Sums:
    """Sums over any rectangle of a mask (Y,X): of its pixels, and of their rows and columns."""

    def __init__(self, mask: np.ndarray):
        y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
        self._tables = [_integral(mask * weight) for weight in (np.int64(1), y, x)]
        self._shape = np.array(mask.shape)

    def over(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """(n,3) int64: pixels, sum of rows, sum of columns between the corners (n,2) `first` and
        `last` (exclusive); what lies outside the mask is left out."""
        (y0, x0), (y1, x1) = (np.clip(c, 0, self._shape).T for c in (first, last))
        return np.column_stack([t[y1, x1] - t[y0, x1] - t[y1, x0] + t[y0, x0]
                                for t in self._tables])


def _integral(values: np.ndarray) -> np.ndarray:
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(values, axis=0), axis=1, out=table[1:, 1:])
    return table


def propose(mask: np.ndarray, size: int, regions: int, sums: Sums) -> np.ndarray:
    """Boxes (n,2) on a mask (Y,X): one for each of the largest `regions` connected areas, and for
    an area larger than two boxes the tiles of its bounding box as well.

    A rectangle that is not `size` x `size` gives the box around the mask's centre of mass in it,
    moved into the image; a rectangle without mask gives none. No box comes twice.
    """
    found = _rectangles(mask, size, regions)
    inside = sums.over(found[:, :2], found[:, 2:])
    found, inside = found[inside[:, 0] > 0], inside[inside[:, 0] > 0]
    centre = inside[:, 1:] / inside[:, :1]
    around = np.floor(centre + 0.5).astype(np.int64) - size // 2
    around = np.clip(around, 0, np.maximum(np.array(mask.shape) - size, 0))
    exact = (found[:, 2:] - found[:, :2] == size).all(axis=1, keepdims=True)
    boxes = np.where(exact, found[:, :2], around)
    first = np.unique(boxes, axis=0, return_index=True)[1]
    return boxes[np.sort(first)]


def _rectangles(mask: np.ndarray, size: int, regions: int) -> np.ndarray:
    """(n,4) int64 y0, x0, y1, x1: bounding boxes by area, each followed by its tiles."""
    labels, count = ndimage.label(mask, EIGHT)
    area = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    spans = ndimage.find_objects(labels)
    found = []
    for i in np.argsort(-area, kind="stable")[:regions]:
        y, x = spans[i]
        found.append((y.start, x.start, y.stop, x.stop))
        if area[i] > TILED * size * size:
            found += [(top, left, min(top + size, mask.shape[0]), min(left + size, mask.shape[1]))
                      for top in range(y.start, y.stop, size)
                      for left in range(x.start, x.stop, size)]
    return np.array(found, np.int64).reshape(-1, 4)
