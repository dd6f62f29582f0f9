"""What the threshold segmentation may be told, and how far its answers reach."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from libcell.errors import UsageFault

LONGEST_PX = 10_000  # of a filter or a distance
METHODS = ("otsu", "li", "triangle", "adaptive")


@dataclass(frozen=True)
class ThresholdParams:
    """Parameters of `segment`; lengths in pixels of the finest axis, areas in pixels (voxels).

    sigma_px          Gaussian smoothing before the threshold; 0 leaves the pixels alone
    method            'otsu', 'li', 'triangle': of the whole image's histogram;
                      'adaptive': Otsu of (image - local Gaussian mean);
                      a number: that threshold, in image units
    window_px         width of the local mean ('adaptive'); Gaussian sigma is a sixth of it
    offset            added to the threshold, in image units; positive means stricter, so it is
                      subtracted for dark objects
    bright            True: objects are above the threshold; False: below
    min_contrast      an automatic threshold is kept only if the two classes it makes lie this many
                      background standard deviations apart; otherwise the image has no objects.
                      Gaussian noise reaches 2.6 and a plain slope 3.5, while 250 real images
                      (DSB 2018, SBS plate) have 4.2 and more; 0 switches the check off
    max_hole_area_px  background enclosed by an object is filled up to this area
    split             part touching objects; False: connected components
    min_distance_px   two seeds closer than this always belong to one object
    split_neck        parts stay apart where the neck between them is narrower than this
                      fraction of the smaller part; 0 never splits nearby parts, 1 always
    max_radius_px     inscribed radius of the largest object; wider ones may be cut into pieces
    min_area_px, max_area_px   objects outside [min, max] are dropped; None: no upper limit
    clear_border      drop objects that touch the true image border
    spacing           size of a pixel along every axis, any unit, for example (z, y, x); None: equal
    """

    sigma_px: float = 1.0
    method: str | float = "otsu"
    window_px: float = 101.0
    offset: float = 0.0
    bright: bool = True
    min_contrast: float = 3.5
    max_hole_area_px: int = 100
    split: bool = True
    min_distance_px: float = 5.0
    split_neck: float = 0.97
    max_radius_px: float = 40.0
    min_area_px: int = 20
    max_area_px: int | None = None
    clear_border: bool = False
    spacing: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise UsageFault("threshold: " + "; ".join(faults))


def _faults(params: ThresholdParams) -> list[str]:
    at_least = {
        "sigma_px": 0, "min_contrast": 0, "max_hole_area_px": 0, "min_distance_px": 0,
        "max_radius_px": 1, "min_area_px": 0, "window_px": 3,
    }  # fmt: skip
    most = {name: math.inf if "_px" not in name or "_area" in name else LONGEST_PX
            for name in at_least}
    faults = [
        f"{name} must be a finite number from {low} to {most[name]}, not {getattr(params, name)}"
        for name, low in at_least.items()
        if not low <= getattr(params, name) <= most[name] or getattr(params, name) == math.inf
    ]
    if isinstance(params.method, str):
        if params.method not in METHODS:
            faults.append(f"method must be a number or one of {METHODS}, not {params.method!r}")
    elif not math.isfinite(params.method):
        faults.append(f"a threshold must be finite, not {params.method}")
    if not math.isfinite(params.offset):
        faults.append(f"offset must be finite, not {params.offset}")
    if not 0 <= params.split_neck <= 1:
        faults.append(f"split_neck must be within 0..1, not {params.split_neck}")
    if params.max_area_px is not None and params.max_area_px < params.min_area_px:
        faults.append("max_area_px is below min_area_px")
    if params.spacing is not None and not all(0 < s < math.inf for s in params.spacing):
        faults.append(f"spacing must be positive, not {params.spacing}")
    return faults


def axis_ratios(params: ThresholdParams, ndim: int) -> tuple[float, ...]:
    """Pixel size along each axis in units of the finest one; every ratio is >= 1."""
    if params.spacing is None:
        return (1.0,) * ndim
    if len(params.spacing) != ndim:
        raise UsageFault(f"spacing has {len(params.spacing)} numbers, the image {ndim} axes")
    finest = min(params.spacing)
    return tuple(s / finest for s in params.spacing)


def signal_sigmas(params: ThresholdParams) -> tuple[float, float]:
    """Sigmas (px) of the smoothing and of the local mean; 0 where the step is absent."""
    return params.sigma_px, params.window_px / 6 if params.method == "adaptive" else 0.0


def gaussian_radii(sigma_px: float, ratios: Sequence[float]) -> tuple[int, ...]:
    """Pixels per axis after which the Gaussian is cut: 4 sigma before rounding up."""
    return tuple(math.ceil(4 * sigma_px / r) for r in ratios)
