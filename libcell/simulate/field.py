"""One simulated field of view with its truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from libcell.errors import UsageFault
from libcell.simulate.cells import Cell, draw_cell, place_cells
from libcell.simulate.classes import CellClass, resolve
from libcell.simulate.optics import Optics
from libcell.simulate.render import channels_of, render
from libcell.simulate.seeds import Key, generator

Columns = dict[str, np.ndarray]  # a table: name -> (n,) values

PIXEL_SIZE_UM = 0.65  # a 6.5 µm camera pixel behind a 10x objective
MARGIN_PX = 4.0       # a cell's centre is never nearer to the border


@dataclass(frozen=True)
class Field:
    """A simulated field: image (C,Y,X) uint16; nuclei and cells (Y,X) uint32, the same ids.

    Every label is one piece and every cell holds its nucleus. classes: label -> class name.
    objects, one row per label in order: label, class, y, x (px, the nucleus' centre),
    nucleus_area_px, cell_area_px, touches_border (of the cell).
    """

    image: np.ndarray
    channels: tuple[str, ...]
    nuclei: np.ndarray
    cells: np.ndarray
    classes: dict[int, str]
    objects: Columns
    pixel_size_um: float = PIXEL_SIZE_UM


def simulate_field(
    seed: int,
    shape: tuple[int, int] = (256, 256),
    n_cells: int = 40,
    classes: Sequence[str | CellClass] = ("normal", "large_nucleus"),
    contrast: str = "fluorescence",
    *,
    channels: Sequence[str] | None = None,
    mixture: Mapping[str, float] | None = None,
    optics: Optics | None = None,
    key: Key = (),
) -> Field:
    """A field of view (simulated).

    contrast `fluorescence` (DNA, Actin, Mito) or `phase` (Phase); `channels` replaces that
    list by any of DNA, ER, RNA, Actin, Mito, Marker, EdU, BrdU, Phase. mixture: share of each
    class [equal]. key: names this field among others of the same seed.
    UsageFault if the cells do not fit.
    """
    names = channels_of(contrast, channels)
    here: Key = (seed, "field", *key)
    cells = draw_cells(here, shape, n_cells, resolve(classes), mixture)
    return field_of(cells, shape, names, optics or Optics(), here)


def draw_cells(
    key: Key,
    shape: tuple[int, int],
    n_cells: int,
    kinds: Sequence[CellClass],
    mixture: Mapping[str, float] | None = None,
    margin_px: float = MARGIN_PX,
) -> list[Cell]:
    """Cells of a field, each with its own stream; a class' share holds on average."""
    shares = np.array([1.0 if mixture is None else mixture.get(k.name, 0.0) for k in kinds])
    unknown = set(mixture or ()) - {k.name for k in kinds}
    if unknown or (shares < 0).any() or not shares.sum() > 0:
        raise UsageFault(f"mixture: give shares >= 0 of {', '.join(k.name for k in kinds)}")
    drawn = generator((*key, "classes")).choice(len(kinds), n_cells, p=shares / shares.sum())
    cells = [draw_cell(generator((*key, "cell", i)), kinds[k]) for i, k in enumerate(drawn)]
    places = place_cells(generator((*key, "places")), cells, shape, margin_px)
    return [replace(c, y=float(y), x=float(x)) for c, (y, x) in zip(cells, places)]


def field_of(
    cells: Sequence[Cell], shape: tuple[int, int], channels: tuple[str, ...], optics: Optics,
    key: Key,
) -> Field:
    """The picture of given cells; labels are 1..n in their order."""
    image, nuclei, bodies = render(cells, shape, channels, optics, key)
    kinds = {i: c.kind for i, c in enumerate(cells, start=1)}
    return Field(image, channels, nuclei, bodies, kinds, objects_of(cells, nuclei, bodies))


def objects_of(cells: Sequence[Cell], nuclei: np.ndarray, bodies: np.ndarray) -> Columns:
    """Truth about the cells of a field whose labels are 1..n in their order."""
    n = len(cells)
    rim = np.concatenate([bodies[0], bodies[-1], bodies[:, 0], bodies[:, -1]])
    labels = np.arange(1, n + 1, dtype=np.uint32)
    return {
        "label": labels,
        "class": np.array([c.kind for c in cells], dtype=str),
        "y": np.array([c.y for c in cells], float),
        "x": np.array([c.x for c in cells], float),
        "nucleus_area_px": np.bincount(nuclei.ravel(), minlength=n + 1)[1:],
        "cell_area_px": np.bincount(bodies.ravel(), minlength=n + 1)[1:],
        "touches_border": np.isin(labels, rim),
    }
