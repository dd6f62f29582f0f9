"""Contours and textures as formulas, so that they can be moved by a fraction of a pixel."""

from dataclasses import dataclass
from math import ceil, cos, pi, sin

import numpy as np

WAVES = 28  # plane waves per texture: enough to look like noise


@dataclass(frozen=True)
class Contour:
    """A perturbed ellipse about the origin; semi-axes in px, angle of the long one in radians.

    bumps and phases (k,) float64 are harmonics 2, 3, ... of the outline, relative to the radius.
    split_px > 0 pulls it apart along the short axis into two masses, that far from the origin.
    """

    long_px: float
    short_px: float
    angle: float
    bumps: np.ndarray
    phases: np.ndarray
    split_px: float = 0.0

    @property
    def reach_px(self) -> int:
        """No pixel of it lies farther from its origin than this."""
        widest = max(self.long_px, self.short_px) * (1 + float(np.abs(self.bumps).sum()))
        return ceil(widest + self.split_px) + 2

    def measure(
        self, dy: np.ndarray, dx: np.ndarray, apart: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Relative radius (0 centre, 1 outline) and depth in px (> 0 inside), shape (Y,X).

        dy (Y,1) and dx (1,X) are px from the origin. A contour that is split counts as one
        body, the gap included, unless `apart`.
        """
        u = cos(self.angle) * dx + sin(self.angle) * dy
        v = cos(self.angle) * dy - sin(self.angle) * dx
        if self.split_px:
            v = np.abs(v) - self.split_px
            if not apart:
                u = u / self._waist(v)
                v = np.maximum(v, 0.0)
        r = np.hypot(u, v) + 1e-6
        q = np.hypot(u / self.long_px, v / self.short_px) + 1e-6 / self.long_px
        if self.bumps.size:
            q = q / self._wobble(np.arctan2(v, u))
        return q, r / q - r

    def _waist(self, beyond: np.ndarray) -> np.ndarray:
        """Relative width between two masses; beyond: px past a mass' centre, < 0 in the gap."""
        inward = np.clip(-beyond / self.split_px, 0, 1)
        return 0.55 + 0.45 * (1 - inward) ** 2

    def _wobble(self, theta: np.ndarray) -> np.ndarray:
        total = np.ones_like(theta)
        for k, (bump, phase) in enumerate(zip(self.bumps, self.phases), start=2):
            total += bump * np.cos(k * theta + phase)
        return total


def draw_contour(
    rng: np.random.Generator, radius_px: float, elongation: float, roughness: float
) -> Contour:
    """A contour of about the area of a disc of `radius_px`, turned at random."""
    stretch = max(1.0, rng.normal(elongation, 0.12)) ** 0.5
    decay = 1.0 / np.arange(1, 5)
    return Contour(
        long_px=radius_px * stretch,
        short_px=radius_px / stretch,
        angle=float(rng.uniform(0, pi)),
        bumps=rng.normal(0, roughness, 4).clip(-2 * roughness, 2 * roughness) * decay,
        phases=rng.uniform(0, 2 * pi, 4),
    )


@dataclass(frozen=True)
class Texture:
    """A smooth random field of mean 0 and variance 1: a sum of plane waves.

    ky, kx (WAVES,) are in radians per px, phase (WAVES,) in radians.
    """

    ky: np.ndarray
    kx: np.ndarray
    phase: np.ndarray

    def sample(self, dy: np.ndarray, dx: np.ndarray, angle: float = 0.0) -> np.ndarray:
        """The field (Y,X) at dy (Y,1), dx (1,X) px from the origin, turned by `angle` radians."""
        ky = cos(angle) * self.ky + sin(angle) * self.kx
        kx = cos(angle) * self.kx - sin(angle) * self.ky
        # cos(a + b) as two products, because a plane wave is separable in y and x
        a, b = dy * ky, kx[:, None] * dx + self.phase[:, None]
        field: np.ndarray = np.cos(a) @ np.cos(b) - np.sin(a) @ np.sin(b)
        return field * (2.0 / self.phase.size) ** 0.5


def draw_texture(rng: np.random.Generator, shortest_px: float, longest_px: float) -> Texture:
    """A texture whose wavelengths lie between two lengths in px, in all directions."""
    k = 2 * pi / rng.uniform(shortest_px, longest_px, WAVES)
    direction = rng.uniform(0, 2 * pi, WAVES)
    return Texture(k * np.sin(direction), k * np.cos(direction), rng.uniform(0, 2 * pi, WAVES))
