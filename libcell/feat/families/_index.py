"""The pixels of a label image sorted by object, made once and shared by all families."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from libcell.errors import DataError
from libcell.feat.families._groups import Groups


@dataclass(frozen=True, eq=False)
class ObjectIndex:
    """Every object of a label image (Y,X), by its runs of pixels along x and by its pixels.

    mask     (Y,X) the label image, any integer dtype
    labels   (n,) int64, ascending; they need not be contiguous
    runs     groups of runs by object, in raster order
    run_y, run_x0, run_x1   (r,) int64, row and columns of each run, the end exclusive
    y0, x0, y1, x1          (n,) int64, bounding boxes, the end exclusive
    each     groups of pixels by object, in raster order
    pixels   (p,) int64, flat positions in the label image
    y, x     (p,) int64, position of each pixel
    edge     (p,) bool, pixels that touch another label or background to the left, right, above
             or below; the image's rim is no edge (scikit-image's find_boundaries, "inner")
    outline  (p,) bool, the same with the image's rim as an edge
    """

    mask: np.ndarray
    labels: np.ndarray
    runs: Groups
    run_y: np.ndarray
    run_x0: np.ndarray
    run_x1: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray) -> "ObjectIndex":
        """Index of a label image (Y,X); DataError for what is not one."""
        if labels.ndim != 2:
            raise DataError(f"objects are measured in a label image (Y,X), not {labels.shape}")
        if labels.dtype.kind not in "ui" or (labels.size and labels.min() < 0):
            raise DataError(f"labels must be integers from 0, not {labels.dtype}, smallest "
                            f"{labels.min() if labels.size else None}")
        start, stop, value = _label_runs(labels)
        order = np.argsort(value, kind="stable")
        found, counts = np.unique(value, return_counts=True)
        y, x0 = np.divmod(start[order], labels.shape[1] + 1)
        return cls(labels, found.astype(np.int64), Groups(counts), y, x0,
                   x0 + (stop - start)[order])

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def each(self) -> Groups:
        return Groups(_integers(self.runs.sum(self._lengths)))

    @cached_property
    def y0(self) -> np.ndarray:
        return _integers(self.runs.smallest(self.run_y))

    @cached_property
    def y1(self) -> np.ndarray:
        return _integers(self.runs.largest(self.run_y)) + 1

    @cached_property
    def x0(self) -> np.ndarray:
        return _integers(self.runs.smallest(self.run_x0))

    @cached_property
    def x1(self) -> np.ndarray:
        return _integers(self.runs.largest(self.run_x1))

    @cached_property
    def pixels(self) -> np.ndarray:
        return self.y * self.mask.shape[1] + self.x

    @cached_property
    def y(self) -> np.ndarray:
        return np.repeat(self.run_y, self._lengths)

    @cached_property
    def x(self) -> np.ndarray:
        before = np.cumsum(self._lengths) - self._lengths
        return np.arange(self._lengths.sum()) + np.repeat(self.run_x0 - before, self._lengths)

    @cached_property
    def edge(self) -> np.ndarray:
        return self._edge_image.ravel()[self.pixels]

    @cached_property
    def outline(self) -> np.ndarray:
        rim = np.zeros(self.mask.shape, bool)
        rim[[0, -1]] = rim[:, [0, -1]] = True
        return self.edge | rim.ravel()[self.pixels]

    @property
    def _lengths(self) -> np.ndarray:
        return self.run_x1 - self.run_x0

    @property
    def _edge_image(self) -> np.ndarray:
        edge = np.zeros(self.mask.shape, bool)
        below = self.mask[1:] != self.mask[:-1]
        right = self.mask[:, 1:] != self.mask[:, :-1]
        edge[1:] |= below
        edge[:-1] |= below
        edge[:, 1:] |= right
        edge[:, :-1] |= right
        return edge


def _label_runs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last + 1 position and label of every run of one label along x, in raster order.

    Positions are flat in an image with a column more than `labels`: background between the rows.
    """
    height, width = labels.shape
    flat = np.zeros(height * (width + 1) + 1, labels.dtype)
    flat[1:].reshape(height, width + 1)[:, :width] = labels
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    start, stop = changes[:-1], changes[1:]
    value = flat[start + 1]
    some = value > 0
    return start[some], stop[some], value[some]


def _integers(values: np.ndarray) -> np.ndarray:
    """Whole numbers (n,) that a reduction made float64: exact below 2**53."""
    return values.astype(np.int64)
