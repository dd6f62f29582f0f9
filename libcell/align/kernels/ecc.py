"""Rotation and affine deformation: the warp whose pixels correlate best, near a first guess.

The gain, the offset and the warp that explain the reference from the moving image are fitted
together by Gauss and Newton's method, which at its end is the maximum of the correlation
(Evangelidis and Psarakis, IEEE TPAMI 30, 1858, 2008). Large contrasts are compressed, and pixels
that the fit leaves far off count less (Huber's weights): a cell that only one round shows must not
pull. The moving image is read between its pixels by cubic splines, on binned images first.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from libcell.align.kernels.coarse import BACKGROUND, COMPRESSION, binned
from libcell.align.kernels.maps import Kind, from_binned, invert, to_binned
from libcell.compiled import compiled

STEPS = 30
CONVERGED_PX = 5e-4  # movement of the farthest corner in one step
REACH_PX = 8.0  # more than this on one level, in its own px, is another hill
HUBER = 1.345  # in standard deviations: 95 % of the efficiency of least squares on plain noise
MOST_PIXELS = 1_000_000  # on the last level every second or third row and column is enough
FEWEST_PIXELS = 64


@dataclass(frozen=True)
class Grid:
    """One level of the pyramid: (Y, X) float32 reference, the moving image's spline
    coefficients, and the pixels looked at: every `stride`-th of the reference that is `margin`
    px or more from both images' borders, where the background is guessed."""

    reference: np.ndarray
    splines: np.ndarray
    stride: int
    margin: int


def refine_warp(
    reference: np.ndarray, moving: np.ndarray, matrix: np.ndarray, binning: int, kind: Kind,
    down_to: int = 1,
) -> np.ndarray | None:
    """The warp (2,3) that maps positions (y, x) of `moving` onto `reference`, both float32.

    `matrix` is the guess, good to a pixel or two of images binned by `binning`; the search ends
    with those binned by `down_to`. None where it leaves the guess's neighbourhood, or too little
    overlaps.
    """
    found = invert(matrix)
    for n in _binnings(binning, down_to):
        grid = _grid(binned(reference, n), binned(moving, n))
        level = _climb(grid, to_binned(found, n), kind)
        if level is None:
            return None
        found = from_binned(level, n)
    return invert(found)


def _binnings(n: int, last: int) -> list[int]:
    steps = [n]
    while steps[-1] > last:
        steps.append(max(last, steps[-1] // 2))
    return steps


def _grid(reference: np.ndarray, moving: np.ndarray) -> Grid:
    width = max(3, round(BACKGROUND * min(*reference.shape, *moving.shape)))
    a, b = (_without_background(image, width) for image in (reference, moving))
    stride = max(1, math.ceil(math.sqrt(a.size / MOST_PIXELS)))
    return Grid(a, ndimage.spline_filter(b, 3, output=np.float32), stride, width // 2)


def _without_background(image: np.ndarray, width: int) -> np.ndarray:
    """Slow changes (illumination) removed, since they stay where they are when a sample turns;
    what is left in units of its spread, large values compressed."""
    local = image
    for _ in range(2):
        local = ndimage.uniform_filter(local, width, mode="reflect")
    flat: np.ndarray = image - local
    spread = float(flat.std())
    return np.arcsinh(flat * (COMPRESSION / spread)) if spread > 0 else flat


def _climb(grid: Grid, warp: np.ndarray, kind: Kind) -> np.ndarray | None:
    """From the warp (2,3) of reference positions into the moving image to the best one."""
    half = (np.array(grid.reference.shape) - 1) / 2
    corners = half[:, None] * np.array([[-1, -1, 1, 1], [-1, 1, -1, 1]])
    b, s = warp[:, :2].copy(), warp[:, :2] @ half + warp[:, 2]  # about the centre
    start, fit = b @ corners + s[:, None], (0.0, 0.0, math.inf)
    for _ in range(STEPS):
        before = b @ corners + s[:, None]
        sums, left = _sums(grid.reference, grid.splines, b, s, grid.stride, grid.margin, *fit)
        if sums[7, 7] < FEWEST_PIXELS:
            return None
        step = _step(sums, b, kind)
        if step is None:
            return None
        db, ds, fit = step[0], step[1], (*step[2], _cut(left))
        b, s = b + db, s + ds
        if kind == "rigid":
            b = _nearest_rotation(b)
        now = b @ corners + s[:, None]
        if not np.abs(now - start).max() <= REACH_PX:
            return None
        if np.abs(now - before).max() < CONVERGED_PX:
            break
    return np.column_stack([b, s - b @ half])


def _step(
    sums: np.ndarray, b: np.ndarray, kind: Kind
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]] | None:
    """Changes of matrix and shift, and gain and offset, that explain the reference best."""
    free = np.eye(8)
    if kind == "rigid":  # one angle instead of four entries: d(R)/d(angle) = R turned by 90 degrees
        free = np.zeros((8, 5))
        free[:4, 0] = (b @ np.array([[0.0, -1.0], [1.0, 0.0]])).ravel()
        free[4:, 1:] = np.eye(4)
    try:
        found = free @ np.linalg.solve(free.T @ sums[:8, :8] @ free, free.T @ sums[:8, 8])
    except np.linalg.LinAlgError:
        return None
    gain, offset = found[6], found[7]
    if not (gain > 0 and np.isfinite(found).all()):
        return None
    return found[:4].reshape(2, 2) / gain, found[4:6] / gain, (float(gain), float(offset))


def _cut(left: np.ndarray) -> float:
    """Where the residuals stop to count in full."""
    known = np.abs(left[np.isfinite(left)])
    return HUBER * 1.4826 * float(np.median(known)) if known.size else math.inf


def _nearest_rotation(b: np.ndarray) -> np.ndarray:
    u, _, v = np.linalg.svd(b)
    turned: np.ndarray = u @ v
    return turned


@compiled
def _sums(  # type: ignore[no-untyped-def]
    reference, splines, b, s, stride, margin, gain, offset, cut
):  # pragma: no cover
    """Normal equations (9,9) over the reference's pixels, and their residuals (a sample).

    The unknowns are the four entries of b, the two of s, gain and offset; last comes the
    reference. The residuals are those of the fit `gain`, `offset`, weighted from `cut` on.
    """
    height, width = reference.shape
    rows, columns = height // stride + 1, width // stride + 1
    total = np.zeros((9, 9))
    left = np.full(rows * columns // 16 + 1, np.nan)
    seen = 0
    one = np.empty(9)
    deepest, widest = splines.shape[0] - 1 - margin, splines.shape[1] - 1 - margin
    for i in range(margin, height - margin, stride):
        y = i - (height - 1) / 2
        for j in range(margin, width - margin, stride):
            x = j - (width - 1) / 2
            v, u = b[0, 0] * y + b[0, 1] * x + s[0], b[1, 0] * y + b[1, 1] * x + s[1]
            if v < margin or u < margin or v > deepest or u > widest:
                continue
            value, gy, gx = _spline(splines, v, u)
            r = reference[i, j]
            weight, off = 1.0, abs(r - gain * value - offset)
            if off > cut:
                weight = cut / off
            if seen % 16 == 0:
                left[seen // 16] = off
            seen += 1
            one[0], one[1], one[2], one[3] = gy * y, gy * x, gx * y, gx * x
            one[4], one[5], one[6], one[7], one[8] = gy, gx, value, 1.0, r
            for p in range(9):
                for q in range(p, 9):
                    total[p, q] += weight * one[p] * one[q]
    for p in range(9):
        for q in range(p):
            total[p, q] = total[q, p]
    return total, left


@compiled
def _spline(c, v, u):  # type: ignore[no-untyped-def] # pragma: no cover
    """Value and derivatives after v (rows) and u of a cubic spline, 1 px or more inside it."""
    y, x = min(int(v), c.shape[0] - 3), min(int(u), c.shape[1] - 3)
    fy, fx = v - y, u - x
    value, along_y, along_x = 0.0, 0.0, 0.0
    for i in range(4):
        wy, dy = _weight(i, fy)
        line, slope = 0.0, 0.0
        for j in range(4):
            wx, dx = _weight(j, fx)
            line += wx * c[y - 1 + i, x - 1 + j]
            slope += dx * c[y - 1 + i, x - 1 + j]
        value += wy * line
        along_y += dy * line
        along_x += wy * slope
    return value, along_y, along_x


@compiled
def _weight(i, t):  # type: ignore[no-untyped-def] # pragma: no cover
    """The i-th of four weights of a cubic B-spline at the fraction t, and its derivative."""
    if i == 0:
        return (1 - t) ** 3 / 6, -((1 - t) ** 2) / 2
    if i == 1:
        return 2 / 3 - t * t + t**3 / 2, -2 * t + 1.5 * t * t
    if i == 2:
        return 1 / 6 + t / 2 + t * t / 2 - t**3 / 2, 0.5 + t - 1.5 * t * t
    return t**3 / 6, t * t / 2
