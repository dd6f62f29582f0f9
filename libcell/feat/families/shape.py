"""Size and shape of each object's mask, in pixels: CellProfiler's AreaShape.

CellProfiler (and cp_measure) take these from scikit-image's regionprops, and so they are defined
here: area, box, centroid, ellipse of the same second moments, perimeters, Euler number, filled and
convex area, solidity, extent. The rest follows CellProfiler where the two differ:

- Feret diameters are distances between pixel centres (centrosome); scikit-image's
  feret_diameter_max goes around the pixels of the hull, is up to 2 px longer and is here the
  OuterFeretDiameter.
- Radii are distances to the nearest pixel outside the object, another object or beyond the image.
- Orientation is in degrees.

Where a value divides by 0 it is NaN (CellProfiler: infinite): FormFactor of a single pixel, whose
perimeter is 0.
"""

import numpy as np

from libcell.feat.families._column import Column
from libcell.feat.families._index import ObjectIndex
from libcell.feat.families._moments import eigenvalues, inertia
from libcell.feat.families._outline import outlines
from libcell.feat.families._radii import radii

NAME = "shape"
PER_CHANNEL = False
ROUND = 1e-12  # differences of second moments below this part of them are rounding

COLUMNS = (
    ("Area", "px²", "pixels"),
    ("BoundingBoxArea", "px²", "pixels of the bounding box"),
    ("BoundingBoxMinimum_X", "px along x", "first column of the bounding box"),
    ("BoundingBoxMinimum_Y", "px along y", "first row of the bounding box"),
    ("BoundingBoxMaximum_X", "px along x", "last column of the bounding box, plus 1"),
    ("BoundingBoxMaximum_Y", "px along y", "last row of the bounding box, plus 1"),
    ("Center_X", "px along x", "centroid"),
    ("Center_Y", "px along y", "centroid"),
    ("Compactness", "1", "perimeter² / (4 pi area)"),
    ("ConvexArea", "px²", "pixels in the convex hull"),
    ("Eccentricity", "1", "0 circle, 1 line: of the ellipse with the same second moments"),
    ("EquivalentDiameter", "px", "of the circle with the same area"),
    ("EulerNumber", "1", "8-connected parts minus holes"),
    ("Extent", "1", "area / BoundingBoxArea"),
    ("FilledArea", "px²", "pixels, those in holes included"),
    ("FormFactor", "1", "4 pi area / perimeter²"),
    ("MajorAxisLength", "px", "of the ellipse with the same second moments"),
    ("MinorAxisLength", "px", "of the ellipse with the same second moments"),
    ("MaxFeretDiameter", "px", "largest width of the convex hull of the pixel centres"),
    ("MinFeretDiameter", "px", "smallest width of the convex hull of the pixel centres"),
    ("MaximumRadius", "px", "largest distance of a pixel to the outside"),
    ("MeanRadius", "px", "mean distance of the pixels to the outside"),
    ("MedianRadius", "px", "median distance of the pixels to the outside"),
    ("Orientation", "degrees", "from the y axis to the major axis, -90 to 90; -45 without one"),
    ("OuterFeretDiameter", "px", "largest width of the outline around the convex hull's pixels"),
    ("Perimeter", "px", "length of the outline through pixel centres"),
    ("PerimeterCrofton", "px", "length of the outline from crossings in four directions"),
    ("Solidity", "1", "area / ConvexArea"),
)


def columns() -> list[Column]:
    """Every feature with its unit and meaning."""
    return [Column(f"AreaShape_{name}", unit, meaning) for name, unit, meaning in COLUMNS]


def measure(
    labels: np.ndarray, image: np.ndarray | None, index: ObjectIndex
) -> dict[str, np.ndarray]:
    """Features of every object in `labels` (Y,X); see `columns`. `image` is not looked at."""
    area = index.by_run.area.astype(np.float64)
    around, hull, radius = outlines(index.by_run), index.hulls, radii(index.by_run)
    round_part = np.divide(4 * np.pi * area, around.perimeter**2, where=around.perimeter > 0,
                           out=np.full(len(index), np.nan))
    found = {"Area": area, **_box(index, area), **_ellipse(index),
             "Perimeter": around.perimeter, "PerimeterCrofton": around.crofton,
             "EulerNumber": around.euler, "FilledArea": around.filled,
             "ConvexArea": hull.area, "Solidity": area / hull.area,
             "MaxFeretDiameter": hull.widest, "MinFeretDiameter": hull.narrowest,
             "OuterFeretDiameter": hull.outer,
             "MaximumRadius": radius.largest, "MeanRadius": radius.mean,
             "MedianRadius": radius.median,
             "EquivalentDiameter": np.sqrt(4 * area / np.pi), "FormFactor": round_part,
             "Compactness": around.perimeter**2 / (4 * np.pi * area)}
    return {f"AreaShape_{name}": found[name] for name, _, _ in COLUMNS}


def _box(index: ObjectIndex, area: np.ndarray) -> dict[str, np.ndarray]:
    box = ((index.y1 - index.y0) * (index.x1 - index.x0)).astype(np.float64)
    edges = {"BoundingBoxMinimum_X": index.x0, "BoundingBoxMinimum_Y": index.y0,
             "BoundingBoxMaximum_X": index.x1, "BoundingBoxMaximum_Y": index.y1}
    return {k: v.astype(np.float64) for k, v in edges.items()} | {
        "BoundingBoxArea": box, "Extent": area / box}


def _ellipse(index: ObjectIndex) -> dict[str, np.ndarray]:
    """Centroid, and the axes of the ellipse with the same second moments."""
    yy, xx, xy = inertia(index.moments.central)
    large, small = eigenvalues(yy, xx, xy)
    ratio = np.divide(small, large, where=large > 0, out=np.ones(len(index)))
    # what is rounding would choose between 90 and -90 degrees, or any angle for a square
    xy = np.where(np.abs(xy) > ROUND * large, xy, 0.0)
    angle = np.degrees(np.arctan2(2 * xy, yy - xx)) / 2
    circular = large - small <= ROUND * large
    return {"Center_X": index.moments.x, "Center_Y": index.moments.y,
            "Eccentricity": np.sqrt(1 - ratio),
            "MajorAxisLength": 4 * np.sqrt(large), "MinorAxisLength": 4 * np.sqrt(small),
            "Orientation": np.where(circular, -45.0, angle)}
