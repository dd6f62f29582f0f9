"""The pixels of objects as compiled loops are handed them."""

from typing import NamedTuple

import numpy as np


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
