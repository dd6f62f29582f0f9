"""What the outlines and the runs of objects tell: perimeter and Euler number."""

import numpy as np

from libcell.feat.families._groups import Groups
from libcell.feat.families._index import ObjectIndex

# weights of outline pixels by their neighbourhood (Benkrid and Crookes 2000), as in scikit-image:
# 1 for the pixel, 2 for each outline pixel beside it, 10 for each one diagonal to it
WEIGHTS = np.zeros(50)
WEIGHTS[[5, 7, 15, 17, 25, 27]] = 1
WEIGHTS[[21, 33]] = np.sqrt(2)
WEIGHTS[[13, 23]] = (1 + np.sqrt(2)) / 2


def perimeter(index: ObjectIndex) -> np.ndarray:
    """Length of the outline (n,), px; each object as if it were alone. A pixel's is 0."""
    if not len(index):
        return np.zeros(0)
    height, width = index.mask.shape
    kept = np.flatnonzero(index.outline)
    owner = index.each.owner[kept]
    wide = width + 2
    place = (index.y[kept] + 1) * wide + index.x[kept] + 1
    drawn = np.zeros((height + 2) * wide, np.int32)
    number = (owner + 1).astype(np.int32)
    drawn[place] = number
    code = np.ones(place.size, np.int64)
    for worth, steps in ((2, (1, wide)), (10, (wide - 1, wide + 1))):
        for step in (s * sign for s in steps for sign in (1, -1)):
            code += worth * (drawn[place + step] == number)
    counts = np.bincount(owner, minlength=len(index))
    return Groups(counts).sum(WEIGHTS[code])


def euler_number(index: ObjectIndex) -> np.ndarray:
    """8-connected parts minus holes (n,): the runs, less the touching pairs of runs in
    neighbouring rows."""
    wide = index.mask.shape[1] + 2
    row = index.runs.owner * (index.mask.shape[0] + 2) + index.run_y
    starts, stops = row * wide + index.run_x0, row * wide + index.run_x1
    below = wide  # the key of the same x one row down
    touching = np.searchsorted(starts, stops + below, side="right")
    touching = touching - np.searchsorted(stops, starts + below, side="left")
    return index.runs.counts - index.runs.sum(touching)
