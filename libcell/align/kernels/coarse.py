"""Where one image lies on another, to a pixel or a few, and how sure that is.

Normalised cross-correlation of every overlap, by zero-padded real FFT (no wrap-around) with
running sums for the energies (Lewis, "Fast Normalized Cross-Correlation", 1995). A window that
fades the borders, as for circular correlation, would hide the very overlap of images that
share only a strip, so none is used here.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

BACKGROUND = 0.06  # width of the local mean that is removed, as a fraction of the shorter side
MIN_OVERLAP = 0.1  # shifts that share less than this of the smaller image are not considered
LEAST_ENERGY = 0.3  # an overlap counts as having at least this part of the image's contrast
COMPRESSION = 2.0  # contrast is linear up to about 1/2 of its standard deviation
SAMPLE = 100_000  # shifts from which the surface's spread is taken
CLEAR = 8.0  # the lead that decides on a coarse level, where little texture is left
# Unrelated pairs (65 of skimage's images, 38 of IBEX markers) reach 2.1; true pairs have 12 and
# more with a third in common, 4 to 12 between imaging rounds (tests/align). A true pair of weakly
# related markers (IgD, MHCII) has 2.6 and is given up. Where a picture holds few bright things,
# unrelated pairs have any lead: see `agreement`.
MIN_LEAD = 3.0
PEAK = 0.04  # half width of the peak's own neighbourhood, as a fraction of the shorter side


@dataclass(frozen=True)
class Peak:
    """The best shift of a correlation surface.

    dy, dx   px of the unbinned images, exact to about `binning` px
    height   in robust standard deviations of the surface
    lead     height above the highest value elsewhere, in the same unit
    binning  px of the images in a pixel of the surface
    """

    dy: int
    dx: int
    height: float
    lead: float
    binning: int


def coarse_shift(
    reference: np.ndarray, moving: np.ndarray, max_side_px: int, max_shift_px: float | None = None
) -> Peak | None:
    """Best shift of two (Y, X) float32 images; None where no allowed shift has enough overlap.

    Images wider than `max_side_px` are binned to it first.
    """
    binning = binning_to(max_side_px, reference, moving)
    a, b = (flatten(image, binning) for image in (reference, moving))
    return peak_of(a, b, binning, max_shift_px)


def binning_to(max_side_px: int, *images: np.ndarray) -> int:
    """The binning that brings the longest side to `max_side_px`, and no side below one pixel."""
    sides = [side for image in images for side in image.shape]
    return min(math.ceil(max(sides) / max_side_px), *sides)


def peak_of(
    a: np.ndarray, b: np.ndarray, binning: int, max_shift_px: float | None = None,
    frame: tuple[int, int] = (0, 0),
) -> Peak | None:
    """As `coarse_shift`, of flattened images; `frame` is what was added at the top and at the
    left of b, whose own shift is counted without it."""
    surface, dy, dx = _surface(a, b)
    dy, dx = dy + frame[0], dx + frame[1]
    allowed = np.isfinite(surface)
    if max_shift_px is not None:
        # the binned shift may be half a bin off
        limit = max_shift_px / binning + (binning > 1) / 2
        allowed &= (np.abs(dy)[:, None] <= limit) & (np.abs(dx) <= limit)
    if not allowed.any():
        return None
    height, lead, (y, x) = _highest(surface, allowed, PEAK * min(*a.shape, *b.shape))
    return Peak(int(dy[y]) * binning, int(dx[x]) * binning, height, lead, binning)


def binned(image: np.ndarray, n: int) -> np.ndarray:
    """Means of n x n px of a (Y, X) float32 image; an incomplete last row or column is dropped."""
    if n == 1:
        return image
    y, x = (s // n for s in image.shape)
    # a matrix product adds up columns several times faster than .mean over short axes
    rows = np.add.reduce(image[: y * n, : x * n].reshape(y, n, x * n), axis=1)
    return (rows.reshape(y * x, n) @ np.full(n, 1 / n**2, np.float32)).reshape(y, x)


def flatten(image: np.ndarray, binning: int) -> np.ndarray:
    """Local contrast of the binned image in units of its spread, large values compressed.

    Slow background (illumination, tissue density) correlates anywhere, and two images with a
    few very bright spots correlate wherever two spots meet.
    """
    image = binned(image, binning)
    width = max(3, round(BACKGROUND * min(image.shape)))
    local = ndimage.uniform_filter(image, width, mode="reflect")
    local = image - ndimage.uniform_filter(local, width, mode="reflect")
    spread = float(local.std())
    return np.arcsinh(local * (COMPRESSION / spread)) if spread > 0 else local


def _surface(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlation x sqrt(overlap in px) at every shift; and the shifts dy, dx of its axes.

    Between unrelated images that number has the same spread whatever the overlap. NaN where
    the overlap is too small or flat.
    """
    shape = [fft.next_fast_len(m + n - 1, real=True) for m, n in zip(a.shape, b.shape)]
    cross = fft.irfft2(fft.rfft2(a, shape) * np.conj(fft.rfft2(b, shape)), shape)
    dy, dx = (np.arange(1 - n, m) for m, n in zip(a.shape, b.shape))
    starts = [np.maximum(d, 0) for d in (dy, dx)]
    stops = [np.minimum(m, n + d) for m, n, d in zip(a.shape, b.shape, (dy, dx))]
    counts = np.outer(*(q - p for p, q in zip(starts, stops))).astype(np.float32)
    energy = _energy(a, starts, stops, counts)
    energy *= _energy(b, [s - d for s, d in zip(starts, (dy, dx))],
                      [s - d for s, d in zip(stops, (dy, dx))], counts)  # fmt: skip
    usable = (counts >= MIN_OVERLAP * min(a.size, b.size)) & (energy > 0)
    energy[~usable] = np.nan
    # only a turn and a cut: the negative shifts stand at the end of the circle
    turned = np.roll(cross, (b.shape[0] - 1, b.shape[1] - 1), axis=(0, 1))
    return turned[: dy.size, : dx.size] * np.sqrt(counts / energy), dy, dx


def _energy(
    image: np.ndarray, starts: list[np.ndarray], stops: list[np.ndarray], counts: np.ndarray
) -> np.ndarray:
    """Sums of squares in every overlap, not less than a part of what its area would have.

    Without the floor two empty corners correlate perfectly.
    """
    squares = image * image
    floor = counts * (LEAST_ENERGY * float(squares.mean()))
    return np.maximum(_box_sums(squares, starts, stops), floor)


def _box_sums(image: np.ndarray, starts: list[np.ndarray], stops: list[np.ndarray]) -> np.ndarray:
    """Sums (float32) of image[y0:y1, x0:x1] for every pair of a row span and a column span."""
    sums = np.zeros([n + 1 for n in image.shape])
    sums[1:, 1:] = image
    np.cumsum(sums, axis=0, out=sums)
    np.cumsum(sums, axis=1, out=sums)
    rows = sums[stops[0]] - sums[starts[0]]
    # all indices are in range; `clip` spares take its check and a copy
    ends, begins = (rows.take(at[1], axis=1, mode="clip") for at in (stops, starts))
    return np.subtract(ends, begins, out=ends).astype(np.float32)


def _highest(
    surface: np.ndarray, allowed: np.ndarray, radius: float
) -> tuple[float, float, tuple[int, int]]:
    """Height, lead and place (indices) of the highest allowed value; see `Peak`."""
    known = np.isfinite(surface)
    values = surface[known]
    sample = values[:: 1 + values.size // SAMPLE]
    spread = 1.4826 * float(np.median(np.abs(sample - np.median(sample))))
    heights = np.where(allowed, surface, -np.inf)
    y, x = (int(i) for i in np.unravel_index(int(np.argmax(heights)), heights.shape))
    top, r = float(heights[y, x]), max(2, round(radius))
    # the rival may lie anywhere, allowed or not: a limit must not make a poor peak look good
    known[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1] = False
    second = float(np.max(surface, where=known, initial=0.0))
    if spread == 0:
        return 0.0, 0.0, (y, x)
    return top / spread, (top - second) / spread, (y, x)
