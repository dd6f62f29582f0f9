"""Feature families, one file each; the folder is the list.

A family is a module with

    PER_CHANNEL            whether it looks at pixels, or at the mask alone
    columns() -> dict      every feature it gives, with its unit and meaning
    measure(labels, image, index) -> dict of float64 (n,), in the order of `index.labels`

where `labels` is (Y,X), `image` (Y,X) of any real dtype or None, and `index` an `ObjectIndex`.
Another package adds a family through the entry-point group `libcell.feat.families`.
"""

import importlib
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from libcell.errors import UsageFault
from libcell.feat.families._index import ObjectIndex

__all__ = ["ObjectIndex", "column_name", "load", "names", "require"]

GROUP = "libcell.feat.families"


def names() -> list[str]:
    """All families, our own first."""
    own = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem[0] != "_")
    return own + sorted({e.name for e in entry_points(group=GROUP)} - set(own))


def require(wanted: Iterable[str]) -> None:
    """UsageFault for a family that does not exist."""
    unknown = [n for n in wanted if n not in names()]
    if unknown:
        raise UsageFault(f"--families: no family {unknown[0]!r}; there are {', '.join(names())}")


def load(name: str) -> ModuleType:
    """The module of a family."""
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            return importlib.import_module(entry.value)
    return importlib.import_module(f"{__name__}.{name}")


def column_name(compartment: str, feature: str, channel: str | None = None) -> str:
    """CellProfiler's name: `Nuclei_AreaShape_Area`, `Nuclei_Intensity_MeanIntensity_DNA`."""
    return f"{compartment}_{feature}" + (f"_{channel}" if channel is not None else "")
