"""The pixels of objects as compiled loops are handed them.

Loops are also handed the arrays that they fill: each way of making one would be compiled along.
"""

from typing import NamedTuple

import numpy as np

# a 0 that is no literal: what is handed one is compiled for literals, too
ZERO: int = np.int64(0)  # type: ignore[assignment]


class Runs(NamedTuple):
    """Runs of pixels along x, by object and in raster order; int64.

    first    (n+1,) where each object's runs begin
    y, x0, x1  (r,) row and columns of each run, the end exclusive
    box      (n,4) bounding boxes y0, x0, y1, x1, the end exclusive
    area     (n,) pixels
    """

    first: np.ndarray
    y: np.ndarray
    x0: np.ndarray
    x1: np.ndarray
    box: np.ndarray
    area: np.ndarray


def heights(runs: Runs) -> np.ndarray:
    """Rows of each bounding box, int64 (n,)."""
    return runs.box[:, 2] - runs.box[:, 0]


def widths(runs: Runs) -> np.ndarray:
    """Columns of each bounding box, int64 (n,)."""
    return runs.box[:, 3] - runs.box[:, 1]


def most(numbers: np.ndarray) -> int:
    """The largest of some numbers (n,), 0 if there are none: how much scratch suffices for all."""
    return int(numbers.max(initial=0))
