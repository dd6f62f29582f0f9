"""One frame's objects, numbered by where they lie and never by the value of their label.

So a permutation of the ids changes nothing downstream, ties included.
"""

from dataclasses import dataclass

import numpy as np

from libcell.errors import DataError

DIRECT = 1 << 24  # labels up to here are counted in a table, larger ones sorted


@dataclass(frozen=True)
class Frame:
    """The n objects of a label image, in order of their first pixel in raster scan.

    shape      of the image, (Y, X) or (Z, Y, X)
    pixels     (p,) int64: flat indices of the foreground, ascending
    owner      (p,) int64: whose pixel it is, 0..n-1
    labels     (n,) int64: the objects' ids in the image
    areas      (n,) int64: px (voxels)
    centroids  (n, 2 or 3) float64: (z,) y, x in px
    """

    shape: tuple[int, ...]
    pixels: np.ndarray
    owner: np.ndarray
    labels: np.ndarray
    areas: np.ndarray
    centroids: np.ndarray


def describe(labels: np.ndarray) -> Frame:
    """The objects of a label image (Y, X) or (Z, Y, X) of any integer dtype; 0 is background."""
    if labels.ndim not in (2, 3) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"labels must be integers (Y, X) or (Z, Y, X), not {labels.dtype} {labels.shape}"
        )
    pixels = np.flatnonzero(labels)
    ids, owner = _by_first_pixel(labels.ravel()[pixels])
    areas = np.bincount(owner, minlength=ids.size)
    where = np.unravel_index(pixels, labels.shape)
    sums = [np.bincount(owner, weights=w, minlength=ids.size) for w in where]
    centroids = np.stack(sums, axis=1) / areas[:, None]
    return Frame(labels.shape, pixels, owner, ids, areas, centroids)


def _by_first_pixel(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values (int64) in order of appearance, and the position of each in them."""
    if not values.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if values.min() < 0:
        raise DataError(f"labels must not be negative, found {values.min()}")
    if values.max() > DIRECT:
        ids, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    else:
        ids, first, inverse = _table_unique(values)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return ids[order].astype(np.int64), rank[inverse]


def _table_unique(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """np.unique with index and inverse, without sorting the pixels."""
    first = np.full(int(values.max()) + 1, -1, np.int64)
    first[values[::-1]] = np.arange(values.size)[::-1]  # the last one written is the first
    ids = np.flatnonzero(first >= 0)
    position = np.zeros(first.size, np.int64)
    position[ids] = np.arange(ids.size)
    return ids, first[ids], position[values]
