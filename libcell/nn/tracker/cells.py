"""Cells of one frame as the tracking network sees them: ellipses, where they lie in its maps."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

THIN = 0.25  # px: the least half axis of an ellipse


@dataclass(frozen=True)
class Cells:
    """The n cells of a frame, d axes (z,) y, x.

    centres  (n, d) float64 in units of an x pixel
    spreads  (n, d, d) float64: covariance of the pixels' places in those units
    sizes    (n,) float64: pixels (voxels), or what a ball of that spread has
    spacing  (d,) size of a voxel in x pixels
    """

    centres: np.ndarray
    spreads: np.ndarray
    sizes: np.ndarray
    spacing: np.ndarray

    def __len__(self) -> int:
        return len(self.centres)

    @cached_property
    def roots(self) -> np.ndarray:
        """(n, d, d): symmetric square roots of the spreads."""
        return roots(self.spreads)

    def points(self) -> np.ndarray:
        """(n, 1 + 2d, d) float32, in voxels: the centre, and a point on either side along each
        column of the root. All lie within the ellipse, whichever way it is long."""
        along = np.swapaxes(self.roots, 1, 2)
        steps = np.concatenate([np.zeros_like(along[:, :1]), along, -along], axis=1)
        return ((self.centres[:, None] + steps) / self.spacing).astype(np.float32)

    def take(self, rows: np.ndarray) -> "Cells":
        """Some of them, by row number or mask."""
        return Cells(self.centres[rows], self.spreads[rows], self.sizes[rows], self.spacing)

    def join(self, other: "Cells") -> "Cells":
        """These, then others of the same frame."""
        return Cells(np.concatenate([self.centres, other.centres]),
                     np.concatenate([self.spreads, other.spreads]),
                     np.concatenate([self.sizes, other.sizes]), self.spacing)


def balls(centres: np.ndarray, radius: np.ndarray, spacing: np.ndarray) -> Cells:
    """Cells of which a centre (n, d), in x pixels, and a radius (n,) are all that is known."""
    d = centres.shape[1]
    spreads = (radius**2 / (d + 2))[:, None, None] * np.eye(d)
    volume = np.pi * radius**2 if d == 2 else 4 / 3 * np.pi * radius**3 / np.prod(spacing)
    return Cells(centres.astype(np.float64), spreads, volume, spacing)


def as_balls(cells: Cells) -> Cells:
    """The same places, and balls as large as the cells."""
    d = cells.centres.shape[1]
    volume = cells.sizes * np.prod(cells.spacing)
    radius = np.sqrt(volume / np.pi) if d == 2 else np.cbrt(volume * 0.75 / np.pi)
    return balls(cells.centres, radius, cells.spacing)


def usual_size(cells: Cells) -> float:
    """Edge (px) of a square or cube as large as the median cell; 1 where there is none."""
    if not len(cells):
        return 1.0
    volume = float(np.median(cells.sizes)) * float(np.prod(cells.spacing))
    return max(1.0, volume ** (1 / cells.centres.shape[1]))


def roots(spreads: np.ndarray) -> np.ndarray:
    """Symmetric square roots (n, d, d) of covariances; no axis is thinner than `THIN`."""
    values, vectors = np.linalg.eigh(spreads)
    scaled = vectors * np.sqrt(np.maximum(values, THIN**2))[:, None, :]
    return np.asarray(scaled @ np.swapaxes(vectors, 1, 2))


def united(cells: Cells, first: np.ndarray, second: np.ndarray) -> Cells:
    """Pairs of cells (row numbers) as one each: sizes sum, so do the pixels' moments."""
    mass = np.stack([cells.sizes[first], cells.sizes[second]], axis=1)
    share = mass / np.maximum(mass.sum(axis=1, keepdims=True), 1e-9)
    one, two = cells.centres[first], cells.centres[second]
    apart = one - two
    w1, w2 = share[:, :1], share[:, 1:]
    spreads = (w1[..., None] * cells.spreads[first] + w2[..., None] * cells.spreads[second]
               + (w1 * w2)[..., None] * apart[:, :, None] * apart[:, None, :])
    return Cells(w1 * one + w2 * two, spreads, mass.sum(axis=1), cells.spacing)
