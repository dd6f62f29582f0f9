"""What the corners of voxels tell: surface area and Euler number.

Around each corner there are eight voxels, which an object fills in one of 256 ways; area and
Euler number are sums over corners of what their way is worth.
"""

import functools

import numpy as np
from skimage.measure import marching_cubes, mesh_surface_area

from libcell.compiled import compiled


@compiled
def ways(
    mask: np.ndarray, labels: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How often the corners of each object are filled in each way (n,256): corners inside the
    stack (Z,Y,X), and corners on its rim, beyond which there is nothing.

    Bit dz 4 + dy 2 + dx is the voxel at the corner's (dz,dy,dx).
    """
    inner = np.zeros((labels.size, 256), np.int64)
    rim = np.zeros((labels.size, 256), np.int64)
    for i in range(labels.size):
        for z in range(low[i, 0] - 1, high[i, 0]):
            for y in range(low[i, 1] - 1, high[i, 1]):
                for x in range(low[i, 2] - 1, high[i, 2]):
                    way, outside = 0, False
                    for k in range(8):
                        w, v, u = z + (k >> 2), y + ((k >> 1) & 1), x + (k & 1)
                        if not (0 <= w < mask.shape[0] and 0 <= v < mask.shape[1]
                                and 0 <= u < mask.shape[2]):
                            outside = True
                        elif mask[w, v, u] == labels[i]:
                            way |= 1 << k
                    if outside:
                        rim[i, way] += 1
                    else:
                        inner[i, way] += 1
    return inner, rim


@functools.cache
def euler_worth() -> np.ndarray:
    """Corners less edges plus faces less voxels of each way (256,); each part is shared by the
    corners that it touches. Voxels that touch anywhere are one (26-connected)."""
    way = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool).reshape(256, 2, 2, 2)
    corners = way.any(axis=(1, 2, 3)).astype(float)
    edges = sum(way.any(axis=axes).sum(axis=1) for axes in ((2, 3), (1, 3), (1, 2)))
    faces = sum(way.any(axis=axis).sum(axis=(1, 2)) for axis in (1, 2, 3))
    return np.asarray(corners - edges / 2 + faces / 4 - way.sum(axis=(1, 2, 3)) / 8)


@functools.cache
def surface_worth(apart: tuple[float, float, float]) -> np.ndarray:
    """Area (256,), px², of the surface that marching cubes (Lewiner et al. 2003) draws in each
    way, at the level that CellProfiler asks for: 0, through the voxels around the object."""
    found = np.zeros(256)
    for way in range(1, 255):
        cube = (way >> np.arange(8) & 1).astype(bool).reshape(2, 2, 2)
        points, triangles, _, _ = marching_cubes(cube, level=0, spacing=apart)
        found[way] = mesh_surface_area(points, triangles)
    return found
