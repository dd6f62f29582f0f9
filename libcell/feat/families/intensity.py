"""Intensity of each object in one channel, in the image's own units (native counts).

CellProfiler's MeasureObjectIntensity, but for the scale: CellProfiler divides images by the
largest value of their type first, so its intensities are 1/255 or 1/65535 of these.

- Quartiles, median and MAD are CellProfiler's: of n ordered values the one at place n q, between
  neighbours in proportion, at most the last. numpy.percentile goes to place (n - 1) q, and so
  does cp_measure unless it is told `legacy=True`. The two differ most in small objects.
- Edge pixels touch another label or background beside, above or below; the image's rim is no
  edge. NaN for an object that has none, since it fills the image (CellProfiler: 0).
- Centres of mass weigh by intensity; NaN where that sums to 0.
- The brightest pixel is the first in raster order among equals (cp_measure; CellProfiler takes
  whichever scipy finds).
- Pixels that are not finite are left out, as in CellProfiler; NaN for an object without others.
"""

import numpy as np

from libcell.errors import DataError
from libcell.feat.families import _pixels
from libcell.feat.families._column import Column
from libcell.feat.families._index import ObjectIndex

NAME = "intensity"
PER_CHANNEL = True

COLUMNS = (
    ("Intensity_IntegratedIntensity", "counts", "sum of the pixels", _pixels.SUM),
    ("Intensity_MeanIntensity", "counts", "mean of the pixels", _pixels.MEAN),
    ("Intensity_StdIntensity", "counts", "standard deviation, divided by n", _pixels.STD),
    ("Intensity_SampleStdIntensity", "counts", "standard deviation, divided by n - 1",
     _pixels.SAMPLE_STD),
    ("Intensity_MinIntensity", "counts", "smallest value", _pixels.LOW),
    ("Intensity_MaxIntensity", "counts", "largest value", _pixels.HIGH),
    ("Intensity_LowerQuartileIntensity", "counts", "25th percentile", _pixels.LOWER),
    ("Intensity_MedianIntensity", "counts", "median", _pixels.MIDDLE),
    ("Intensity_UpperQuartileIntensity", "counts", "75th percentile", _pixels.UPPER),
    ("Intensity_MADIntensity", "counts", "median absolute deviation from the median", _pixels.MAD),
    ("Intensity_IntegratedIntensityEdge", "counts", "sum of the edge pixels", _pixels.EDGE_SUM),
    ("Intensity_MeanIntensityEdge", "counts", "mean of the edge pixels", _pixels.EDGE_MEAN),
    ("Intensity_StdIntensityEdge", "counts", "standard deviation of the edge pixels",
     _pixels.EDGE_STD),
    ("Intensity_MinIntensityEdge", "counts", "smallest edge pixel", _pixels.EDGE_LOW),
    ("Intensity_MaxIntensityEdge", "counts", "largest edge pixel", _pixels.EDGE_HIGH),
    ("Intensity_MassDisplacement", "px", "from the centroid to the centre of mass",
     _pixels.SHIFT),
    ("Location_CenterMassIntensity_X", "px along x", "centre of mass", _pixels.MASS_X),
    ("Location_CenterMassIntensity_Y", "px along y", "centre of mass", _pixels.MASS_Y),
    ("Location_MaxIntensity_X", "px along x", "brightest pixel", _pixels.TOP_X),
    ("Location_MaxIntensity_Y", "px along y", "brightest pixel", _pixels.TOP_Y),
)


def columns() -> list[Column]:
    """Every feature with its unit and meaning."""
    return [Column(*column[:3]) for column in COLUMNS]


def measure(
    labels: np.ndarray, image: np.ndarray | None, index: ObjectIndex
) -> dict[str, np.ndarray]:
    """Features of every object of `labels` (Y,X) in `image` (Y,X); see `columns`."""
    if image is None or image.shape != labels.shape or image.dtype.kind not in "uifb":
        given = "none" if image is None else f"{image.dtype} {image.shape}"
        raise DataError(f"intensity needs an image of real numbers {labels.shape}, not {given}")
    found = _pixels.statistics(index.by_run, index.values(image), index.edge)
    return {name: found[place] for name, _, _, place in COLUMNS}
