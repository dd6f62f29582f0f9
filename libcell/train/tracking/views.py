"""A crop of a frame, turned and scaled, and where the frame's cells lie in it."""

from dataclasses import dataclass

import numpy as np
import torch

from libcell.nn.tracker.cells import Cells
from libcell.train.segmentation.crops import Turn, lattice, mirrored, sampled


@dataclass(frozen=True)
class View:
    """How a crop of `size` (planes, edge) lies in its frame: its middle is pixel `middle` (y, x),
    its first plane `first`, and it lies as `turn` says."""

    middle: tuple[int, int]
    first: int
    size: tuple[int, int]
    turn: Turn

    def pixels(self, values: np.ndarray, mode: str) -> torch.Tensor:
        """Values (C,Z,Y,X) as they lie in the crop, (C,planes,edge,edge) float32; mirrored
        outside of the frame."""
        planes, edge = self.size
        reach = int(np.ceil(np.abs(self.turn.matrix).sum(axis=1).max() * edge / 2)) + 2
        y, x = self.middle
        rows = mirrored(np.arange(y - reach, y + reach), values.shape[-2])[0]
        columns = mirrored(np.arange(x - reach, x + reach), values.shape[-1])[0]
        deep = mirrored(np.arange(self.first, self.first + planes), values.shape[-3])[0]
        deep = deep[::-1] if self.turn.mirror_z else deep
        part = values[:, deep[:, None, None], rows[:, None], columns].astype(np.float32)
        window = torch.from_numpy(part).reshape(-1, 2 * reach, 2 * reach)
        made = sampled(window, lattice(self.turn.matrix, edge, reach), mode)
        return made.reshape(-1, planes, edge, edge)

    def known(self, shape: tuple[int, ...]) -> torch.Tensor:
        """(planes,edge,edge) float32: 1 within a frame of a shape (Z,Y,X)."""
        planes, edge = self.size
        off = np.stack(np.meshgrid(*[np.arange(edge) - (edge - 1) / 2] * 2, indexing="ij"), -1)
        place = off @ self.turn.matrix.T + np.array(self.middle)
        inside = ((place >= 0) & (place <= np.array(shape[1:]) - 1)).all(axis=-1)
        deep = np.arange(self.first, self.first + planes)
        deep = deep[::-1] if self.turn.mirror_z else deep
        within = (deep >= 0) & (deep < shape[0])
        return torch.from_numpy((within[:, None, None] & inside).astype(np.float32))

    def cells(self, cells: Cells) -> Cells:
        """Cells of the frame, where and as they lie in the crop."""
        d = cells.centres.shape[1]
        there = np.linalg.inv(self.turn.matrix)
        growth = np.sqrt(abs(np.linalg.det(there)))
        planes, edge = self.size
        spacing, matrix = cells.spacing.copy(), np.eye(d)
        matrix[-2:, -2:] = there
        from_, to = np.zeros(d), np.full(d, (edge - 1) / 2)
        from_[-2:] = self.middle
        if d == 3:
            matrix[0, 0] = -growth if self.turn.mirror_z else growth
            from_[0] = self.first * cells.spacing[0]
            spacing[0] *= growth
            to[0] = (planes - 1) * spacing[0] if self.turn.mirror_z else 0
        centres = (cells.centres - from_) @ matrix.T + to
        spreads = matrix @ cells.spreads @ matrix.T
        return Cells(centres, spreads, cells.sizes * growth**2, spacing)

    def inside(self, cells: Cells) -> np.ndarray:
        """(n,) bool: which of the crop's cells have their centre in it."""
        planes, edge = self.size
        places = cells.centres / cells.spacing
        edges = np.array([planes, edge, edge])[3 - places.shape[1] :]
        return np.asarray(((places >= -0.5) & (places < edges - 0.5)).all(axis=1))
