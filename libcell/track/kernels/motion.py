"""How objects moved between two frames, before it is known which is which."""

import numpy as np
from scipy import fft
from scipy.spatial import cKDTree

from libcell.track.kernels.frame import Frame

MOTIONS = ("none", "global", "local")
NEIGHBOURS = 8  # surely linked objects that vote on a movement


def global_shift(a: Frame, b: Frame) -> np.ndarray:
    """Whole px (ndim,) int64 to add to `a`'s coordinates, from the correlation of the masks.

    Zeros if a frame is empty. The masks are correlated as such, not whitened: objects appear
    and grow, which whitening would weigh as much as what they share.
    """
    if not a.pixels.size or not b.pixels.size:
        return np.zeros(len(a.shape), np.int64)
    mask_a, origin_a = _mask(a)
    mask_b, origin_b = _mask(b)
    shape = [fft.next_fast_len(m + n, real=True) for m, n in zip(mask_a.shape, mask_b.shape)]
    surface = fft.irfftn(fft.rfftn(mask_b, shape) * np.conj(fft.rfftn(mask_a, shape)), shape)
    peak = np.unravel_index(int(np.argmax(surface)), surface.shape)
    # the negative shifts, down to minus the first mask's size, stand at the end of the circle
    turns = zip(peak, shape, mask_b.shape)
    return np.array([p - n if p >= m else p for p, n, m in turns]) + origin_b - origin_a


def _mask(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Foreground as float32, cut to its bounding box, and where that begins (px)."""
    where = np.stack(np.unravel_index(frame.pixels, frame.shape))
    origin = where.min(axis=1)
    mask = np.zeros(where.max(axis=1) - origin + 1, np.float32)
    mask[tuple(where - origin[:, None])] = 1
    return mask, origin


def local_shifts(a: Frame, b: Frame, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Whole px (n, ndim) int64 for each object of `a`: the median of its linked neighbours'."""
    if not source.size:
        return np.zeros((a.labels.size, len(a.shape)), np.int64)
    moves = b.centroids[target] - a.centroids[source]
    tree = cKDTree(a.centroids[source])
    _, near = tree.query(a.centroids, k=np.arange(1, min(NEIGHBOURS, source.size) + 1))
    return np.rint(np.median(moves[near], axis=1)).astype(np.int64)
