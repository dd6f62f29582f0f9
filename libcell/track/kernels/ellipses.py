"""Objects as ellipses: where each lies, how large it is, which way it is long.

An object is numbered by where its first pixel lies in raster scan, never by the value of its
label.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from libcell.compiled import compiled
from libcell.errors import DataError

DIRECT = 1 << 24  # labels up to here are looked up in a table, larger ones sorted
WITHIN_PIXEL = 1 / 12  # variance of a pixel's own extent, so that a thin object has a width


@dataclass(frozen=True)
class Objects:
    """The n objects of a frame.

    labels  (n,) int64
    centres (n, d) float64, d 2 or 3: (z,) y, x in units of an x pixel
    sizes   (n,) float64: pixels (voxels); 0 where objects are points
    spreads (n, d, d) float64: covariance of the pixels' places; 0 where objects are points
    bright  (n, c) float64: mean of every channel; c may be 0
    """

    labels: np.ndarray
    centres: np.ndarray
    sizes: np.ndarray
    spreads: np.ndarray
    bright: np.ndarray

    def __len__(self) -> int:
        return int(self.labels.size)

    @property
    def masks(self) -> bool:
        """Whether they have sizes and shapes."""
        return bool(self.sizes.any())

    @cached_property
    def half_axes(self) -> np.ndarray:
        """(n, d(d+1)/2) float64, see `half_axes`."""
        return half_axes(self.spreads)


def points(labels: np.ndarray, centres: np.ndarray, sizes: np.ndarray | None = None) -> Objects:
    """Objects that are only places, and sizes where these are known."""
    n, d = centres.shape
    return Objects(labels.astype(np.int64), centres.astype(np.float64),
                   np.zeros(n) if sizes is None else sizes.astype(np.float64),
                   np.zeros((n, d, d)), np.zeros((n, 0)))


def measure(
    frame: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0),
    channels: np.ndarray | None = None,
) -> Objects:
    """The objects of a label image (Z, Y, X) of any integer dtype; 0 is background.

    spacing   size of a voxel (z, y, x) in x pixels
    channels  (C, Z, Y, X): what to take the mean of
    """
    if frame.ndim != 3 or frame.dtype.kind not in "ui":
        raise DataError(f"labels must be integers (Z, Y, X), not {frame.dtype} {frame.shape}")
    if frame.size and frame.dtype.kind == "i" and frame.min() < 0:
        raise DataError(f"labels must not be negative, found {frame.min()}")
    names, numbers = _narrow(frame)
    values = np.zeros((0, *frame.shape)) if channels is None else channels
    found, sums = moments(numbers, int(numbers.max(initial=0)), values)
    return _objects(names[found], sums, frame.shape[0] > 1, np.array(spacing), len(values))


def _narrow(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Names (k,) of the values, and the frame with values below k."""
    most = int(frame.max(initial=0))
    if most <= DIRECT:
        return np.arange(most + 1), frame
    names, inverse = np.unique(frame, return_inverse=True)
    if names[0] != 0:
        names, inverse = np.concatenate([[0], names]), inverse + 1
    return names, inverse.reshape(frame.shape)


def _objects(
    labels: np.ndarray, sums: np.ndarray, deep: bool, spacing: np.ndarray, channels: int
) -> Objects:
    area = sums[:, 0]
    centres = sums[:, 1:4] / area[:, None]
    second = sums[:, 4:10][:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3) / area[:, None, None]
    spreads = second - centres[:, :, None] * centres[:, None, :] + np.eye(3) * WITHIN_PIXEL
    axes = slice(0 if deep else 1, 3)
    return Objects(
        labels.astype(np.int64), (centres * spacing)[:, axes], area,
        (spreads * spacing[:, None] * spacing)[:, axes, axes],
        sums[:, 10 : 10 + channels] / area[:, None])


@compiled
def moments(
    frame: np.ndarray, most: int, channels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values (n,) in order of their first voxel, and sums (n, 10 + C) float64 over their voxels:
    1, z, y, x, zz, zy, zx, yy, yx, xx and every channel."""
    place = np.full(most + 1, -1, np.int64)
    found = np.zeros(64, np.int64)
    sums = np.zeros((64, 10 + channels.shape[0]))
    n = 0
    for z in range(frame.shape[0]):
        for y in range(frame.shape[1]):
            for x in range(frame.shape[2]):
                value = frame[z, y, x]
                if value == 0:
                    continue
                k = place[value]
                if k < 0:
                    if n == found.size:
                        found = np.concatenate((found, np.zeros_like(found)))
                        sums = np.concatenate((sums, np.zeros_like(sums)))
                    k = n
                    place[value], found[k] = k, value
                    n += 1
                s = sums[k]
                s[0] += 1
                s[1] += z
                s[2] += y
                s[3] += x
                s[4] += z * z
                s[5] += z * y
                s[6] += z * x
                s[7] += y * y
                s[8] += y * x
                s[9] += x * x
                for c in range(channels.shape[0]):
                    s[10 + c] += channels[c, z, y, x]
    return found[:n], sums[:n]


def united(a: Objects, first: np.ndarray, second: np.ndarray) -> Objects:
    """Pairs of objects (row numbers) taken as one each: sizes sum, so do the pixels' moments.

    Points weigh the same. Brightness is the mean over both.
    """
    mass = np.stack([a.sizes[first], a.sizes[second]], axis=1)
    mass[mass.sum(axis=1) == 0] = 1
    share = mass / mass.sum(axis=1, keepdims=True)
    one, two = a.centres[first], a.centres[second]
    apart = one - two
    product = (share[:, 0] * share[:, 1])[:, None, None]
    w1, w2 = share[:, :1], share[:, 1:]
    return Objects(
        a.labels[first], w1 * one + w2 * two, a.sizes[first] + a.sizes[second],
        w1[..., None] * a.spreads[first] + w2[..., None] * a.spreads[second]
        + product * apart[:, :, None] * apart[:, None, :],
        w1 * a.bright[first] + w2 * a.bright[second])


def half_axes(spreads: np.ndarray) -> np.ndarray:
    """(n, d(d+1)/2) float64: square roots of covariances as vectors, px.

    The distance between two such vectors bounds, and is nearly, the Wasserstein distance of two
    ellipses at one place: by how many px the pixels of one must move to make the other.
    """
    root = _root_2d(spreads) if spreads.shape[1] == 2 else _root(spreads)
    row, column = np.triu_indices(spreads.shape[1])
    return np.asarray(root[:, row, column] * np.where(row == column, 1.0, np.sqrt(2)))


def _root_2d(spreads: np.ndarray) -> np.ndarray:
    """In closed form (Cayley and Hamilton), many times faster than by eigenvectors."""
    area = np.sqrt(np.maximum(np.linalg.det(spreads), 0))
    scale = np.sqrt(np.trace(spreads, axis1=1, axis2=2) + 2 * area)
    scale[scale == 0] = 1
    return np.asarray((spreads + area[:, None, None] * np.eye(2)) / scale[:, None, None])


def _root(spreads: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(spreads)
    scaled = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
    return np.asarray(scaled @ np.swapaxes(vectors, 1, 2))
