"""A small simulated multi-well plate: conditions per well, batch effects per plate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase

from libcell.errors import UsageFault
from libcell.simulate.classes import LEVELS, CellClass, resolve
from libcell.simulate.field import Field, draw_cells, field_of
from libcell.simulate.optics import Optics
from libcell.simulate.render import PHASE, channels_of
from libcell.simulate.seeds import Key, generator

DOSES_UM = (1.0, 10.0)
EC50_UM = 3.0    # dose at which half of the cells respond
ROWS_96, COLUMNS_96 = "BCDEFG", range(2, 12)      # the inner wells, edges evaporate
ROWS_384, COLUMNS_384 = ascii_uppercase[1:15], range(2, 24)


@dataclass(frozen=True)
class Condition:
    """A treatment: compound (DMSO is the control), dose in µM, share of each class by name."""

    compound: str
    dose_um: float
    mixture: dict[str, float]


@dataclass(frozen=True)
class Place:
    """Where a field of view lies; site counts from 1."""

    plate: str
    well: str
    site: int

    @property
    def key(self) -> Key:
        """Names the random streams of this field."""
        return (self.plate, self.well, self.site)


@dataclass(frozen=True)
class Plate:
    """Simulated plates; fields are computed when asked for, each from its own streams."""

    seed: int
    plates: tuple[str, ...]
    wells: tuple[str, ...]
    sites: int
    shape: tuple[int, int]
    n_cells: int
    classes: tuple[CellClass, ...]
    channels: tuple[str, ...]
    optics: Optics
    batch: float

    def places(self) -> list[Place]:
        """All fields of view, plate by plate, well by well."""
        return [Place(p, w, s + 1) for p in self.plates for w in self.wells
                for s in range(self.sites)]

    def condition(self, plate: str, well: str) -> Condition:
        """The treatment of a well; diagonals of the plate share one, so no row or column does."""
        every = conditions([c.name for c in self.classes])
        row, column = ascii_uppercase.index(well[0]), int(well[1:])
        # from B02 on a first plate: control first; each further plate is shifted by one
        return every[(row - 1 + column - 2 + self.plates.index(plate)) % len(every)]

    def plate_optics(self, plate: str) -> Optics:
        """The microscope on the day of a plate: lamp, staining, alignment and offset differ."""
        rng = generator((self.seed, "batch", plate))
        stain = {s: float(rng.lognormal(0, 0.2 * self.batch)) for s in (*LEVELS, PHASE)}
        y, x = 0.5 + rng.normal(0, 0.08 * self.batch, 2)
        return replace(
            self.optics,
            stain={s: f * self.optics.stain.get(s, 1.0) for s, f in stain.items()},
            centre=(float(y), float(x)),
            vignetting=float(min(self.optics.vignetting * rng.lognormal(0, 0.2 * self.batch), 0.8)),
            offset=self.optics.offset + float(rng.normal(0, 3 * self.batch)),
        )

    def field(self, place: Place) -> Field:
        """One field of view; its cell count is 80 to 100 % of `n_cells`."""
        key: Key = (self.seed, "plate", *place.key)
        n = round(self.n_cells * generator((*key, "count")).uniform(0.8, 1.0))
        mixture = self.condition(place.plate, place.well).mixture
        cells = draw_cells(key, self.shape, n, self.classes, mixture)
        return field_of(cells, self.shape, self.channels, self.plate_optics(place.plate), key)

    def __iter__(self) -> Iterator[tuple[Place, Field]]:
        return ((place, self.field(place)) for place in self.places())

    def layout(self) -> list[dict[str, str | int | float]]:
        """One row per well: Plate, Row, Column, Compound, Dose_uM."""
        found = [(p, w, self.condition(p, w)) for p in self.plates for w in self.wells]
        return [{"Plate": p, "Row": w[0], "Column": int(w[1:]), "Compound": c.compound,
                 "Dose_uM": c.dose_um} for p, w, c in found]


def simulate_plate(
    seed: int,
    wells: int | Sequence[str] = 6,
    sites: int = 2,
    *,
    plates: int | Sequence[str] = 1,
    shape: tuple[int, int] = (256, 256),
    n_cells: int = 40,
    classes: Sequence[str | CellClass] = ("normal", "large_nucleus", "bright_mito"),
    contrast: str = "fluorescence",
    channels: Sequence[str] | None = None,
    optics: Optics | None = None,
    batch: float = 1.0,
) -> Plate:
    """Multi-well plates (simulated).

    The first class is what untreated (DMSO) cells are. Each further one is what a compound
    makes of them, a share dose / (dose + EC50) at 1 and 10 µM. wells: names such as B03, or
    how many, from B02 on. plates: names, or how many (P1, P2, ...). batch scales the batch
    effects of plates, 0 is none.
    """
    names = tuple(f"P{i + 1}" for i in range(plates)) if isinstance(plates, int) else tuple(plates)
    if not names or sites < 1 or len(set(names)) < len(names):
        raise UsageFault("give one or more plates, each once, and one or more sites")
    return Plate(seed, names, well_names(wells), sites, shape, n_cells, tuple(resolve(classes)),
                 channels_of(contrast, channels), optics or Optics(), batch)


def well_names(wells: int | Sequence[str]) -> tuple[str, ...]:
    """Names such as B02: the first inner wells of a 96-well plate, beyond 60 of a 384-well one."""
    if isinstance(wells, int):
        small = wells <= len(ROWS_96) * len(COLUMNS_96)
        rows, columns = (ROWS_96, COLUMNS_96) if small else (ROWS_384, COLUMNS_384)
        every = tuple(f"{r}{c:02d}" for r in rows for c in columns)
        if not 1 <= wells <= len(every):
            raise UsageFault(f"wells: from 1 to {len(every)}, not {wells}")
        return every[:wells]
    wrong = [w for w in wells if not (w[:1] in ascii_uppercase[:16] and len(w) == 3
                                      and w[1:].isdecimal() and 1 <= int(w[1:]) <= 24)]
    if wrong or not wells or len(set(wells)) < len(wells):
        raise UsageFault(f"wells: names such as B03, each once{': ' if wrong else ''}"
                         f"{', '.join(wrong)}")
    return tuple(wells)


def conditions(classes: Sequence[str]) -> list[Condition]:
    """The control, then each compound at each dose; compound k makes cells of class k."""
    untreated, *responses = classes
    found = [Condition("DMSO", 0.0, {untreated: 1.0})]
    for response in responses:
        for dose in DOSES_UM:
            share = dose / (dose + EC50_UM)
            mixture = {untreated: 1 - share, response: share}
            found.append(Condition(f"makes_{response}", dose, mixture))
    return found
