"""Every cell in one piece, and sure of itself."""

import numpy as np
from skimage.measure import label


def sound(roots: np.ndarray, probability: np.ndarray, least: int) -> np.ndarray:
    """Roots (any shape, 0: none) of the objects that are kept, each in one piece.

    Paths of pixels apart from a cell may lead to its centre, too: of an object its largest piece
    stays (diagonals connect; of pieces alike the first in raster order), if the mean of its
    `probability` (uint8) is at least `least`. An object is treated as in the whole image if all
    of it is in the array.
    """
    if not roots.any():
        return roots
    pieces = label(roots, background=0, connectivity=roots.ndim)  # numbered in raster order
    flat = pieces.ravel()
    sizes = np.bincount(flat)
    sums = np.bincount(flat, weights=probability.ravel())  # of whole numbers, exact
    owners = np.zeros(sizes.size, np.int64)
    owners[flat] = roots.ravel()
    order = np.lexsort((-sizes, owners))  # stable: raster order among pieces alike
    kept = np.zeros(sizes.size, bool)
    kept[order[np.flatnonzero(np.diff(owners[order], prepend=-1))]] = True
    kept &= sums >= least * sizes
    return np.where(kept[pieces], roots, 0)
