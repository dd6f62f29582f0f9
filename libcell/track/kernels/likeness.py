"""What it costs to take an object for the one that was seen before, or for its daughter.

Every difference is weighed as if it were drawn from Student's t: small ones cost their square,
large ones their logarithm, so that one odd measurement does not outvote the others. The widths
are fractions of an object's size and hold for any magnification.
"""

from dataclasses import dataclass

import numpy as np

from libcell.track.kernels.ellipses import Objects

FREEDOM = 4.0  # of the t distribution
MOVE = 0.25  # how far an object lies from where it is expected, in sizes
SHAPE = 0.2  # how far its pixels move within it, in sizes
GROWTH = 0.2  # of the logarithm of its size
UNEQUAL = 0.3  # of the logarithm of the daughters' sizes to each other
APART = 1.0  # half of the distance of daughters that are points, in sizes
GLOW = 0.3  # of its brightness, in standard deviations among the objects of a frame


@dataclass(frozen=True)
class Costs:
    """What loose ends and rare events cost, in units of log likelihood.

    appear, disappear  an object without a source, one without a target
    division           a division, beyond how unlike the daughters together are to the mother
    gap                every frame that a link leaves out
    merge              two objects that are one from now on; None: that never happens
    """

    appear: float = 8.0
    disappear: float = 8.0
    division: float = 3.0
    gap: float = 6.0
    merge: float | None = None


def unlike(
    places: np.ndarray, a: Objects, i: np.ndarray, b: Objects, j: np.ndarray, size: float
) -> np.ndarray:
    """(m,) float64: cost of taking rows `j` of `b` for rows `i` of `a`, 0 where nothing differs.

    places  (n, d): where the objects of `a` are expected, px
    size    of a usual object, px
    """
    cost = _t(_square(places[i] - b.centres[j]) / (MOVE * size) ** 2, places.shape[1])
    return cost + unlike_shape(a, i, b, j, size)


def unlike_shape(
    a: Objects, i: np.ndarray, b: Objects, j: np.ndarray, size: float
) -> np.ndarray:
    """(m,) float64: the part of the cost that does not depend on where they lie."""
    cost = np.zeros(i.size)
    if a.masks and b.masks:
        moved = _square(a.half_axes[i] - b.half_axes[j])
        cost += _t(moved / (SHAPE * size) ** 2, a.half_axes.shape[1])
        cost += _t((np.log(b.sizes[j] / a.sizes[i]) / GROWTH) ** 2, 1)
    width = GLOW * a.bright.std(axis=0) if len(a) else np.zeros(a.bright.shape[1])
    for channel in np.flatnonzero(width):
        step = (a.bright[i, channel] - b.bright[j, channel]) / width[channel]
        cost += _t(step**2, 1)
    return cost


def unlike_sisters(b: Objects, first: np.ndarray, second: np.ndarray, size: float) -> np.ndarray:
    """(m,) float64: cost of taking two objects for sisters that were born just now.

    Points are to lie close by; of masks the shape of both together says that.
    """
    if b.masks:
        return _t((np.log(b.sizes[first] / b.sizes[second]) / UNEQUAL) ** 2, 1)
    half = (b.centres[first] - b.centres[second]) / 2
    return _t(_square(half) / (APART * size) ** 2, half.shape[1])


def _t(square: np.ndarray, dimensions: int) -> np.ndarray:
    return np.asarray((FREEDOM + dimensions) / 2 * np.log1p(square / FREEDOM))


def _square(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("nd,nd->n", vectors, vectors))
