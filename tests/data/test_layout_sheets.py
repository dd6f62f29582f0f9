"""Plate layouts in workbooks: lists, grids, several variables."""

import openpyxl
import pytest

from libcell.data import layout
from libcell.errors import DataError


def workbook(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_list_of_wells(tmp_path):
    path = workbook(tmp_path / "l.xlsx", notes=[["by", "me"]], plate=[
        ["Well", "Dose", "Drug name"], ["A01", 1.0, "x"], ["B2", 0.5, None], [None, None, None]])
    found = layout.read(path)
    assert layout.lookup(found, None, "A1") == {"Metadata_Dose": 1, "Metadata_Drug_name": "x"}
    assert layout.lookup(found, "any", "B02") == {"Metadata_Dose": 0.5, "Metadata_Drug_name": None}


def test_the_grid_of_nucleocentric_profiling(tmp_path):
    """A sheet `Culture`: letters down, whole numbers across."""
    path = workbook(tmp_path / "l.xlsx", Culture=[
        [None, 2, 3], ["B", "astro", "SHSY5Y"], ["C", "co-culture", None]])
    found = layout.read(path)
    assert layout.lookup(found, None, "B02") == {"Metadata_Culture": "astro"}
    assert layout.lookup(found, None, "C2") == {"Metadata_Culture": "co-culture"}
    assert layout.lookup(found, None, "C03") is None


def test_several_blocks_and_sheets(tmp_path):
    path = workbook(tmp_path / "l.xlsx", P=[
        ["Density", 1, 2], ["A", 100, 200], [], ["Dose"], [None, "1", "2"], ["A", 0.1, 0.2]],
        Batch=[[None, 1, 2, "remark"], ["A", "x", "y", "z"]])
    found = layout.read(path)
    assert layout.lookup(found, None, "A02") == {
        "Metadata_Density": 200, "Metadata_Dose": 0.2, "Metadata_Batch": "y"}


def test_workbooks_that_are_no_layout(tmp_path):
    with pytest.raises(DataError, match="no sheet is a layout"):
        layout.read(workbook(tmp_path / "l.xlsx", a=[["x", "y"], [1, 2]]))
    with pytest.raises(DataError, match="stands in it twice"):
        layout.read(workbook(tmp_path / "m.xlsx", a=[["Well"], ["A1"], ["A01"]]))
    (tmp_path / "n.xlsx").write_bytes(b"PK\3\4 no workbook")
    with pytest.raises(DataError, match="not a readable workbook"):
        layout.read(tmp_path / "n.xlsx")
