"""The same cells stained and imaged twice, the plate put back not quite where it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from libcell.errors import UsageFault
from libcell.simulate.cells import Cell
from libcell.simulate.classes import CellClass, resolve
from libcell.simulate.field import MARGIN_PX, Columns, Field, draw_cells, objects_of
from libcell.simulate.labels import relabel
from libcell.simulate.optics import Optics
from libcell.simulate.render import channels_of, render
from libcell.simulate.seeds import Key, generator

ROUND1 = ("DNA", "ER", "RNA", "Actin", "Mito")
ROUND2 = ("DNA", "EdU", "BrdU")
TYPES = ("astro", "neuron")
CULTURES = (*TYPES, "co-culture", "co-culture")  # of wells in their order, again and again


@dataclass(frozen=True)
class Rounds:
    """Two simulated rounds of one field, and what happened in between.

    shift: (dy, dx) px; what lies at (y, x) in round 1 lies at (y + dy, x + dx) in round 2.
    lost: labels of round 1 whose cells were washed away. matches: label_round1 and
    label_round2 (0 where lost), one row per cell of round 1; the labels of round 2 are in an
    order of their own.
    """

    round1: Field
    round2: Field
    shift: tuple[float, float]
    lost: tuple[int, ...]
    matches: Columns


def simulate_rounds(
    seed: int,
    shape: tuple[int, int] = (256, 256),
    n_cells: int = 40,
    classes: Sequence[str | CellClass] = ("G1", "early_S", "late_S", "G2"),
    *,
    channels1: Sequence[str] = ROUND1,
    channels2: Sequence[str] = ROUND2,
    max_shift_px: float = 8.0,
    shift: tuple[float, float] | None = None,
    mixture: Mapping[str, float] | None = None,
    lost_fraction: float = 0.08,
    optics: Optics | None = None,
    key: Key = (),
) -> Rounds:
    """Two rounds of one field (simulated); noise, lamp and labels of the rounds are independent.

    shift: (dy, dx) in px [drawn, each up to max_shift_px]. mixture: share of each class [equal].
    lost_fraction: share of the cells that the washing takes, at least one if it is not 0.
    key: names this field among others.
    """
    here: Key = (seed, "rounds", *key)
    rng = generator((*here, "between"))
    drawn = rng.uniform(-max_shift_px, max_shift_px, 2)
    dy, dx = (float(s) for s in (shift if shift is not None else drawn))
    if not 0 <= lost_fraction < 1:
        raise UsageFault(f"lost_fraction is from 0 to below 1, not {lost_fraction}")
    margin = MARGIN_PX + ceil(max(abs(dy), abs(dx)))
    cells = draw_cells(here, shape, n_cells, resolve(classes), mixture, margin)
    n_lost = max(1, round(lost_fraction * n_cells)) if lost_fraction and n_cells > 1 else 0
    lost = np.sort(rng.permutation(n_cells)[:n_lost])
    kept = [i for i in range(n_cells) if i not in lost]
    moved = [replace(cells[i], y=cells[i].y + dy, x=cells[i].x + dx) for i in kept]
    one = optics or Optics()
    two = replace(one, centre=(one.centre[0] + 0.05, one.centre[1] - 0.08))
    matches, ids = _matches(n_cells, kept, rng)
    order = np.arange(1, n_cells + 1)
    return Rounds(
        _field((*here, "round1"), cells, order, shape, channels_of("fluorescence", channels1), one),
        _field((*here, "round2"), moved, ids, shape, channels_of("fluorescence", channels2), two),
        (dy, dx), tuple(int(i) + 1 for i in lost), matches,
    )


def cultures(wells: Sequence[str]) -> dict[str, str]:
    """What grows in each well: one of TYPES alone, or both mixed."""
    return {well: CULTURES[i % len(CULTURES)] for i, well in enumerate(wells)}


def mixture_of(culture: str) -> dict[str, float]:
    """Share of each type in a culture."""
    return {t: float(culture not in TYPES or culture == t) for t in TYPES}


def _matches(
    n_cells: int, kept: Sequence[int], rng: np.random.Generator
) -> tuple[Columns, np.ndarray]:
    """Table of matches, and the labels in round 2 of the cells `kept` (indices)."""
    ids = rng.permutation(len(kept)) + 1
    second = np.zeros(n_cells, np.uint32)
    second[list(kept)] = ids
    first = np.arange(1, n_cells + 1, dtype=np.uint32)
    return {"label_round1": first, "label_round2": second}, ids


def _field(
    key: Key, cells: Sequence[Cell], ids: np.ndarray, shape: tuple[int, int],
    channels: tuple[str, ...], optics: Optics,
) -> Field:
    """The picture of `cells`, labelled by ids (n,), a permutation of 1..n."""
    image, nuclei, bodies = render(cells, shape, channels, optics, key)
    nuclei, bodies = relabel(nuclei, ids), relabel(bodies, ids)
    ordered = [cells[i] for i in np.argsort(ids)]
    kinds = {i: c.kind for i, c in enumerate(ordered, start=1)}
    return Field(image, channels, nuclei, bodies, kinds, objects_of(ordered, nuclei, bodies))
