"""What makes cells of one class differ, measurably, from those of another."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from libcell.errors import UsageFault

# brightness of (nucleus, cytoplasm) per stain; 1 is a well stained structure
LEVELS: dict[str, tuple[float, float]] = {
    "DNA": (1.0, 0.02),
    "ER": (0.15, 0.8),
    "RNA": (0.7, 0.45),
    "Actin": (0.25, 0.8),
    "Mito": (0.05, 0.9),
    "Marker": (0.35, 0.7),
    "EdU": (0.05, 0.04),
    "BrdU": (0.05, 0.04),
}


@dataclass(frozen=True)
class CellClass:
    """Mean looks of a class; single cells vary about them.

    nucleus_px is the mean radius; cell_ratio the cell's radius over it; dna the DNA content,
    1 being that of a cell in G1; levels replaces entries of LEVELS.
    """

    name: str
    nucleus_px: float = 8.5
    cell_ratio: float = 2.1
    elongation: float = 1.2
    dna: float = 1.0
    levels: dict[str, tuple[float, float]] = field(default_factory=dict)

    def level(self, stain: str) -> tuple[float, float]:
        """(nucleus, cytoplasm) brightness of a stain."""
        return self.levels.get(stain, LEVELS[stain])


def _cycle(name: str, share: float, **levels: tuple[float, float]) -> CellClass:
    """A cell-cycle class: nucleus and DNA content grow together as S phase goes on (0..1)."""
    return CellClass(name, nucleus_px=7.8 * (1 + 0.28 * share), dna=1 + share, levels=levels)


ON = (0.9, 0.05)

# The S classes are those of a dual pulse, EdU first and BrdU later: cells that entered S in
# between carry BrdU alone, those that left it EdU alone.
CLASSES: dict[str, CellClass] = {
    c.name: c
    for c in (
        CellClass("normal"),
        CellClass("large_nucleus", nucleus_px=11.2, cell_ratio=1.75, dna=1.74),
        CellClass("bright_mito", levels={"Mito": (0.1, 2.0)}),
        CellClass("translocated", levels={"Marker": (1.1, 0.3)}),
        _cycle("G1", 0.0),
        _cycle("early_S", 0.25, BrdU=ON),
        _cycle("S", 0.5, EdU=ON, BrdU=ON),
        _cycle("late_S", 0.75, EdU=ON),
        _cycle("G2", 1.0),
        # two cell types, each grown with a base of its own before they met
        CellClass("astro", nucleus_px=9.0, cell_ratio=2.2, elongation=1.3,
                  levels={"EdU": ON, "Actin": (0.25, 0.95)}),
        CellClass("neuron", nucleus_px=8.1, cell_ratio=2.0,
                  levels={"BrdU": ON, "Mito": (0.05, 1.1)}),
    )
}


def resolve(classes: Sequence[str | CellClass]) -> list[CellClass]:
    """Classes by name or as they are; UsageFault for an unknown name, a repeat or none at all."""
    unknown = [c for c in classes if isinstance(c, str) and c not in CLASSES]
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise UsageFault(f"no class {names}; there are {', '.join(CLASSES)}")
    found = [CLASSES[c] if isinstance(c, str) else c for c in classes]
    if not found or len({c.name for c in found}) < len(found):
        raise UsageFault("classes: give one or more, each once")
    return found
