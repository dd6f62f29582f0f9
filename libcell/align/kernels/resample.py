"""Moving an image by a translation or an affine map, and the region two frames share.

A shift (dy, dx) in px is added to the moving image's coordinates: what lies at (y, x) in the
moving image lies at (y + dy, x + dx) in the reference, or, with a matrix (2,3) [A | t], at
A (y, x) + t.
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
            offset = [r.start - d for r, d in zip(region, shift)]
            _interpolate(image[plane], out[plane], np.ones(2), offset, region, order)
    return out, region


def apply_matrix(
    image: np.ndarray, matrix: np.ndarray, order: int, shape: tuple[int, int]
) -> tuple[np.ndarray, Region]:
    """As `apply_shift`, by a matrix (2,3); the region is the largest rectangle with data, and
    the output is 0 outside of it."""
    back = np.linalg.inv(matrix[:, :2])
    out = np.zeros((*image.shape[:-2], *shape), image.dtype)
    region = shared_rectangle(shape, (image.shape[-2], image.shape[-1]), matrix, order)
    size = tuple(r.stop - r.start for r in region)
    offset = back @ (np.array([r.start for r in region]) - matrix[:, 2])
    for plane in np.ndindex(image.shape[:-2]):
        if order == 0 and 0 not in size:  # in the image's own dtype: labels stay what they are
            out[plane][region] = ndimage.affine_transform(
                image[plane], back, offset, size, order=0, mode="nearest")
        else:
            _interpolate(image[plane], out[plane], back, offset, region, order)
    return out, region


def _copy_nearest(
    image: np.ndarray, out: np.ndarray, shift: Sequence[float], region: Region
) -> None:
    # a plain copy, because splines in float64 would damage ids above 2**53
    out[region] = image[tuple(slice(r.start - n, r.stop - n) for r, n in _whole(region, shift))]


def _interpolate(
    image: np.ndarray, out: np.ndarray, back: np.ndarray, offset: Sequence[float],
    region: Region, order: int,
) -> None:
    """Fill `region` of `out`, whose pixel (i, j) shows the image at back (i, j) + offset; `back`
    is a matrix (2,2) or its diagonal (2)."""
    source = np.asarray(image, np.float64 if image.dtype.itemsize > 4 else np.float32)
    shape = tuple(r.stop - r.start for r in region)
    if 0 in shape:
        return
    unknown = ~np.isfinite(source)
    has_unknown = bool(unknown.any())
    if has_unknown:  # a spline would spread one NaN over the whole image
        source = np.where(unknown, source[~unknown].mean() if not unknown.all() else 0, source)
    moved = _between_pixels(source, back, offset, shape, order)
    if has_unknown:
        moved[_between_pixels(unknown.astype(np.float32), back, offset, shape, 1) > 0] = np.nan
    if np.issubdtype(out.dtype, np.integer):
        limits = np.iinfo(out.dtype)
        moved = np.clip(np.rint(moved), limits.min, limits.max)
    out[region] = moved


def _between_pixels(
    source: np.ndarray, back: np.ndarray, offset: Sequence[float], shape: tuple[int, ...],
    order: int,
) -> np.ndarray:
    # 'nearest' only decides about rounding at the very border: the region has data throughout
    found: np.ndarray = ndimage.affine_transform(
        source, back, offset, output_shape=shape, order=order, mode="nearest")
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


ROWS = 1024  # rows between which a rectangle's upper and lower edge are chosen


def shared_rectangle(
    shape: tuple[int, int], shape_moving: tuple[int, int], matrix: np.ndarray, order: int
) -> Region:
    """The largest (y, x) rectangle of a frame of `shape` that the moving image, mapped by
    `matrix` (2,3), fills with data. Slices of length 0 mean that there is none."""
    back = np.linalg.inv(matrix[:, :2])
    edge = 0.5 if order == 0 else 0.0  # the nearest pixel reaches half a pixel further
    rows = np.arange(0, shape[0], max(1, -(-shape[0] // ROWS)), dtype=np.float64)
    left, right = np.zeros(rows.size), np.full(rows.size, shape[1] - 1.0)
    for (by, bx), n, start in zip(back, shape_moving, -back @ matrix[:, 2]):
        for side, limit in ((1, -edge), (-1, n - 1 + edge)):  # side (start + by y + bx x) >= ...
            rest = side * (limit - start - by * rows)
            if abs(bx) < 1e-12:
                right[rest > 1e-9] = -1.0
            elif side * bx > 0:
                left = np.maximum(left, rest / (side * bx))
            else:
                right = np.minimum(right, rest / (side * bx))
    left, right = np.ceil(left - 1e-9), np.floor(right + 1e-9)
    return _largest(rows, left, right)


def _largest(rows: np.ndarray, left: np.ndarray, right: np.ndarray) -> Region:
    """What lies in a convex shape at two of its rows lies in it at all rows between them."""
    widths = np.minimum.outer(right, right) - np.maximum.outer(left, left) + 1
    heights = rows[None, :] - rows[:, None] + 1
    areas = np.where((widths > 0) & (heights > 0), widths * heights, 0.0)
    top, bottom = np.unravel_index(int(np.argmax(areas)), areas.shape) if areas.size else (0, 0)
    if not areas.size or areas[top, bottom] == 0:
        return slice(0, 0), slice(0, 0)
    start, stop = max(left[top], left[bottom]), min(right[top], right[bottom])
    return slice(int(rows[top]), int(rows[bottom]) + 1), slice(int(start), int(stop) + 1)
