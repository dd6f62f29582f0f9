"""Moments of the masks up to third order, from the runs of pixels."""

import numpy as np

from libcell.feat.families._index import ObjectIndex

ORDERS = 4  # 0 to 3


def centroids(index: ObjectIndex) -> tuple[np.ndarray, np.ndarray]:
    """Mean y and x of each object's pixels, float64 (n,), px."""
    length = index.run_x1 - index.run_x0
    middle = (index.run_x0 + index.run_x1 - 1) / 2
    area = index.runs.sum(length)
    return index.runs.sum(index.run_y * length) / area, index.runs.sum(middle * length) / area


def moments(index: ObjectIndex, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sum of (y' - y)**p (x' - x)**q over each object's pixels, float64 (n,4,4) as [:, p, q].

    `y` and `x` (n,) are the origins. Sums along a run are closed formulas around its middle,
    so nothing large is subtracted from something large.
    """
    n = (index.run_x1 - index.run_x0).astype(np.float64)
    d = (index.run_x0 + index.run_x1 - 1) / 2 - index.runs.spread(x)
    spread = n * (n * n - 1) / 12  # sum of squares around the run's middle
    along = (n, n * d, n * d * d + spread, n * d**3 + 3 * d * spread)
    across = index.run_y - index.runs.spread(y)
    found = np.empty((len(index), ORDERS, ORDERS))
    power = np.ones_like(across)
    for p in range(ORDERS):
        for q in range(ORDERS):
            found[:, p, q] = index.runs.sum(power * along[q])
        power = power * across
    return found


def central_moments(index: ObjectIndex) -> np.ndarray:
    """The same around the centroids; the first ones are 0 and not what rounding leaves."""
    found = moments(index, *centroids(index))
    found[:, 0, 1] = found[:, 1, 0] = 0
    return found


def inertia(central: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variances of y and x and their covariance (n,), px², from central moments (n,4,4)."""
    area = central[:, 0, 0]
    return central[:, 2, 0] / area, central[:, 0, 2] / area, central[:, 1, 1] / area


def eigenvalues(yy: np.ndarray, xx: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Larger and smaller eigenvalue (n,) of [[yy, xy], [xy, xx]], not below 0."""
    middle, root = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    return middle + root, np.maximum(middle - root, 0)
