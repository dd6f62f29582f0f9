"""Every cell in one piece: paths of pixels apart from a cell may lead to its centre, too."""

import numpy as np
from skimage.measure import label


def largest_pieces(roots: np.ndarray) -> np.ndarray:
    """Roots (any shape, 0: none) without all but the largest connected piece of each object.

    Diagonals connect; of pieces alike the first in raster order stays. An object is treated as in
    the whole image if all of it is in the array.
    """
    if not roots.any():
        return roots
    pieces = label(roots, background=0, connectivity=roots.ndim)  # numbered in raster order
    sizes = np.bincount(pieces.ravel())
    owners = np.zeros(sizes.size, np.int64)
    owners[pieces.ravel()] = roots.ravel()
    order = np.lexsort((-sizes, owners))  # stable: raster order among pieces alike
    kept = np.zeros(sizes.size, bool)
    kept[order[np.flatnonzero(np.diff(owners[order], prepend=-1))]] = True
    return np.where(kept[pieces], roots, 0)
