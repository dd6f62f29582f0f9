"""Maps of one image onto another.

A matrix (2,3) [A | t] brings positions in the moving image onto the reference: (y, x) ->
A (y, x) + t, in px. A translation is A = 1, t = (dy, dx).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["rigid", "affine"]


@dataclass(frozen=True)
class Warp:
    """How a moving image lies on its reference; see `translation.Shift` for all but the matrix.

    matrix  (2,3); where `matched` is False the best candidate, for information only
    """

    matrix: np.ndarray
    quality: float
    correlation_before: float
    correlation_after: float
    matched: bool
    reason: str = ""

    @property
    def rotation_deg(self) -> float:
        """Counter-clockwise on the screen; of an affine map its nearest rotation's."""
        a = self.matrix
        return math.degrees(math.atan2(a[1, 0] - a[0, 1], a[0, 0] + a[1, 1]))


def invert(matrix: np.ndarray) -> np.ndarray:
    """The warp (2,3) that undoes `matrix`."""
    back = np.linalg.inv(matrix[:, :2])
    return np.column_stack([back, -back @ matrix[:, 2]])


def to_binned(matrix: np.ndarray, n: int) -> np.ndarray:
    """The same warp in pixels of images binned by n, whose pixel centres lie elsewhere."""
    half = np.full(2, (n - 1) / 2)
    moved = matrix[:, :2] @ half + matrix[:, 2] - half
    return np.column_stack([matrix[:, :2], moved / n])


def from_binned(matrix: np.ndarray, n: int) -> np.ndarray:
    """The reverse of `to_binned`."""
    half = np.full(2, (n - 1) / 2)
    return np.column_stack([matrix[:, :2], n * matrix[:, 2] + half - matrix[:, :2] @ half])
