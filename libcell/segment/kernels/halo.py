"""How wide a halo a core needs, for a first try."""

import math

from libcell.segment.kernels.foreground import signal_margin
from libcell.segment.kernels.links import link_reach
from libcell.segment.kernels.params import ThresholdParams, axis_ratios
from libcell.segment.kernels.steepest import height_radii


def halo_shape(params: ThresholdParams, ndim: int) -> tuple[int, ...]:
    """Pixels to read around a core along each axis for a first try.

    The filters of the signal (4 sigma each) + the widest round hole + max_radius_px for the way
    to the seed; and where objects are parted + max_radius_px for the clipped distance + its
    smoothing + the way from seed to seed (`link_reach`). It suffices for ordinary cells; where
    it does not, `tile_roots` says so.
    """
    ratios = axis_ratios(params, ndim)
    length = 2 * math.sqrt(params.max_hole_area_px / math.pi) + params.max_radius_px
    if params.split:
        length += params.max_radius_px + link_reach(params.max_radius_px, params) + 1
    else:
        length += params.max_radius_px  # a component is known only where it is whole
    filters = zip(ratios, signal_margin(params, ndim), height_radii(ratios))
    return tuple(math.ceil(length / r) + margin + h for r, margin, h in filters)


def halo_px(params: ThresholdParams) -> int:
    """The one halo that suffices along every axis (see `halo_shape`)."""
    ndim = 2 if params.spacing is None else len(params.spacing)
    return max(halo_shape(params, ndim))
