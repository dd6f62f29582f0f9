"""Plate layouts: what is in which well, from a CSV or Parquet table or a workbook."""

import math
import re
from pathlib import Path
from typing import Any

from libcell.data import tables
from libcell.errors import DataError, reading

WELL = re.compile(r"([A-Za-z]{1,2})[-_ ]?0*(\d{1,2})$")
Key = tuple[str | None, str]


def well_key(well: str) -> str:
    """A well's name without leading zeros, so that A1 and A01 are the same: `A1`."""
    found = WELL.match(str(well).strip())
    if not found:
        raise DataError(f"{well!r} is not a well such as A01")
    return f"{found[1].upper()}{int(found[2])}"


def read(path: Path) -> dict[Key, dict[str, Any]]:
    """(plate, well) -> columns of that well as `Metadata_*`.

    The well comes from a column `Well`, or from `Row` and `Column` (`Col`); a column `Plate`
    is optional, without it the layout holds for every plate. DataError if a well repeats.
    """
    with reading(path, "not a layout of wells"):
        return _of_rows(path, _load(path))


def _of_rows(path: Path, rows: list[dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    names = {n.lower().removeprefix("metadata_"): n for n in (rows[0] if rows else {})}
    column = names.get("column") or names.get("col")
    if "well" not in names and not ("row" in names and column):
        raise DataError(f"{path}: a layout needs a column Well, or Row and Column")
    used = {names.get("well"), names.get("plate")}
    used |= set() if "well" in names else {names.get("row"), column}
    layout: dict[Key, dict[str, Any]] = {}
    for row in rows:
        well = row[names["well"]] if "well" in names else f"{row[names['row']]}{row[str(column)]}"
        plate = str(row[names["plate"]]) if "plate" in names else None
        key = (plate, well_key(well))
        if key in layout:
            raise DataError(f"{path}: well {well} stands in it twice")
        layout[key] = {_metadata(n): _plain(v) for n, v in row.items() if n not in used}
    return layout


def _plain(value: Any) -> Any:
    """A value that JSON holds: dates and times as text, None for what is no number."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _load(path: Path) -> list[dict[str, Any]]:
    kind = path.suffix.lower()
    if kind in (".xlsx", ".xlsm"):
        from libcell.data import layout_sheets

        return layout_sheets.read(path)
    table = tables.read_csv(path) if kind == ".csv" else tables.read(path, "layout")
    return table.to_pylist()


def _metadata(name: str) -> str:
    return name if name.startswith("Metadata_") else f"Metadata_{name.replace(' ', '_')}"


def sole_plate(layout: dict[Key, dict[str, Any]]) -> str | None:
    """The plate that a layout is about, if it names exactly one."""
    plates = {plate for plate, _ in layout}
    return plates.pop() if len(plates) == 1 else None


def lookup(
    layout: dict[Key, dict[str, Any]], plate: str | None, well: str
) -> dict[str, Any] | None:
    """The columns of one well; None for a well that the layout does not have."""
    key = well_key(well)
    return layout.get((plate, key), layout.get((None, key)))
