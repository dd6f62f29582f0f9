"""A cell as a handful of numbers, drawn about the means of its class, and where cells lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import numpy as np

from libcell.errors import UsageFault
from libcell.simulate.classes import LEVELS, CellClass
from libcell.simulate.shapes import Contour, Texture, draw_contour, draw_texture

TRIES = 40        # places tried before a closer neighbour is accepted
LAST_TRIES = 600  # and before the field counts as full
GAP_PX = 3.0      # between nuclei
TOUCH = 0.85      # of the sum of two cells' radii: nearer than this they squeeze each other


@dataclass(frozen=True)
class Cell:
    """A cell, its nucleus centred at (y, x) px; pixel centres are at whole numbers.

    levels: stain -> brightness of (nucleus, cytoplasm); condensation: how much more compact
    the chromatin is than in interphase; lumps: contrast of its texture; height: thickness of
    the body in phase contrast, 1 in a flat cell; body_shift: the body's centre from (y, x).
    """

    y: float
    x: float
    kind: str
    nucleus: Contour
    body: Contour
    body_shift: tuple[float, float]
    levels: dict[str, tuple[float, float]]
    chromatin: Texture
    threads: Texture
    nucleoli: Texture
    condensation: float = 1.0
    lumps: float = 0.22
    height: float = 1.0


def draw_cell(rng: np.random.Generator, kind: CellClass) -> Cell:
    """A cell of a class at (0, 0)."""
    radius = kind.nucleus_px * float(rng.lognormal(0, 0.07))
    body_px = radius * kind.cell_ratio * float(rng.lognormal(0, 0.08))
    nucleus = draw_contour(rng, radius, kind.elongation, 0.025)
    body = draw_contour(rng, body_px, 1.0 + 1.4 * (kind.elongation - 1), 0.07)
    away, off = rng.uniform(0, 2 * pi), 0.3 * (body_px - radius) * rng.uniform()
    stained = {s: float(rng.lognormal(0, 0.12)) for s in LEVELS}
    # the same content in a larger nucleus is thinner: area here stands for volume
    stained["DNA"] *= kind.dna / (radius / 8.5) ** 2
    levels = {s: (kind.level(s)[0] * f, kind.level(s)[1] * f) for s, f in stained.items()}
    return Cell(
        0.0, 0.0, kind.name, nucleus, body, (off * np.sin(away), off * np.cos(away)), levels,
        chromatin=draw_texture(rng, 3.5, 9.0),
        threads=draw_texture(rng, 5.0, 11.0),
        nucleoli=draw_texture(rng, 9.0, 14.0),
    )


def radii(cells: Sequence[Cell]) -> tuple[np.ndarray, np.ndarray]:
    """Radii in px, float64 (n,), of discs about the nuclei and of discs like the cells."""
    nuclei = [max(c.nucleus.long_px, c.nucleus.short_px + c.nucleus.split_px) for c in cells]
    bodies = [(c.body.long_px * c.body.short_px) ** 0.5 for c in cells]
    return np.array(nuclei, float), np.array(bodies, float)


def place_cells(
    rng: np.random.Generator, cells: Sequence[Cell], shape: tuple[int, int], margin_px: float
) -> np.ndarray:
    """Centres (n, 2) y, x in px, at least `margin_px` from the border; nuclei keep apart.

    UsageFault if the field is too small for so many cells.
    """
    nuclei, bodies = radii(cells)
    high = np.array(shape, float) - 1 - margin_px
    if (high <= margin_px).any():
        raise UsageFault(f"a field of {shape[0]} x {shape[1]} px is too small for a cell")
    places = np.zeros((len(cells), 2))
    for i in range(len(cells)):
        spots = rng.uniform(margin_px, high, (TRIES, 2))
        spot = _free_spot(spots, places[:i], TOUCH * (bodies[:i] + bodies[i]))
        if spot is None:
            spots = rng.uniform(margin_px, high, (LAST_TRIES, 2))
            spot = _free_spot(spots, places[:i], nuclei[:i] + nuclei[i] + GAP_PX)
        if spot is None:
            raise UsageFault(
                f"{len(cells)} cells do not fit into {shape[0]} x {shape[1]} px, {i} do; ask for "
                "fewer cells or a larger field"
            )
        places[i] = spot
    return places


def _free_spot(
    spots: np.ndarray, taken: np.ndarray, least_px: np.ndarray
) -> np.ndarray | None:
    """The first of spots (m, 2) that is at least least_px (n,) from each of taken (n, 2)."""
    distance = np.linalg.norm(spots[:, None] - taken[None], axis=2)
    free = np.flatnonzero((distance >= least_px).all(axis=1))
    return spots[free[0]] if free.size else None
