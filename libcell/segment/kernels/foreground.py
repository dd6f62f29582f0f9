"""From pixels to a foreground mask: smoothing, threshold, small holes."""

import numpy as np
from scipy import ndimage

from libcell.errors import DataError
from libcell.segment.kernels.params import (
    ThresholdParams,
    axis_ratios,
    gaussian_radii,
    signal_sigmas,
)
from libcell.segment.kernels.window import Box


def signal(image: np.ndarray, params: ThresholdParams) -> np.ndarray:
    """What is thresholded, float32, shaped like `image` (y, x) or (z, y, x), any real dtype.

    The smoothed image; for 'adaptive' minus its local Gaussian mean. Borders are mirrored.
    Exact where the window reaches `signal_margin` further, or ends with the image.
    """
    if image.ndim not in (2, 3) or image.dtype.kind not in "buif":
        what = f"{image.dtype} {image.shape}"
        raise DataError(f"expected a real image (y, x) or (z, y, x), not {what}")
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused below
        smooth = image.astype(np.float32)
    if not image.size:
        return smooth
    if image.dtype.kind == "f" and not np.isfinite(smooth).all():
        bad = int(smooth.size - np.isfinite(smooth).sum())
        raise DataError(f"{bad} pixels are NaN, infinite or beyond float32; mask or replace them")
    ratios = axis_ratios(params, image.ndim)
    fine, coarse = signal_sigmas(params)
    smooth = gaussian(smooth, fine, ratios)
    if coarse:
        smooth -= gaussian(smooth, coarse, ratios)
    return smooth


def gaussian(image: np.ndarray, sigma_px: float, ratios: tuple[float, ...]) -> np.ndarray:
    """Gaussian of a float32 image, cut at `gaussian_radii`; the image itself where sigma is 0."""
    if not sigma_px:
        return image
    # an explicit radius: the default one would change with scipy's rounding of truncate * sigma
    sigmas, radius = [sigma_px / r for r in ratios], gaussian_radii(sigma_px, ratios)
    return ndimage.gaussian_filter(image, sigmas, mode="reflect", radius=radius)


def signal_margin(params: ThresholdParams, ndim: int) -> tuple[int, ...]:
    """Pixels per axis that one pixel of `signal` looks at to either side."""
    ratios = axis_ratios(params, ndim)
    return tuple(map(sum, zip(*(gaussian_radii(s, ratios) for s in signal_sigmas(params)))))


def above(values: np.ndarray, params: ThresholdParams, threshold: float) -> np.ndarray:
    """The mask before holes are filled; pixels at the threshold itself are background."""
    return values > threshold if params.bright else values < threshold


def fill_holes(mask: np.ndarray, box: Box, max_area_px: int) -> list[tuple[slice, ...]]:
    """Fill small holes of `mask` in place; return the bounding boxes of those left in doubt.

    A hole is a component of the background (connected by faces) of at most `max_area_px` pixels
    that does not touch the image's border. One that touches a cut side of the window and is
    small so far may go on outside: it is in doubt, and what depends on it is not exact.
    """
    if not max_area_px or not mask.size:
        return []
    labels, number = ndimage.label(~mask)
    small = np.bincount(labels.ravel(), minlength=number + 1) <= max_area_px
    small[0] = False
    cut = np.zeros_like(small)
    for face, is_cut in box.faces():
        touching = np.unique(labels[face])
        if is_cut:
            cut[touching] = True
        else:
            small[touching] = False
    mask |= small[labels]
    doubtful = np.flatnonzero(small & cut)
    if not doubtful.size:
        return []
    order = np.zeros(number + 1, np.int32)
    order[doubtful] = np.arange(1, doubtful.size + 1)
    return [found for found in ndimage.find_objects(order[labels]) if found is not None]


def foreground(image: np.ndarray, params: ThresholdParams, threshold: float) -> np.ndarray:
    """Mask (bool, shaped like `image`) of a whole image, small holes filled."""
    mask = above(signal(image, params), params, threshold)
    fill_holes(mask, Box.whole(image.shape), params.max_hole_area_px)
    return mask
