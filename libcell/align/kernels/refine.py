"""Subpixel translation: the maximum of the continuous cross-correlation near a first guess.

A correlation of windowed images is biased, because the two windows cut out different tissue.
So the moving image's window is displaced by the fraction of a pixel found so far: at the
solution both windows lie on the same tissue, and nothing was interpolated. Values between
pixels come from the cross-spectrum (Guizar-Sicairos et al., Optics Letters 33, 156, 2008),
the maximum from Newton's method on it.
"""

import math

import numpy as np
from scipy import fft

from libcell.align.kernels.resample import common_region

GRID_STEP_PX = 0.5
FLANK = 0.15  # share of the side where the window rises; 0.5 would be Hann's
NEWTON_STEPS = 6
CONVERGED_PX = 1e-4
SLOWEST_CYCLES = 8.0  # structures with fewer cycles per field count less (illumination)


def refine_shift(
    reference: np.ndarray, moving: np.ndarray, guess: tuple[float, float], reach_px: float
) -> tuple[float, float]:
    """(dy, dx) in px within about `reach_px` of `guess`, for (Y, X) float32 images.

    The error is a few percent of that of the guess, so call it twice. A flat correlation
    (nothing to refine on) gives the guess back.
    """
    cross, whole = _cross_spectrum(reference, moving, *guess)
    start = _grid_maximum(cross, (guess[0] - whole[0], guess[1] - whole[1]), reach_px)
    fraction = _newton(cross, start)
    return whole[0] + fraction[0], whole[1] + fraction[1]


class _Spectrum:
    """Half a cross-spectrum (Y, X//2+1) complex64 with its angular frequencies per px."""

    def __init__(self, values: np.ndarray, shape: tuple[int, int]) -> None:
        self.wy = 2 * np.pi * fft.fftfreq(shape[0])
        self.wx = 2 * np.pi * fft.rfftfreq(shape[1])
        # the columns left out by the real FFT mirror these; Nyquist has no defined phase
        twice = np.where((self.wx > 0) & (self.wx < np.pi), 2.0, self.wx == 0)
        self.values = values * twice.astype(np.float32)
        self.values[np.abs(self.wy) >= np.pi] = 0

    def moments(self, dy: np.ndarray, dx: np.ndarray, power: int) -> np.ndarray:
        """Derivatives of the correlation at all pairs of `dy` and `dx`.

        Axes: (order in y, dy, order in x, dx), orders 0..power, float64.
        """
        columns = _waves(self.wx, dx, power)
        rows = _waves(self.wy, dy, power)
        part = (self.values @ columns.astype(np.complex64)).astype(np.complex128)
        return (rows.T @ part).real.reshape(power + 1, len(dy), power + 1, len(dx))


def _waves(omega: np.ndarray, shifts: np.ndarray, power: int) -> np.ndarray:
    """Complex (frequency, order * shift): exp(i w d) and its derivatives after d."""
    wave = np.exp(1j * np.outer(omega, shifts))
    return np.concatenate([(1j * omega[:, None]) ** n * wave for n in range(power + 1)], axis=1)


def _cross_spectrum(
    reference: np.ndarray, moving: np.ndarray, dy: float, dx: float
) -> tuple[_Spectrum, tuple[int, int]]:
    """Of what both images share when shifted by (dy, dx), and the whole-pixel part of that."""
    whole = (math.floor(dy + 0.5), math.floor(dx + 0.5))
    ours, theirs = common_region(reference.shape, moving.shape, whole)
    a = _windowed(reference[ours], (0.0, 0.0))
    b = _windowed(moving[theirs], (dy - whole[0], dx - whole[1]))
    shape = tuple(fft.next_fast_len(n, real=True) for n in a.shape)
    values = fft.rfft2(a, shape)
    values *= np.conj(fft.rfft2(b, shape))
    values *= _background_weight(shape, a.shape)
    return _Spectrum(values, (shape[0], shape[1])), whole


def _windowed(image: np.ndarray, offset: tuple[float, float]) -> np.ndarray:
    """Mean removed, under the window displaced by `offset` (y, x; at most half a pixel)."""
    y, x = (_window(n, f) for n, f in zip(image.shape, offset))
    mean = float(y @ image @ x) / max(float(y.sum()) * float(x.sum()), 1e-30)
    return (image - np.float32(mean)) * y[:, None] * x


def _window(n: int, offset: float) -> np.ndarray:
    """Float32 window over n px, flat but for sin^2 flanks, 0 at least half a pixel inside."""
    t = (np.arange(n) + offset - 0.5) / max(n - 2, 1)
    flank = np.clip(np.minimum(t, 1 - t) / FLANK, 0, 1)
    return (np.sin(np.pi / 2 * flank) ** 2).astype(np.float32)


def _background_weight(shape: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    """High-pass (Y, X//2+1): 1 - Gaussian in cycles per field of view."""
    y = np.exp(-((fft.fftfreq(shape[0]) * size[0] / SLOWEST_CYCLES) ** 2) / 2)
    x = np.exp(-((fft.rfftfreq(shape[1]) * size[1] / SLOWEST_CYCLES) ** 2) / 2)
    return np.float32(1) - np.outer(y, x).astype(np.float32)


def _grid_maximum(
    cross: _Spectrum, centre: tuple[float, float], reach_px: float
) -> tuple[float, float]:
    steps = np.arange(-math.ceil(reach_px / GRID_STEP_PX), math.ceil(reach_px / GRID_STEP_PX) + 1)
    dy, dx = (c + steps * GRID_STEP_PX for c in centre)
    values = cross.moments(dy, dx, 0)[0, :, 0, :]
    if np.ptp(values) == 0:
        return centre
    y, x = np.unravel_index(int(np.argmax(values)), values.shape)
    return float(dy[y]), float(dx[x])


def _newton(cross: _Spectrum, start: tuple[float, float]) -> tuple[float, float]:
    """The maximum within two grid steps of `start`; `start` itself where there is no hill."""
    at = np.array(start)
    for _ in range(NEWTON_STEPS):
        m = cross.moments(at[:1], at[1:], 2)[:, 0, :, 0]
        gradient = np.array([m[1, 0], m[0, 1]])
        hessian = np.array([[m[2, 0], m[1, 1]], [m[1, 1], m[0, 2]]])
        if not (hessian[0, 0] < 0 and np.linalg.det(hessian) > 0):
            return start
        step = np.clip(-np.linalg.solve(hessian, gradient), -GRID_STEP_PX, GRID_STEP_PX)
        at = at + step
        if np.abs(at - start).max() > 2 * GRID_STEP_PX:
            return start
        if np.abs(step).max() < CONVERGED_PX:
            break
    return float(at[0]), float(at[1])
