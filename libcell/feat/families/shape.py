"""Size and shape of each object's mask, in pixels; CellProfiler's AreaShape.

Area, moments, axes, eccentricity, orientation, perimeter, Euler number, convex area, solidity and
extent are defined as in scikit-image's regionprops, which CellProfiler calls. Feret diameters are
between pixel centres of the convex hull (centrosome, hence CellProfiler); radii are distances
to the nearest pixel outside the object.
"""

import numpy as np
from scipy import ndimage

from libcell.errors import DataError
from libcell.feat.families._hull import hulls
from libcell.feat.families._index import ObjectIndex

PER_CHANNEL = False
# weights of border pixels by their neighbourhood (Benkrid and Crookes 2000), as in scikit-image
STRAIGHT, DIAGONAL, MIXED = (5, 7, 15, 17, 25, 27), (21, 33), (13, 23)


def columns() -> dict[str, str]:
    """Every feature with its unit and meaning."""
    found = {
        "Area": "px²: pixels", "BoundingBoxArea": "px²", "BoundingBoxMinimum_X": "px",
        "BoundingBoxMinimum_Y": "px", "BoundingBoxMaximum_X": "px, exclusive",
        "BoundingBoxMaximum_Y": "px, exclusive", "Center_X": "px: centroid",
        "Center_Y": "px: centroid", "Compactness": "perimeter² / (4 pi area)",
        "ConvexArea": "px²: pixels in the convex hull",
        "Eccentricity": "0 circle, 1 line: of the ellipse with the same second moments",
        "EquivalentDiameter": "px: of the circle with the same area",
        "EulerNumber": "parts minus holes", "Extent": "area / BoundingBoxArea",
        "FormFactor": "4 pi area / perimeter²", "MajorAxisLength": "px: of the same ellipse",
        "MinorAxisLength": "px: of the same ellipse",
        "MaxFeretDiameter": "px: largest width of the convex hull",
        "MinFeretDiameter": "px: smallest width of the convex hull",
        "MaximumRadius": "px: largest distance to the outside",
        "MeanRadius": "px: mean distance to the outside",
        "MedianRadius": "px: median distance to the outside",
        "Orientation": "degrees, -90..90, from the y axis to the major axis",
        "Perimeter": "px", "Solidity": "area / ConvexArea",
    }
    return {f"AreaShape_{k}": v for k, v in found.items()}


def measure(
    labels: np.ndarray, image: np.ndarray | None, index: ObjectIndex
) -> dict[str, np.ndarray]:
    """Features of every object in `labels` (Y,X); see `columns`."""
    if labels.ndim != 2:
        raise DataError(f"shape is measured in (Y,X), not {labels.shape}")
    area = index.counts.astype(np.float64)
    around = perimeter(labels, index)
    round_part = np.divide(4 * np.pi * area, around**2, where=around > 0,
                           out=np.full(len(index), np.nan))
    found = {"Area": area, **_box(index, area), **_ellipse(index, area),
             "EquivalentDiameter": np.sqrt(4 * area / np.pi), "Perimeter": around,
             "FormFactor": round_part, "Compactness": 1 / round_part,
             "EulerNumber": _euler(labels, index), **hulls(index), **_radii(labels, index)}
    found["Solidity"] = area / found["ConvexArea"]
    return {name: found[name.removeprefix("AreaShape_")] for name in columns()}


def _box(index: ObjectIndex, area: np.ndarray) -> dict[str, np.ndarray]:
    box = ((index.y1 - index.y0) * (index.x1 - index.x0)).astype(np.float64)
    edges = {"BoundingBoxMinimum_X": index.x0, "BoundingBoxMinimum_Y": index.y0,
             "BoundingBoxMaximum_X": index.x1, "BoundingBoxMaximum_Y": index.y1}
    return {k: v.astype(np.float64) for k, v in edges.items()} | {
        "BoundingBoxArea": box, "Extent": area / box,
        "Center_X": index.sum(index.x) / area, "Center_Y": index.sum(index.y) / area}


def _ellipse(index: ObjectIndex, area: np.ndarray) -> dict[str, np.ndarray]:
    """Axes, eccentricity and orientation from the second central moments."""
    dy = index.y - (index.sum(index.y) / area)[index.owner]
    dx = index.x - (index.sum(index.x) / area)[index.owner]
    yy, xx, xy = (index.sum(a * b) / area for a, b in ((dy, dy), (dx, dx), (dx, dy)))
    root = np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    large = (yy + xx) / 2 + root
    small = np.clip((yy + xx) / 2 - root, 0, None)
    ratio = np.divide(small, large, where=large > 0, out=np.ones(len(index)))
    # skimage: 0.5 atan2(-2b, c - a) of the inertia tensor [[xx, -xy], [-xy, yy]]
    angle = 0.5 * np.arctan2(2 * xy, yy - xx)
    equal = yy == xx
    angle = np.where(equal, np.where(xy > 0, np.pi / 4, -np.pi / 4), angle)
    return {"MajorAxisLength": 4 * np.sqrt(large), "MinorAxisLength": 4 * np.sqrt(small),
            "Eccentricity": np.sqrt(1 - ratio), "Orientation": np.degrees(angle)}


def perimeter(labels: np.ndarray, index: ObjectIndex) -> np.ndarray:
    """Length of the outline (n,), px; each object as if it were alone."""
    framed = np.pad(labels, 1)
    height, width = labels.shape
    core = framed[1:-1, 1:-1]

    def shifted(array: np.ndarray, dy: int, dx: int) -> np.ndarray:
        return array[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    straight = [(0, 1), (0, -1), (1, 0), (-1, 0)]
    border = np.zeros(labels.shape, bool)
    for dy, dx in straight:
        border |= shifted(framed, dy, dx) != core
    border &= core > 0
    framed_border = np.pad(border, 1)
    code = border.astype(np.int64)
    for dy, dx in [*straight, (1, 1), (1, -1), (-1, 1), (-1, -1)]:
        same = shifted(framed_border, dy, dx) & (shifted(framed, dy, dx) == core)
        code += (10 if dy and dx else 2) * same
    weight = np.zeros(51)
    weight[list(STRAIGHT)] = 1
    weight[list(DIAGONAL)] = np.sqrt(2)
    weight[list(MIXED)] = (1 + np.sqrt(2)) / 2
    return index.sum(weight[np.where(border, code, 0).ravel()[index.pixels]])


def _euler(labels: np.ndarray, index: ObjectIndex) -> np.ndarray:
    """8-connected parts minus holes, by counting corners of the outline (Gray 1971)."""
    framed = np.pad(labels, 1).astype(np.int64)
    quad = np.stack([framed[:-1, :-1], framed[:-1, 1:], framed[1:, :-1], framed[1:, 1:]])
    number = np.zeros(len(index))
    taken = np.zeros(quad.shape[1:], bool)
    for corner in range(4):
        label = quad[corner]
        seen = (quad[:corner] == label).any(axis=0) if corner else taken
        same = quad == label
        count = same.sum(axis=0)
        diagonal = (count == 2) & ((same[0] & same[3]) | (same[1] & same[2]))
        value = np.where(count == 1, 1, np.where(count == 3, -1, np.where(diagonal, -2, 0)))
        mask = (label > 0) & ~seen & (value != 0)
        place = np.searchsorted(index.labels, label[mask])
        number += np.bincount(place, weights=value[mask], minlength=len(index))
    return number / 4


def _radii(labels: np.ndarray, index: ObjectIndex) -> dict[str, np.ndarray]:
    """Distances to the nearest pixel outside, each object as if it were alone."""
    distance = np.zeros(labels.shape)
    boxes = zip(index.labels, index.y0, index.x0, index.y1, index.x1)
    for label, y0, x0, y1, x1 in boxes:
        mask = np.zeros((y1 - y0 + 2, x1 - x0 + 2), bool)
        mask[1:-1, 1:-1] = labels[y0:y1, x0:x1] == label
        away = ndimage.distance_transform_edt(mask)
        distance[y0:y1, x0:x1] += away[1:-1, 1:-1]  # 0 outside the object
    values = distance.ravel()[index.pixels]
    return {"MaximumRadius": index.maximum(values),
            "MeanRadius": index.sum(values) / index.counts,
            "MedianRadius": index.quantile(index.ordered(values), 0.5)}
