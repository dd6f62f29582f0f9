"""The area that cells cover in brightfield and phase contrast: intensity and edges, closed.

Unstained cells are neither brighter nor darker than their ground, but they have edges. The
mask of a threshold and that of an edge detector are joined, closed and filled until nothing
changes, as CLANet makes its masks (arXiv:2306.16538).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.feature import canny
from skimage.filters import threshold_otsu

from libcell.errors import DataError

CROSS = ndimage.generate_binary_structure(2, 1)
SETTLED = 1e-4  # share of pixels that may still change in the last round


@dataclass(frozen=True)
class AreaParams:
    """Percentiles of the contrast stretch; Gaussian of the edges (px) and their gradient
    thresholds (of the stretched range 0 to 1); steps of the closing (px); width of the square
    (px, at least 3) in whose steps the ground spreads when holes are filled; areas (px) below
    which holes and objects go."""

    low: float = 0.2
    high: float = 99.8
    sigma_px: float = 1.0
    edge_low: float = 0.1
    edge_high: float = 0.2
    closing_px: int = 1
    fill_px: int = 6
    rounds: int = 10
    min_hole_area_px: int = 64
    min_area_px: int = 100


def cell_area(image: np.ndarray, params: AreaParams) -> np.ndarray:
    """Mask (bool) of what cells cover in `image` (y, x), any real dtype.

    An image without contrast between the percentiles has no cells. Computed in float32.
    DataError where values are not finite.
    """
    grey = stretch(image, params.low, params.high)
    if grey is None:
        return np.zeros(image.shape, bool)
    bright = grey > threshold_otsu(grey)
    edges = canny(grey, params.sigma_px, params.edge_low, params.edge_high)
    if np.mean(bright != edges) >= 0.5:  # the ground is the brighter class
        bright = ~bright
    mask = closed_and_filled(bright, edges, params)
    return without_small(mask, params.min_hole_area_px, params.min_area_px)


def stretch(image: np.ndarray, low: float, high: float) -> np.ndarray | None:
    """The image (float32) with the percentiles at 0 and 1, clipped; None if they are the same."""
    if image.ndim != 2 or image.dtype.kind not in "buif":
        raise DataError(f"expected a real image (y, x), not {image.dtype} {image.shape}")
    if not image.size:
        return None
    grey = image.astype(np.float32)
    if not np.isfinite(grey).all():
        bad = int(grey.size - np.isfinite(grey).sum())
        raise DataError(f"{bad} pixels are NaN, infinite or beyond float32; mask or replace them")
    bottom, top = np.percentile(grey, (low, high))
    if not top > bottom:
        return None
    grey -= bottom
    grey /= top - bottom
    return np.clip(grey, 0, 1, out=grey)


def closed_and_filled(bright: np.ndarray, edges: np.ndarray, params: AreaParams) -> np.ndarray:
    """Both masks (bool) closed, joined and filled; the result again, until it has settled."""
    given = _close(bright, params.closing_px) | _close(edges, params.closing_px)
    mask = _fill(given, params.fill_px)
    for _ in range(params.rounds):
        before = mask
        mask = _fill(given | _close(mask, params.closing_px), params.fill_px)
        if np.mean(mask != before) < SETTLED:
            break
    return mask


def _close(mask: np.ndarray, steps: int) -> np.ndarray:
    if not steps:
        return mask
    grown = ndimage.binary_dilation(mask, CROSS, iterations=steps)
    # beyond the image counts as inside, or closing would take pixels from the border
    closed: np.ndarray = ndimage.binary_erosion(grown, CROSS, iterations=steps, border_value=1)
    return closed


def _fill(mask: np.ndarray, width: int) -> np.ndarray:
    """What the ground cannot reach in steps of a `width` x `width` square: a thick wall is
    needed, so thin outlines do not make a cell of what they surround."""
    filled: np.ndarray = ndimage.binary_fill_holes(mask, np.ones((width, width), bool))
    return filled


def without_small(mask: np.ndarray, hole_px: int, object_px: int) -> np.ndarray:
    """The mask (bool) with holes, then objects, of fewer pixels removed (connected by faces)."""
    holes, number = ndimage.label(~mask)
    small = np.bincount(holes.ravel(), minlength=number + 1) < hole_px
    small[0] = False
    mask = mask | small[holes]
    objects, number = ndimage.label(mask)
    large = np.bincount(objects.ravel(), minlength=number + 1) >= object_px
    large[0] = False
    kept: np.ndarray = large[objects]
    return kept
