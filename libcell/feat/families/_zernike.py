"""Sums of Zernike polynomials over the pixels of objects."""

import functools
from math import factorial

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._hull import Hulls
from libcell.feat.families._runs import Runs, most, widths

ORDER = 9
TERMS = [(n, m) for n in range(ORDER + 1) for m in range(n % 2, n + 1, 2)]


def magnitudes(runs: Runs, hulls: Hulls) -> np.ndarray:
    """Of every polynomial in TERMS and every object, float64 (30,n); NaN for a single pixel.

    |sum over the pixels of R_nm(r) exp(i m angle)| / (pi radius²) in the unit disc that the
    smallest circle around the pixel centres becomes.
    """
    real, imaginary = _coefficients()
    found = np.empty((len(TERMS), len(runs.area)))
    along = np.zeros((most(widths(runs)) + 1, ORDER + 1))
    total = np.empty((ORDER + 1, ORDER + 1))
    _magnitudes(runs, hulls.y, hulls.x, hulls.radius, real, imaginary, along, total, found)
    return found


@functools.cache
def _coefficients() -> tuple[np.ndarray, np.ndarray]:
    """Every polynomial as a sum of y^p x^q: real and imaginary part, float64 (30,10,10)."""
    found = np.zeros((len(TERMS), ORDER + 1, ORDER + 1), np.complex128)
    for k, (n, m) in enumerate(TERMS):
        for s in range((n - m) // 2 + 1):
            radial = ((-1) ** s * factorial(n - s) / (
                factorial(s) * factorial((n + m) // 2 - s) * factorial((n - m) // 2 - s)))
            found[k] += radial * _monomial((n - m) // 2 - s, m)
    return np.ascontiguousarray(found.real), np.ascontiguousarray(found.imag)


def _monomial(half: int, m: int) -> np.ndarray:
    """(y² + x²)^half (y + i x)^m as coefficients of y^p x^q (10,10)."""
    found = np.zeros((ORDER + 1, ORDER + 1), np.complex128)
    for a in range(half + 1):
        for b in range(m + 1):
            worth = factorial(half) // (factorial(a) * factorial(half - a))
            worth *= factorial(m) // (factorial(b) * factorial(m - b))
            found[2 * (half - a) + m - b, 2 * a + b] += worth * 1j**b
    return found


@compiled
def _magnitudes(
    runs: Runs, y: np.ndarray, x: np.ndarray, radius: np.ndarray, real: np.ndarray,
    imaginary: np.ndarray, along: np.ndarray, total: np.ndarray, found: np.ndarray,
) -> None:
    """By the sums of y^p x^q, to which a run of pixels adds differences of sums along x."""
    for i in range(runs.area.size):
        _powers(runs.box[i, 3] - runs.box[i, 1], x[i], radius[i], along)
        total[:] = 0.0
        for r in range(runs.first[i], runs.first[i + 1]):
            a, b = runs.x0[r] - runs.box[i, 1], runs.x1[r] - runs.box[i, 1]
            across = (runs.y[r] - runs.box[i, 0] - y[i]) / radius[i]
            power = 1.0
            for p in range(10):
                for q in range(10 - p):
                    total[p, q] += power * (along[b, q] - along[a, q])
                power *= across
        for k in range(real.shape[0]):
            u, v = 0.0, 0.0
            for p in range(10):
                for q in range(10 - p):
                    u, v = u + real[k, p, q] * total[p, q], v + imaginary[k, p, q] * total[p, q]
            found[k, i] = np.sqrt(u * u + v * v) / (np.pi * radius[i] * radius[i])


@compiled
def _powers(width: int, x0: float, radius: float, along: np.ndarray) -> None:
    """Sums of ((x - x0) / radius)^q over the columns before each, q 0 to 9."""
    for x in range(width):
        here, power = (x - x0) / radius, 1.0
        for q in range(10):
            along[x + 1, q] = along[x, q] + power
            power *= here
