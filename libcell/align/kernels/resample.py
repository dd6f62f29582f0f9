"""Moving an image by a translation, and the region two frames share.

A shift (dy, dx) in px is added to the moving image's coordinates: what lies at (y, x) in the
moving image lies at (y + dy, x + dx) in the reference.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from libcell.errors import UsageFault

Region = tuple[slice, slice]


def apply_shift(
    image: np.ndarray,
    shift: Sequence[float],
    order: int,
    shape: tuple[int, int] | None = None,
) -> tuple[np.ndarray, Region]:
    """Resample `image` (..., Y, X) in the reference frame: out(y, x) = image(y - dy, x - dx).

    order  0 nearest (labels: no new values appear), 1 linear, 3 cubic spline (intensities)
    shape  (Y, X) of the reference; None: that of the image

    A shift by whole pixels is a plain copy at every order. Returns the shifted image (dtype kept;
    integers rounded and clipped to their range; 0 where the moving image has no data) and the
    region of the output, (y, x) slices, where it has. Next to a value that is not finite there is
    NaN.
    """
    if order not in (0, 1, 3):
        raise UsageFault(f"order must be 0 (labels), 1 or 3, not {order}")
    if image.ndim < 2:
        raise UsageFault(f"an image (..., Y, X) is needed, not shape {image.shape}")
    shape = shape or (image.shape[-2], image.shape[-1])
    out = np.zeros((*image.shape[:-2], *shape), image.dtype)
    region = valid_region(shape, image.shape[-2:], shift, order)
    is_copy = order == 0 or all(float(d).is_integer() for d in shift)
    for plane in np.ndindex(image.shape[:-2]):
        if is_copy:
            _copy_nearest(image[plane], out[plane], shift, region)
        else:
            _interpolate(image[plane], out[plane], shift, region, order)
    return out, region


def _copy_nearest(
    image: np.ndarray, out: np.ndarray, shift: Sequence[float], region: Region
) -> None:
    # a plain copy, because splines in float64 would damage ids above 2**53
    out[region] = image[tuple(slice(r.start - n, r.stop - n) for r, n in _whole(region, shift))]


def _interpolate(
    image: np.ndarray, out: np.ndarray, shift: Sequence[float], region: Region, order: int
) -> None:
    source = np.asarray(image, np.float64 if image.dtype.itemsize > 4 else np.float32)
    shape = tuple(r.stop - r.start for r in region)
    if 0 in shape:
        return
    unknown = ~np.isfinite(source)
    has_unknown = bool(unknown.any())
    if has_unknown:  # a spline would spread one NaN over the whole image
        source = np.where(unknown, source[~unknown].mean() if not unknown.all() else 0, source)
    moved = _between_pixels(source, shift, region, shape, order)
    if has_unknown:
        moved[_between_pixels(unknown.astype(np.float32), shift, region, shape, 1) > 0] = np.nan
    if np.issubdtype(out.dtype, np.integer):
        limits = np.iinfo(out.dtype)
        moved = np.clip(np.rint(moved), limits.min, limits.max)
    out[region] = moved


def _between_pixels(
    source: np.ndarray, shift: Sequence[float], region: Region, shape: tuple[int, ...], order: int
) -> np.ndarray:
    # 'nearest' only decides about rounding at the very border: the region has data throughout
    found: np.ndarray = ndimage.affine_transform(
        source,
        np.ones(2),
        offset=[r.start - d for r, d in zip(region, shift)],
        output_shape=shape,
        order=order,
        mode="nearest",
    )
    return found


def common_region(
    shape_reference: tuple[int, int], shape_moving: tuple[int, int], shift: Sequence[float]
) -> tuple[Region, Region]:
    """The (y, x) slices, in the reference and in the moving image, of what both have seen.

    Both have the same size; pixels correspond up to the fraction of the shift (at most half a
    pixel). Slices of length 0 mean that nothing is shared.
    """
    region = valid_region(shape_reference, shape_moving, shift, order=1)
    y, x = (slice(r.start - n, r.stop - n) for r, n in _whole(region, shift))
    return region, (y, x)


def _whole(region: Region, shift: Sequence[float]) -> list[tuple[slice, int]]:
    """The region's slices with the shift in whole pixels; empty slices stay where they are."""
    return [(r, math.floor(d + 0.5) if r.stop > r.start else 0) for r, d in zip(region, shift)]


def valid_region(
    shape: Sequence[int], shape_moving: Sequence[int], shift: Sequence[float], order: int
) -> Region:
    """Pixels of a frame of `shape` whose place in the moving image lies between its pixels."""
    slices = []
    for n, n_moving, d in zip(shape, shape_moving, shift):
        if not math.isfinite(d):
            raise UsageFault(f"a shift must be finite, not {tuple(shift)}")
        near = math.floor(d + 0.5)
        first, last = (near, near) if order == 0 else (math.ceil(d), math.floor(d))
        start, stop = max(0, first), min(n, n_moving + last)
        slices.append(slice(start, stop) if start < stop else slice(0, 0))
    return slices[0], slices[1]
