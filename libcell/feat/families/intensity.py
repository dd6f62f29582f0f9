"""Intensity of each object in one channel, in the image's own units.

Definitions are CellProfiler's MeasureObjectIntensity; quartiles and the median absolute
deviation are numpy's (linear interpolation at (n-1) q), as in cp_measure.
"""

import numpy as np
from skimage.segmentation import find_boundaries

from libcell.errors import DataError
from libcell.feat.families._index import ObjectIndex

PER_CHANNEL = True
QUARTILES = {"LowerQuartile": 0.25, "Median": 0.5, "UpperQuartile": 0.75}


def columns() -> dict[str, str]:
    """Every feature with its unit and meaning."""
    whole = {
        "Integrated": "sum of the pixels", "Mean": "mean", "Std": "standard deviation (ddof 0)",
        "Min": "smallest pixel", "Max": "largest pixel", "LowerQuartile": "25th percentile",
        "Median": "median", "UpperQuartile": "75th percentile",
        "MAD": "median absolute deviation from the median",
    }
    edge = {k: whole[k] for k in ("Integrated", "Mean", "Std", "Min", "Max")}
    return {
        **{f"Intensity_{k}Intensity": f"grey values: {v}" for k, v in whole.items()},
        **{f"Intensity_{k}IntensityEdge": f"grey values: {v}, of the inner boundary"
           for k, v in edge.items()},
        "Intensity_MassDisplacement": "px: from the mask's centroid to the centre of mass",
        "Location_CenterMassIntensity_X": "px: centre of mass",
        "Location_CenterMassIntensity_Y": "px: centre of mass",
        "Location_MaxIntensity_X": "px: first brightest pixel in raster order",
        "Location_MaxIntensity_Y": "px: first brightest pixel in raster order",
    }


def measure(
    labels: np.ndarray, image: np.ndarray | None, index: ObjectIndex
) -> dict[str, np.ndarray]:
    """Features of every object in `image` (Y,X); see `columns`."""
    if image is None or image.shape != labels.shape:
        raise DataError(f"an image of {labels.shape} px is needed")
    values = image.ravel()[index.pixels].astype(np.float64)
    found = {f"Intensity_{k}Intensity": v for k, v in _basic(values, index).items()}
    found |= _quartiles(values, index)
    found |= _edge(labels, image, index)
    return found | _places(values, found["Intensity_IntegratedIntensity"], index)


def _basic(values: np.ndarray, index: ObjectIndex) -> dict[str, np.ndarray]:
    total = index.sum(values)
    mean = total / index.counts
    # around the mean, since a difference of large squares would lose the digits
    spread = index.sum((values - mean[index.owner]) ** 2) / index.counts
    return {"Integrated": total, "Mean": mean, "Std": np.sqrt(spread),
            "Min": index.minimum(values), "Max": index.maximum(values)}


def _quartiles(values: np.ndarray, index: ObjectIndex) -> dict[str, np.ndarray]:
    ordered = index.ordered(values)
    found = {f"Intensity_{k}Intensity": index.quantile(ordered, q) for k, q in QUARTILES.items()}
    middle = found["Intensity_MedianIntensity"]
    deviation = index.ordered(np.abs(values - middle[index.owner]))
    return found | {"Intensity_MADIntensity": index.quantile(deviation, 0.5)}


def _edge(labels: np.ndarray, image: np.ndarray, index: ObjectIndex) -> dict[str, np.ndarray]:
    """The same of the inner boundary; NaN for an object without one (it fills the image)."""
    on_edge = find_boundaries(labels, mode="inner").ravel()[index.pixels]
    owner = index.owner[on_edge]
    values = image.ravel()[index.pixels[on_edge]].astype(np.float64)
    counts = np.bincount(owner, minlength=len(index))
    some = counts > 0
    starts = (np.cumsum(counts) - counts)[some]
    parts = ObjectIndex(index.labels[some], index.pixels[on_edge], np.repeat(
        np.arange(some.sum()), counts[some]), starts, counts[some], index.y[on_edge],
        index.x[on_edge], *(b[some] for b in (index.y0, index.x0, index.y1, index.x1)))
    found = {}
    for name, value in _basic(values, parts).items():
        full = np.full(len(index), np.nan)
        full[some] = value
        found[f"Intensity_{name}IntensityEdge"] = full
    return found


def _places(
    values: np.ndarray, total: np.ndarray, index: ObjectIndex
) -> dict[str, np.ndarray]:
    mass = np.where(total == 0, np.nan, total)
    x, y = index.sum(index.x * values) / mass, index.sum(index.y * values) / mass
    dx = x - index.sum(index.x) / index.counts
    dy = y - index.sum(index.y) / index.counts
    first = _first_maximum(values, index)
    return {
        "Intensity_MassDisplacement": np.hypot(dx, dy),
        "Location_CenterMassIntensity_X": x, "Location_CenterMassIntensity_Y": y,
        "Location_MaxIntensity_X": index.x[first].astype(np.float64),
        "Location_MaxIntensity_Y": index.y[first].astype(np.float64),
    }


def _first_maximum(values: np.ndarray, index: ObjectIndex) -> np.ndarray:
    """Position in `values` of each object's first largest pixel."""
    largest = np.flatnonzero(values == index.maximum(values)[index.owner])
    return largest[np.unique(index.owner[largest], return_index=True)[1]]
