"""Moments of the masks up to third order, from the runs of pixels."""

from typing import NamedTuple

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._runs import Runs

ORDERS = 4  # 0 to 3


class Moments(NamedTuple):
    """Sums of y^p x^q over each object's pixels, as [p, q, object].

    y, x      (n,) centroids, px in the label image
    spatial   (4,4,n) from the corner of the bounding box
    central   (4,4,n) from the centroid; the first ones are 0 and not what rounding leaves
    """

    y: np.ndarray
    x: np.ndarray
    spatial: np.ndarray
    central: np.ndarray


def moments(runs: Runs) -> Moments:
    """Moments of every object, float64."""
    n = len(runs.area)
    found = Moments(np.empty(n), np.empty(n), *np.zeros((2, ORDERS, ORDERS, n)))
    _moments(runs, *found)
    return found


@compiled
def _moments(
    runs: Runs, y: np.ndarray, x: np.ndarray, spatial: np.ndarray, central: np.ndarray
) -> None:
    for i in range(runs.area.size):
        top, left, area = float(runs.box[i, 0]), float(runs.box[i, 1]), runs.area[i]
        _add(runs, i, top, left, spatial)
        y[i], x[i] = top + spatial[1, 0, i] / area, left + spatial[0, 1, i] / area
        _add(runs, i, y[i], x[i], central)
        central[0, 1, i] = central[1, 0, i] = 0.0


@compiled
def _add(runs: Runs, i: int, y0: float, x0: float, total: np.ndarray) -> None:
    """Sums along a run are closed formulas around its middle, so nothing large is subtracted
    from something large."""
    for r in range(runs.first[i], runs.first[i + 1]):
        n = float(runs.x1[r] - runs.x0[r])
        d = (runs.x0[r] + runs.x1[r] - 1) / 2 - x0
        spread = n * (n * n - 1) / 12  # sum of squares around the run's middle
        power = 1.0
        for p in range(4):
            total[p, 0, i] += power * n
            total[p, 1, i] += power * (n * d)
            total[p, 2, i] += power * (n * d * d + spread)
            total[p, 3, i] += power * (n * d * d * d + 3 * d * spread)
            power *= runs.y[r] - y0


def inertia(central: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variances of y and x and their covariance (n,), px², from central moments (4,4,n)."""
    area = central[0, 0]
    return central[2, 0] / area, central[0, 2] / area, central[1, 1] / area


def eigenvalues(yy: np.ndarray, xx: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Larger and smaller eigenvalue (n,) of [[yy, xy], [xy, xx]], not below 0."""
    middle, root = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    return middle + root, np.maximum(middle - root, 0)
