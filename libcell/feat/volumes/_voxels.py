"""The voxels of a stack of labels sorted by object, made once and shared by all families."""

from functools import cached_property

import numpy as np

from libcell.feat.families import ObjectIndex
from libcell.feat.families._groups import Groups


class VoxelIndex:
    """Every object of a stack of labels (Z,Y,X), by its voxels in raster order.

    mask     (Z,Y,X), the labels
    flat     `ObjectIndex` of the planes laid below one another (Z Y,X)
    labels   (n,) int64, ascending
    apart    distance of voxels along z, y and x, px
    origin   z, y, x of the first voxel in the whole image
    each     groups of voxels by object
    z, y, x  (p,) int64, position of each voxel in the stack
    low, high  (n,3) int64, bounding boxes in the stack, the end exclusive
    """

    def __init__(
        self, mask: np.ndarray, apart: tuple[float, float, float] = (1.0, 1.0, 1.0),
        origin: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        self.mask = np.ascontiguousarray(mask)
        self.flat = ObjectIndex.of(self.mask.reshape(-1, mask.shape[2]))
        self.labels = self.flat.labels
        self.apart = np.array(apart)
        self.origin = np.array(origin)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def each(self) -> Groups:
        return self.flat.each

    @cached_property
    def z(self) -> np.ndarray:
        return self.flat.y // max(self.mask.shape[1], 1)

    @cached_property
    def y(self) -> np.ndarray:
        return self.flat.y % max(self.mask.shape[1], 1)

    @property
    def x(self) -> np.ndarray:
        return self.flat.x

    @cached_property
    def low(self) -> np.ndarray:
        found = [self.each.smallest(a) for a in (self.z, self.y, self.x)]
        return np.column_stack(found).astype(np.int64)

    @cached_property
    def high(self) -> np.ndarray:
        found = [self.each.largest(a) + 1 for a in (self.z, self.y, self.x)]
        return np.column_stack(found).astype(np.int64)

    @cached_property
    def centre(self) -> np.ndarray:
        """Centroids (n,3) in the stack, voxels."""
        return np.column_stack([self.each.mean(a) for a in (self.z, self.y, self.x)])

    @cached_property
    def edge(self) -> np.ndarray:
        """(p,) bool: voxels with another label beside them along z, y or x; the stack's rim is
        no edge (scikit-image's find_boundaries, "inner")."""
        found = np.zeros(self.mask.shape, bool)
        for axis in range(3):
            before = tuple(slice(0, -1) if k == axis else slice(None) for k in range(3))
            after = tuple(slice(1, None) if k == axis else slice(None) for k in range(3))
            differ = self.mask[before] != self.mask[after]
            found[before] |= differ
            found[after] |= differ
        return found.ravel()[self.flat.pixels]
