"""Cell lines growing in flasks, filmed in phase contrast, in batches whose optics differ."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from libcell.errors import UsageFault
from libcell.simulate.cells import Cell, draw_cell, place_cells
from libcell.simulate.classes import CellClass
from libcell.simulate.field import MARGIN_PX, Field, field_of
from libcell.simulate.optics import Optics
from libcell.simulate.render import PHASE
from libcell.simulate.seeds import Key, generator

COMMON = CellClass("common", nucleus_px=8.0, cell_ratio=1.9, elongation=1.25)
LINES = {  # looks of a line's own cells, and how thick they are (1 in a flat cell)
    "round": (CellClass("round", nucleus_px=6.6, cell_ratio=1.45, elongation=1.0), 1.7),
    "spindle": (CellClass("spindle", nucleus_px=6.8, cell_ratio=2.0, elongation=2.3), 0.9),
    "spread": (CellClass("spread", nucleus_px=10.0, cell_ratio=2.2, elongation=1.15), 0.6),
    "compact": (CellClass("compact", nucleus_px=8.2, cell_ratio=1.55, elongation=1.1), 1.2),
}
DOUBLING_H = 20.0
START = 0.35  # share of the last image's cells that are there in the first, at least
COLONIES = 3
STEP_PX = 1.5  # r.m.s. way of a cell between images, per axis
EFFECTS = ("brightness", "blur", "halo", "slope", "offset")


@dataclass(frozen=True)
class Flask:
    """Where a time series comes from; position counts from 1."""

    line: str
    batch: int
    position: int

    @property
    def key(self) -> Key:
        return (self.line, self.batch, self.position)


@dataclass(frozen=True)
class Lines:
    """Simulated time series; each is computed when asked for, from its own streams.

    `share` of the cells look like their line, the others are alike in all lines. `effect` scales
    what differs between batches, 0 is nothing.
    """

    seed: int
    lines: tuple[str, ...]
    batches: int
    positions: int
    hours: tuple[float, ...]
    shape: tuple[int, int]
    n_cells: int
    share: float = 1.0
    effect: float = 1.0

    def flasks(self) -> list[Flask]:
        """All time series, line by line, batch by batch."""
        return [Flask(line, b + 1, p + 1) for line in self.lines for b in range(self.batches)
                for p in range(self.positions)]

    def effects(self, batch: int) -> dict[str, float]:
        """What the microscope of a batch is like; 1, 1, 1, 0.12, 100 without batch effects."""
        rng = generator((self.seed, "batch", batch))
        brightness, blur, halo = np.exp(rng.normal(0, self.effect * np.array([0.25, 0.2, 0.2])))
        slope, offset = rng.normal(0, self.effect, 2)
        return {"brightness": float(brightness), "blur": float(blur), "halo": float(halo),
                "slope": float(0.12 + 0.15 * slope), "offset": float(100 + 5 * offset)}

    def optics(self, batch: int) -> Optics:
        """The same as optics."""
        found, usual = self.effects(batch), Optics()
        return replace(usual, stain={PHASE: found["brightness"]}, slope=found["slope"],
                       psf_px=usual.psf_px * found["blur"], halo=usual.halo * found["halo"],
                       offset=max(found["offset"], 0.0))

    def series(self, flask: Flask) -> Iterator[Field]:
        """The images of a time series in order: cells divide in colonies and move a little."""
        key: Key = (self.seed, "lines", *flask.key)
        cells = self._cells(flask, key)
        drift = generator((*key, "drift")).normal(0, STEP_PX, (len(self.hours), len(cells), 2))
        optics, high = self.optics(flask.batch), np.array(self.shape) - 1 - MARGIN_PX
        places = np.array([(c.y, c.x) for c in cells])
        for t, hour in enumerate(self.hours):
            n = max(round(len(cells) * 2 ** ((hour - self.hours[-1]) / DOUBLING_H)),
                    round(len(cells) * START), 1)
            places = (places + drift[t]).clip(MARGIN_PX, high)
            now = [replace(c, y=float(y), x=float(x)) for c, (y, x) in zip(cells, places)][:n]
            yield field_of(now, self.shape, (PHASE,), optics, (*key, t))

    def _cells(self, flask: Flask, key: Key) -> list[Cell]:
        """The last image's cells, those first that are there first."""
        own, height = LINES[flask.line]
        telling = generator((*key, "kinds")).random(self.n_cells) < self.share
        cells = [replace(draw_cell(generator((*key, "cell", i)), own if tells else COMMON),
                         height=height if tells else 1.0) for i, tells in enumerate(telling)]
        places = place_cells(generator((*key, "places")), cells, self.shape, MARGIN_PX)
        seeds = generator((*key, "colonies")).uniform(0, self.shape, (COLONIES, 2))
        near = np.linalg.norm(places[:, None] - seeds[None], axis=2).min(axis=1)
        return [replace(cells[i], y=float(places[i, 0]), x=float(places[i, 1]))
                for i in np.argsort(near)]


def simulate_lines(
    seed: int,
    lines: int = 3,
    batches: int = 4,
    positions: int = 2,
    frames: int = 6,
    *,
    hours: float = 6.0,
    shape: tuple[int, int] = (256, 256),
    n_cells: int = 40,
    share: float = 1.0,
    effect: float = 1.0,
) -> Lines:
    """Time series (simulated) of `lines` cell lines, each filmed in every batch at so many
    positions, `frames` images `hours` apart. UsageFault for numbers that make no films."""
    if not 1 <= lines <= len(LINES):
        raise UsageFault(f"lines: from 1 to {len(LINES)}, not {lines}")
    if min(batches, positions, frames, n_cells) < 1 or hours <= 0 or not 0 <= share <= 1:
        raise UsageFault("give one or more batches, positions, frames and cells, hours above 0, "
                         "and a share from 0 to 1")
    return Lines(seed, tuple(LINES)[:lines], batches, positions,
                 tuple(hours * t for t in range(frames)), shape, n_cells, share, effect)
