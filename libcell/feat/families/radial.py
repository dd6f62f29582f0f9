"""Where in each object the light lies, from its centre to its edge: CellProfiler's
MeasureObjectIntensityDistribution with four rings that scale with the object.

A pixel's place is its way to the centre through the object (steps of 1 and sqrt 2), divided by
that way plus the distance to the edge; the centre is the pixel farthest from the edge, the first
one in raster order where several are. Rings count from the centre. RadialCV compares eight wedges
of a ring. A ring without pixels gives 0, as in CellProfiler; an object without light NaN. Pixels
that cannot be reached from the centre, and pixels that are not finite, are left out.
"""

import numpy as np

from libcell.errors import DataError
from libcell.feat.families._column import Column
from libcell.feat.families._index import ObjectIndex
from libcell.feat.families._rings import RINGS, rings, sums

NAME = "radial"
PER_CHANNEL = True
KINDS = (("FracAtD", "part of the object's light in the ring"),
         ("MeanFrac", "the same over the ring's part of the pixels"),
         ("RadialCV", "standard deviation over mean of the means of eight wedges of the ring"))


def columns() -> list[Column]:
    """Every feature with its unit and meaning."""
    return [Column(_name(kind, ring), "1", meaning)
            for kind, meaning in KINDS for ring in range(RINGS)]


def _name(kind: str, ring: int) -> str:
    return f"RadialDistribution_{kind}_{{channel}}_{ring + 1}of{RINGS}"


def measure(
    labels: np.ndarray, image: np.ndarray | None, index: ObjectIndex
) -> dict[str, np.ndarray]:
    """Features of every object of `labels` (Y,X) in `image` (Y,X); see `columns`."""
    if image is None or image.shape != labels.shape or image.dtype.kind not in "uifb":
        given = "none" if image is None else f"{image.dtype} {image.shape}"
        raise DataError(f"radial needs an image of real numbers {labels.shape}, not {given}")
    light, pixels = sums(index.values(image), _places(index), index.by_run)
    found = _features(light, pixels)
    return {_name(kind, ring): found[k][:, ring]
            for k, (kind, _) in enumerate(KINDS) for ring in range(RINGS)}


def _places(index: ObjectIndex) -> np.ndarray:
    """Ring and wedge of every pixel, the same for all channels."""
    known = index.__dict__.get("_rings")
    if known is None:
        known = index.__dict__["_rings"] = rings(index.by_run, index.mask.shape)
    return np.asarray(known)


def _features(light: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    """FracAtD, MeanFrac and RadialCV (n,4) from sums and counts (n,4,8) by ring and wedge."""
    ring, count = light.sum(axis=2), pixels.sum(axis=2)
    whole, every = ring.sum(axis=1, keepdims=True), count.sum(axis=1, keepdims=True)
    part = np.divide(ring, whole, where=whole != 0, out=np.full_like(ring, np.nan))
    of_pixels = count / np.maximum(every, 1)
    density = np.divide(part, of_pixels, where=count > 0, out=np.zeros_like(part))
    some = pixels > 0
    means = np.divide(light, pixels, where=some, out=np.zeros_like(light))
    wedges = np.maximum(some.sum(axis=2), 1)
    mean = means.sum(axis=2) / wedges
    spread = np.where(some, means - mean[:, :, None], 0.0)
    deviation = np.sqrt((spread**2).sum(axis=2) / wedges)
    variation = np.divide(deviation, mean, where=mean != 0, out=np.full_like(mean, np.nan))
    return part, np.where(np.isnan(part), np.nan, density), np.where(count > 0, variation, 0.0)
