"""Intensity of each object in one channel of a stack, in the image's own units (native counts).

The conventions are those of `libcell.feat.families.intensity`; the edge is made of voxels with
another label beside them along z, y or x. Two differ from CellProfiler's in 3D: its MAD is the
third, not the half, of the ordered deviations, and its displacement counts planes as columns.
"""

import numpy as np

from libcell.errors import DataError
from libcell.feat.families import Column, _pixels, intensity
from libcell.feat.families._groups import Groups
from libcell.feat.volumes._voxels import VoxelIndex

NAME = "intensity"
PER_CHANNEL = True
PLAIN = [c for c in intensity.COLUMNS
         if not c[0].startswith("Location_") and "MassDisplacement" not in c[0]]
PLACES = (("CenterMassIntensity", "centre of mass"), ("MaxIntensity", "brightest voxel"))


def columns() -> list[Column]:
    """Every feature with its unit and meaning."""
    return [
        *(Column(name, unit, meaning.replace("pixel", "voxel"))
          for name, unit, meaning, _ in PLAIN),
        Column("Intensity_MassDisplacement", "px", "from the centroid to the centre of mass"),
        *(Column(f"Location_{what}_{a}", f"voxels along {a.lower()}", meaning)
          for what, meaning in PLACES for a in "XYZ"),
    ]


def measure(index: VoxelIndex, image: np.ndarray | None) -> dict[str, np.ndarray]:
    """Features of every object in `image` (Z,Y,X); see `columns`."""
    if image is None or image.shape != index.mask.shape or image.dtype.kind not in "uifb":
        given = "none" if image is None else f"{image.dtype} {image.shape}"
        raise DataError(f"intensity needs a stack of real numbers {index.mask.shape}, not {given}")
    values = index.flat.values(image.reshape(-1, image.shape[2]))
    plain = _pixels.statistics(index.flat.by_run, values, index.edge)
    found = {name: plain[place] for name, _, _, place in PLAIN}
    found |= _places(index, values, found["Intensity_MaxIntensity"])
    return {column.name: found[column.name] for column in columns()}


def _places(
    index: VoxelIndex, values: np.ndarray, largest: np.ndarray
) -> dict[str, np.ndarray]:
    """Centre of mass, its distance from the centroid of the same voxels, and brightest voxel."""
    finite = np.isfinite(values)
    each = index.each if finite.all() else Groups(
        np.bincount(index.each.owner[finite], minlength=len(index)))
    values = values[finite]
    total = each.sum(values)
    mass = np.where(total == 0, np.nan, total)
    brightest = np.flatnonzero(values == each.spread(largest))
    _, among = np.unique(each.owner[brightest], return_index=True)
    first = brightest[among]
    found, away = {}, np.zeros(len(index))
    for axis in "XYZ":
        k = "ZYX".index(axis)
        place = (index.z, index.y, index.x)[k][finite]
        middle = each.mean(place)
        # from the centroid, so that an even image gives 0 and not the rounding of its position
        shift = each.sum((place - each.spread(middle)) * values) / mass
        away += (shift * index.apart[k]) ** 2
        found[f"Location_CenterMassIntensity_{axis}"] = middle + shift + index.origin[k]
        top = np.full(len(index), np.nan)
        top[each.counts > 0] = place[first] + index.origin[k]
        found[f"Location_MaxIntensity_{axis}"] = top
    found["Intensity_MassDisplacement"] = np.sqrt(away)
    return found
