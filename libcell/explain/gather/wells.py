"""How many objects each well has, one chart per plate."""

from collections import Counter

import numpy as np
import pyarrow as pa

from libcell.data import layout
from libcell.errors import DataError
from libcell.explain.page import figures
from libcell.explain.page.sections import Chart, Section


def plates(table: pa.Table | None) -> list[Section]:
    """Charts of the objects of a table, plate by plate; none where no object has a well."""
    if table is None:
        return []
    keys = zip(*(table.column(f"Metadata_{n}").to_pylist() for n in ("Plate", "Well")))
    found: dict[str, Counter[str]] = {}
    for (plate, well), n in Counter(keys).items():
        if key := _well(well):
            found.setdefault(plate or "", Counter())[key] += n
    alone = len(found) == 1
    return [_plate(f"plate{i}", "" if alone else f": {name or 'no name'}", found[name])
            for i, name in enumerate(sorted(found))]


def _well(name: str | None) -> str | None:
    try:
        return layout.well_key(name) if name else None
    except DataError:
        return None


def _plate(name: str, which: str, wells: Counter[str]) -> Section:
    """One plate: objects by well, wells named as A1."""
    rows = sorted({_row(w) for w in wells}, key=lambda r: (len(r), r))
    columns = sorted({w[len(_row(w)):] for w in wells}, key=int)
    values = np.array([[wells.get(f"{r}{c}", np.nan) for c in columns] for r in rows], float)
    texts = [[f"{r}{c}: {wells[f'{r}{c}']} objects" for c in columns] for r in rows]
    return Chart(f"Objects per well{which}", "Wells that stand out here may be out of focus, "
                 "empty, or segmented badly; look before you trust their features.",
                 name, figures.plate(rows, columns, values, "objects", texts),
                 f"Objects in {len(wells)} wells: from {min(wells.values())} to "
                 f"{max(wells.values())}.")


def _row(well: str) -> str:
    return well.rstrip("0123456789")
