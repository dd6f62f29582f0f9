"""Zernike features of each object's mask: CellProfiler's AreaShape_Zernike.

Magnitudes of the Zernike moments up to order 9 in the smallest circle around the pixel centres,
divided by the circle's area (Boland, Markey and Murphy 1998; centrosome). They do not change with
place, size and rotation. All pixels count; centrosome loses those of the two or three on the
circle itself whose radius rounding puts above 1. NaN for a single pixel, whose circle has no area.
"""

import numpy as np

from libcell.feat.families._column import Column
from libcell.feat.families._index import ObjectIndex
from libcell.feat.families._zernike import TERMS, magnitudes

NAME = "zernike"
PER_CHANNEL = False


def columns() -> list[Column]:
    """Every feature with its unit and meaning."""
    return [Column(f"AreaShape_Zernike_{n}_{m}", "1",
                   f"magnitude of the Zernike moment of order {n}, {m} times around")
            for n, m in TERMS]


def measure(
    labels: np.ndarray, image: np.ndarray | None, index: ObjectIndex
) -> dict[str, np.ndarray]:
    """Features of every object in `labels` (Y,X); see `columns`. `image` is not looked at."""
    found = magnitudes(index.by_run, index.hulls)
    return {column.name: row for column, row in zip(columns(), found)}
