"""Every cell in one piece, without holes, and sure of itself."""

import numpy as np
from skimage.measure import label


def sound(roots: np.ndarray, probability: np.ndarray, least: int) -> np.ndarray:
    """Roots (any shape, 0: none) of the objects that are kept, each in one piece.

    Paths of pixels apart from a cell may lead to its centre, too: of an object its largest piece
    stays (diagonals connect; of pieces alike the first in raster order), if the mean of its
    `probability` (uint8) is at least `least`. An object is treated as in the whole image if all
    of it is in the array, with a pixel around it.
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
    return filled(np.where(kept[pieces], roots, 0))


def filled(roots: np.ndarray) -> np.ndarray:
    """Roots with the holes of each object: background that only this one object is next to."""
    ground = label(roots == 0, background=0, connectivity=1)
    count = int(ground.max(initial=0)) + 1
    lowest, highest = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64)
    for axis in range(roots.ndim):
        size = roots.shape[axis]
        before, after = (np.take(roots, range(a, size + b), axis) for a, b in ((0, -1), (1, 0)))
        sides = [np.take(ground, range(a, size + b), axis) for a, b in ((0, -1), (1, 0))]
        for hole, beside in ((sides[0], after), (sides[1], before)):
            here = (hole > 0) & (beside > 0)
            np.minimum.at(lowest, hole[here], beside[here])
            np.maximum.at(highest, hole[here], beside[here])
    owner = np.where(lowest == highest, highest, 0)
    for axis in range(roots.ndim):
        if roots.shape[axis] > 1:  # what reaches the array's end may go on; a plane has no above
            owner[np.unique(np.take(ground, (0, -1), axis))] = 0
    return np.where(ground > 0, owner[ground], roots)
