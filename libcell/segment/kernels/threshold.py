"""Threshold segmentation whose result does not depend on tiling.

Whole image: `segment`. In tiles: `value_range` and `histogram` of each core's `signal`, merged;
`global_threshold`; `tile_roots` of each core, with a wider halo where it is not certain;
`count_roots`, merged; `final_ids`; `relabel`. Both give the same labels, bit for bit.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from libcell.segment.kernels.counting import (
    RootCounts,
    count_roots,
    final_ids,
    merge_counts,
    relabel,
)
from libcell.segment.kernels.foreground import (
    above,
    fill_holes,
    foreground,
    signal,
    signal_margin,
)
from libcell.segment.kernels.halo import halo_px, halo_shape
from libcell.segment.kernels.histogram import global_threshold, histogram, otsu, value_range
from libcell.segment.kernels.params import ThresholdParams
from libcell.segment.kernels.steepest import split_roots
from libcell.segment.kernels.window import Box, Slices, widen

__all__ = [
    "RootCounts",
    "ThresholdParams",
    "count_roots",
    "final_ids",
    "foreground",
    "global_threshold",
    "halo_px",
    "halo_shape",
    "histogram",
    "merge_counts",
    "otsu",
    "relabel",
    "segment",
    "signal",
    "signal_margin",
    "tile_roots",
    "value_range",
]


def segment(image: np.ndarray, params: ThresholdParams | None = None) -> np.ndarray:
    """Labels (uint32, 0 background, 1..N in raster order of their seeds) of a whole image.

    `image` is (y, x) or (z, y, x) of any real dtype. A flat or empty image has no objects.
    """
    params = params or ThresholdParams()
    values = signal(image, params)
    lo, hi = value_range(values)
    threshold = global_threshold(histogram(values, lo, hi), lo, hi, params)
    mask = above(values, params, threshold)
    del values
    roots, _ = _mask_roots(mask, Box.whole(image.shape), params)
    found = count_roots(roots, (0,) * image.ndim, image.shape)
    return relabel(roots, final_ids(found, params))


def tile_roots(
    image_window: np.ndarray,
    window_origin: Sequence[int],
    full_shape: Sequence[int],
    core: Slices,
    params: ThresholdParams,
    threshold: float,
) -> tuple[np.ndarray, bool]:
    """Roots of one core, and whether they are certain to be those of the whole image.

    image_window   pixels of the core and its halo; starts at `window_origin` in the image
    core           slices of the window
    threshold      from `global_threshold` of the whole image's histogram

    Returns int64 roots shaped like the core: 0 background, else the seed's raster index in the
    image + 1; and `certain`. If it is False some pixels are -1 or not trustworthy: call again
    with a wider halo. The whole image as one window is always certain.
    """
    box = Box(tuple(window_origin), image_window.shape, tuple(full_shape))
    zone = box.inner(signal_margin(params, image_window.ndim))
    core = tuple(slice(*s.indices(n)[:2]) for s, n in zip(core, box.shape))
    if any(c.start < z.start or c.stop > z.stop for c, z in zip(core, zone)):
        return np.full([s.stop - s.start for s in core], -1, np.int64), False
    mask = above(signal(image_window, params)[zone], params, threshold)
    roots, doubtful = _mask_roots(mask, box.part(zone), params)
    for hole in doubtful:
        roots[hole] = -1
    inside = tuple(slice(c.start - z.start, c.stop - z.start) for c, z in zip(core, zone))
    roots = roots[inside]
    return roots, not (roots < 0).any()


def _mask_roots(
    mask: np.ndarray, box: Box, params: ThresholdParams
) -> tuple[np.ndarray, list[Slices]]:
    """Roots of an exact mask (changed: its holes are filled), and the boxes left in doubt."""
    if not mask.size:
        return np.zeros(mask.shape, np.int64), []
    doubtful = fill_holes(mask, box, params.max_hole_area_px)
    if params.split:
        return split_roots(mask, box, doubtful, params), doubtful
    return _component_roots(mask, box, doubtful), doubtful


def _component_roots(mask: np.ndarray, box: Box, doubtful: Sequence[Slices]) -> np.ndarray:
    """Roots of whole connected components (diagonals connect): their first pixel.

    Not certain (-1) where a component meets a cut side or a doubtful hole.
    """
    labels, number = ndimage.label(mask, np.ones((3,) * mask.ndim))
    flat = np.flatnonzero(mask)
    # written backwards, so that the first pixel of each component stays
    first = np.zeros(number + 1, np.int64)
    first[labels.ravel()[flat[::-1]]] = flat[::-1]
    place = np.unravel_index(first, mask.shape)
    shifted = [p + o for p, o in zip(place, box.origin)]
    roots = np.ravel_multi_index(shifted, box.full_shape).astype(np.int64) + 1
    for face, is_cut in box.faces():
        if is_cut:
            roots[np.unique(labels[face])] = -1
    for hole in doubtful:
        roots[np.unique(labels[widen(hole, (1,) * mask.ndim)])] = -1
    roots[0] = 0
    return roots[labels]
