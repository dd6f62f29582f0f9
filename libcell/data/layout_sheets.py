"""Plate layouts from a workbook: a list of wells, or the plate drawn as a grid.

A sheet whose first row names `Well`, or `Row` and `Column`, is a list. In any other sheet every
block with numbers across and letters down is one variable of the plate, named by the cell in its
corner, by the one above it, or else by the sheet.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from libcell.errors import DataError, Unavailable, reading
from libcell.schema import archives

ROW = re.compile(r"[A-Za-z]|A[A-Fa-f]")
Row = dict[str, Any]
Cells = list[tuple[Any, ...]]
LARGEST = 2**26  # bytes of a sheet, as XML


def read(path: Path) -> list[Row]:
    """A row per well with `Well` and the variables. DataError where no sheet holds a layout."""
    try:
        import openpyxl
    except ImportError as error:
        raise Unavailable(f"{path}: reading it needs openpyxl (pip install 'libcell[xlsx]')"
                          ) from error
    with reading(path, "not a readable workbook"):
        archives.require_moderate(path, LARGEST, "workbook")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = {sheet.title: [tuple(row) for row in sheet.iter_rows(values_only=True)]
                  for sheet in book.worksheets}
        book.close()
    lists = [rows for cells in sheets.values() if (rows := _listed(cells))]
    if lists:
        return lists[0]
    wells: dict[str, Row] = {}
    for title, cells in sheets.items():
        for name, values in _blocks(title, cells):
            for well, value in values.items():
                wells.setdefault(well, {"Well": well})[name] = value
    if not wells:
        raise DataError(f"{path}: no sheet is a layout; it needs a row with Well (or Row and "
                        "Column), or a grid with numbers across and letters down")
    names = dict.fromkeys(name for row in wells.values() for name in row)
    return [{name: row.get(name) for name in names} for row in wells.values()]


def _listed(cells: Cells) -> list[Row]:
    """The rows of a list of wells; none if the sheet is no list."""
    head = [str(c).strip() if c is not None else "" for c in cells[0]] if cells else []
    known = {h.lower().removeprefix("metadata_") for h in head}
    if "well" not in known and not ("row" in known and known & {"column", "col"}):
        return []
    return [{h: _plain(v) for h, v in zip(head, row) if h} for row in cells[1:]
            if any(v is not None for v in row)]


def _blocks(title: str, cells: Cells) -> Iterator[tuple[str, Row]]:
    """Name, and well -> value, of every grid in a sheet."""
    for r, row in enumerate(cells):
        for c in range(len(row) - 1):
            columns = _columns(row[c + 1 :])
            below = cells[r + 1][c] if columns and r + 1 < len(cells) else None
            if columns and _is_row(below):
                yield _name(title, cells, r, c), _grid(cells, r, c, columns)
                break


def _columns(values: tuple[Any, ...]) -> list[int]:
    """Plate columns 1, 2, 3, ... as far as they go on."""
    found: list[int] = []
    for value in map(_plain, values):
        whole = value if isinstance(value, int) else None
        if isinstance(value, str) and value.isdigit():
            whole = int(value)
        if whole is None or (found and whole != found[-1] + 1) or not 1 <= whole <= 48:
            break
        found.append(whole)
    return found


def _is_row(value: Any) -> bool:
    return isinstance(value, str) and bool(ROW.fullmatch(value.strip()))


def _name(title: str, cells: Cells, r: int, c: int) -> str:
    above = cells[r - 1][c] if r else None
    for value in (cells[r][c], above):
        if isinstance(value, str) and value.strip() and not _is_row(value):
            return value.strip()
    return title


def _grid(cells: Cells, r: int, c: int, columns: list[int]) -> Row:
    found: Row = {}
    for row in cells[r + 1 :]:
        if c >= len(row) or not _is_row(row[c]):
            break
        for k, number in enumerate(columns):
            value = row[c + 1 + k] if c + 1 + k < len(row) else None
            if value is not None:
                found[f"{row[c].strip().upper()}{number}"] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    """Excel has no whole numbers: 3.0 is 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
