"""Size and shape of each object's mask in a stack: CellProfiler's AreaShape in 3D.

scikit-image's regionprops with the voxels' spacing, as CellProfiler takes them: volume, box,
centroid, axes of the ellipsoid with the same second moments, Euler number (26-connected).
SurfaceArea is that of the mesh that CellProfiler draws by marching cubes; it goes through the
voxels around the object, and is open where the object reaches the rim of the stack. Solidity,
which CellProfiler leaves out by default, is left out.
"""

import numpy as np

from libcell.feat.families import Column
from libcell.feat.volumes._corners import euler_worth, surface_worth, ways
from libcell.feat.volumes._voxels import VoxelIndex

NAME = "shape"
PER_CHANNEL = False
AXES = "ZYX"

COLUMNS = (
    ("Volume", "px³", "voxels times their size"),
    ("SurfaceArea", "px²", "of the surface around the object"),
    ("BoundingBoxVolume", "px³", "of the bounding box"),
    *((f"BoundingBoxMinimum_{a}", f"voxels along {a.lower()}", "first of the bounding box")
      for a in "XYZ"),
    *((f"BoundingBoxMaximum_{a}", f"voxels along {a.lower()}", "last of the bounding box, plus 1")
      for a in "XYZ"),
    *((f"Center_{a}", f"voxels along {a.lower()}", "centroid") for a in "XYZ"),
    ("EquivalentDiameter", "px", "of the ball with the same volume"),
    ("EulerNumber", "1", "parts plus cavities minus tunnels"),
    ("Extent", "1", "volume / BoundingBoxVolume"),
    ("MajorAxisLength", "px", "of the ellipsoid with the same second moments"),
    ("MinorAxisLength", "px", "of the ellipsoid with the same second moments"),
)


def columns() -> list[Column]:
    """Every feature with its unit and meaning."""
    return [Column(f"AreaShape_{name}", unit, meaning) for name, unit, meaning in COLUMNS]


def measure(index: VoxelIndex, image: np.ndarray | None) -> dict[str, np.ndarray]:
    """Features of every object; see `columns`. `image` is not looked at."""
    size = float(index.apart.prod())
    volume = index.each.counts * size
    box = (index.high - index.low).prod(axis=1) * size
    found = {"Volume": volume, "BoundingBoxVolume": box, "Extent": volume / box,
             "EquivalentDiameter": np.cbrt(6 * volume / np.pi)}
    for k, axis in enumerate(AXES):
        found[f"BoundingBoxMinimum_{axis}"] = (index.low[:, k] + index.origin[k]).astype(float)
        found[f"BoundingBoxMaximum_{axis}"] = (index.high[:, k] + index.origin[k]).astype(float)
        found[f"Center_{axis}"] = index.centre[:, k] + index.origin[k]
    found |= _ellipsoid(index) | _corners(index)
    return {f"AreaShape_{name}": found[name] for name, _, _ in COLUMNS}


def _corners(index: VoxelIndex) -> dict[str, np.ndarray]:
    inner, rim = ways(index.mask, index.labels, index.low, index.high)
    apart = (float(index.apart[0]), float(index.apart[1]), float(index.apart[2]))
    # no matrix product: its rounding of one row depends on how many rows there are
    return {"EulerNumber": ((inner + rim) * euler_worth()).sum(axis=1),
            "SurfaceArea": (inner * surface_worth(apart)).sum(axis=1)}


def _ellipsoid(index: VoxelIndex) -> dict[str, np.ndarray]:
    """Longest and shortest axis, from the eigenvalues of the covariance of the positions."""
    away = [(a - index.each.spread(index.centre[:, k])) * index.apart[k]
            for k, a in enumerate((index.z, index.y, index.x))]
    covariance = np.empty((len(index), 3, 3))
    for i in range(3):
        for j in range(3):
            covariance[:, i, j] = index.each.mean(away[i] * away[j])
    spread = np.maximum(np.linalg.eigvalsh(covariance), 0.0) if len(index) else np.zeros((0, 3))
    # a ball of radius r has a variance of r² / 5 along each axis
    return {"MajorAxisLength": 2 * np.sqrt(5 * spread[:, 2]),
            "MinorAxisLength": 2 * np.sqrt(5 * spread[:, 0])}
