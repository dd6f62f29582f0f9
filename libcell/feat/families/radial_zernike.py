"""How the light lies in each object's circle: radial Zernike features of CellProfiler's
MeasureObjectIntensityDistribution.

Each Zernike polynomial up to order 9 in the smallest circle around the object's pixel centres is
summed over its pixels, weighted by their values. ZernikeMagnitude is the size of that sum over
the number of pixels; ZernikePhase its angle in CellProfiler's convention, arctan2 of the real
part and the imaginary part, NaN where the magnitude is nothing but rounding. All pixels count;
centrosome, and so cp_measure, lose those of the two or three on the circle itself whose radius
rounding puts above 1. NaN for a single pixel. Pixels that are not finite are left out.
"""

import numpy as np

from libcell.errors import DataError
from libcell.feat.families._column import Column
from libcell.feat.families._index import ObjectIndex
from libcell.feat.families._weighted_zernike import weighted
from libcell.feat.families._zernike import TERMS

NAME = "radial_zernike"
PER_CHANNEL = True
ROUNDING = 1e-12  # of the mean of the values' sizes


def columns() -> list[Column]:
    """Every feature with its unit and meaning."""
    kinds = (("Magnitude", "counts", "size"), ("Phase", "rad", "angle"))
    return [Column(_name(kind, n, m), unit, f"{what} of the Zernike moment of order {n}, {m} "
                   "times around") for kind, unit, what in kinds for n, m in TERMS]


def _name(kind: str, n: int, m: int) -> str:
    return f"RadialDistribution_Zernike{kind}_{{channel}}_{n}_{m}"


def measure(
    labels: np.ndarray, image: np.ndarray | None, index: ObjectIndex
) -> dict[str, np.ndarray]:
    """Features of every object of `labels` (Y,X) in `image` (Y,X); see `columns`."""
    if image is None or image.shape != labels.shape or image.dtype.kind not in "uifb":
        given = "none" if image is None else f"{image.dtype} {image.shape}"
        raise DataError(f"radial_zernike needs an image of real numbers {labels.shape}, "
                        f"not {given}")
    real, imaginary, size = weighted(index.by_run, index.values(image), index.hulls)
    magnitude = np.hypot(real, imaginary)
    phase = np.where(magnitude > ROUNDING * size, np.arctan2(real, imaginary), np.nan)
    return ({_name("Magnitude", n, m): magnitude[k] for k, (n, m) in enumerate(TERMS)}
            | {_name("Phase", n, m): phase[k] for k, (n, m) in enumerate(TERMS)})
