"""By which angle one image is turned against another: every angle tried, on binned images."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from libcell.align.kernels.coarse import CLEAR, MIN_LEAD, Peak, binning_to, flatten, peak_of
from libcell.align.kernels.maps import from_binned

LEVELS_PX = (128, 256, 512)  # the finer, slower ones where the coarser does not decide
STEP_PX = 2.0  # from one angle to the next, the middle of an edge moves this far
FEW = 3  # on the last level, only as many of the best angles are looked at again


@dataclass(frozen=True)
class Turn:
    """The best angle: the warp (2,3) of moving positions (y, x) onto the reference, good to a
    pixel or two at `peak.binning`; the peak's shift is that of the moving image's centre."""

    angle: float
    matrix: np.ndarray
    peak: Peak


def find_turn(
    reference: np.ndarray, moving: np.ndarray, max_angle: float, max_shift_px: float | None
) -> Turn | None:
    """The best turn within +-`max_angle` (radians) of two (Y, X) float32 images.

    None where no allowed shift has enough overlap.
    """
    tried: list[Turn] = []
    best: Turn | None = None
    for level in LEVELS_PX:
        n = binning_to(level, reference, moving)
        a, b = (flatten(image, n) for image in (reference, moving))
        step = STEP_PX / (min(b.shape) / 2)
        angles = _angles(max_angle, step)
        if level == LEVELS_PX[-1] and tried:
            best_first = sorted(tried, key=lambda t: -t.peak.lead)
            angles = [t.angle + step * k for t in best_first[:FEW] for k in (-1, 0, 1)]
        tried = [t for angle in angles if (t := _turn(a, b, angle, n, max_shift_px))]
        found = max(tried, key=lambda t: t.peak.lead, default=None)
        if found is None:
            break
        if best is None or found.peak.lead > best.peak.lead:
            best = found
        if found.peak.lead >= (CLEAR if n > 1 and level < LEVELS_PX[-1] else MIN_LEAD) or n == 1:
            return found
    return best


def _angles(most: float, step: float) -> list[float]:
    count = math.ceil(most / step)
    full = most >= math.pi  # both ends are one
    return [most * k / max(count, 1) for k in range(-count, count + (not full))]


def _turn(
    a: np.ndarray, b: np.ndarray, angle: float, n: int, max_shift_px: float | None
) -> Turn | None:
    turned, pad = _turned(b, angle)
    peak = peak_of(a, turned, n, max_shift_px, pad)
    if peak is None:
        return None
    rotation = rotation_matrix(angle)
    centre = (np.array(b.shape) - 1) / 2
    shift = np.array([peak.dy, peak.dx]) / n
    matrix = np.column_stack([rotation, centre + shift - rotation @ centre])
    return Turn(angle, from_binned(matrix, n), peak)


def rotation_matrix(angle: float) -> np.ndarray:
    """(2,2) for positions (y, x); positive angles turn counter-clockwise on the screen."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]])


def _turned(image: np.ndarray, angle: float) -> tuple[np.ndarray, tuple[int, int]]:
    """The image turned about its centre, 0 around it, and by how much its frame has grown at
    the top and at the left."""
    if angle == 0:
        return image, (0, 0)
    rotation = rotation_matrix(angle)
    size = np.abs(rotation) @ np.array(image.shape)
    pad = np.maximum(0, np.ceil((size - image.shape) / 2 - 1e-9)).astype(int)
    centre = (np.array(image.shape) - 1) / 2
    back = rotation.T
    turned: np.ndarray = ndimage.affine_transform(
        image, back, offset=centre - back @ (centre + pad), order=1, mode="constant",
        output_shape=tuple(int(m + 2 * p) for m, p in zip(image.shape, pad)))
    return turned, (int(pad[0]), int(pad[1]))
