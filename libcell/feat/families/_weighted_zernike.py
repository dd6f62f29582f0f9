"""Sums of Zernike polynomials over the pixels of objects, weighted by the pixels' values."""

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families import _zernike
from libcell.feat.families._hull import Hulls
from libcell.feat.families._runs import Runs


def weighted(
    runs: Runs, values: np.ndarray, hulls: Hulls
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Real and imaginary part (30,n) of every polynomial in TERMS, mean over each object's finite
    values (p,) times the values; and the mean size of the values (n,)."""
    sums = np.zeros((len(runs.area), _zernike.ORDER + 1, _zernike.ORDER + 1))
    size = np.empty(len(runs.area))
    _sums(runs, values, hulls.y, hulls.x, hulls.radius, sums, size)
    real, imaginary = (np.einsum("kpq,npq->kn", c, sums) for c in _zernike._coefficients())
    real[:, hulls.radius == 0] = imaginary[:, hulls.radius == 0] = np.nan
    return real, imaginary, size


@compiled
def _sums(
    runs: Runs, values: np.ndarray, y: np.ndarray, x: np.ndarray, radius: np.ndarray,
    sums: np.ndarray, size: np.ndarray,
) -> None:
    """Mean of value y^p x^q, p + q up to 9, in the disc of radius 1; NaN without a value."""
    powers = np.empty(10)
    k = 0
    for i in range(runs.area.size):
        scale = 1 / radius[i] if radius[i] > 0 else 0.0
        count, total = 0, 0.0
        for r in range(runs.first[i], runs.first[i + 1]):
            across = (runs.y[r] - runs.box[i, 0] - y[i]) * scale
            for column in range(runs.x0[r], runs.x1[r]):
                value = values[k]
                k += 1
                if not np.isfinite(value):
                    continue
                count += 1
                total += abs(value)
                along = (column - runs.box[i, 1] - x[i]) * scale
                powers[0] = value
                for q in range(1, 10):
                    powers[q] = powers[q - 1] * along
                power = 1.0
                for p in range(10):
                    for q in range(10 - p):
                        sums[i, p, q] += power * powers[q]
                    power *= across
        sums[i] /= count if count else np.nan
        size[i] = total / count if count else np.nan
