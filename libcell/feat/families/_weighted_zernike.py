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
    n, terms = len(runs.area), _zernike.ORDER + 1
    sums, size, count = np.zeros((n, terms, terms)), np.zeros(n), np.zeros(n)
    _sums(runs, values, hulls.y, hulls.x, hulls.radius, np.empty(terms), sums, size, count)
    count[count == 0] = np.nan
    sums /= count[:, None, None]
    real, imaginary = (np.einsum("kpq,npq->kn", c, sums) for c in _zernike._coefficients())
    real[:, hulls.radius == 0] = imaginary[:, hulls.radius == 0] = np.nan
    return real, imaginary, size / count


@compiled
def _sums(
    runs: Runs, values: np.ndarray, y: np.ndarray, x: np.ndarray, radius: np.ndarray,
    powers: np.ndarray, sums: np.ndarray, size: np.ndarray, count: np.ndarray,
) -> None:
    """Of the finite values: sums of value y^p x^q, p + q up to 9, in the disc of radius 1, of
    their sizes, and their number."""
    k, terms = 0, powers.size  # not 10: loops of a known length are unrolled, which takes seconds
    for i in range(runs.area.size):
        scale = 1 / radius[i] if radius[i] > 0 else 0.0
        for r in range(runs.first[i], runs.first[i + 1]):
            across = (runs.y[r] - runs.box[i, 0] - y[i]) * scale
            for column in range(runs.x0[r], runs.x1[r]):
                value = values[k]
                k += 1
                if not np.isfinite(value):
                    continue
                count[i] += 1
                size[i] += abs(value)
                along = (column - runs.box[i, 1] - x[i]) * scale
                for q in range(terms):
                    powers[q] = value
                    value *= along
                power = 1.0
                for p in range(terms):
                    for q in range(terms - p):
                        sums[i, p, q] += power * powers[q]
                    power *= across
