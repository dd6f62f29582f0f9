"""Time series by file name, patterns proposed on the command line, layouts from workbooks."""

import json

import numpy as np
import openpyxl
import pyarrow.parquet as pq
import tifffile
from hand_made import call

from libcell.data import open as opening
from libcell.data.images import Source


def write(path, value, shape=(40, 50)):
    pixels = np.full(shape, 20, np.uint16)
    pixels[10:20, 10:25] = 500 + value
    tifffile.imwrite(path, pixels)


def test_hours_of_every_frame_reach_the_tables(tmp_path):
    """CLANet's names; the frames in the order of time, not of the alphabet or of the files."""
    for hours, name in ((60, "02d12h00m"), (4, "00d04h00m"), (250, "10d10h00m")):
        write(tmp_path / f"VID1709_G7_1_{name}.tif", hours)
    write(tmp_path / "VID1709_G8_1_00d05h30m.tif", 5)
    call("extract", "images", tmp_path / "*.tif", "--pattern",
         "{plate}_{well}_{site}_{time}.tif", "-o", tmp_path / "p.ome.zarr")
    image = opening.image(Source(tmp_path / "p.ome.zarr", "G/7/1"))
    assert [int(image.read(t=t).max()) - 500 for t in range(3)] == [4, 60, 250]
    call("segment", "threshold", tmp_path / "p.ome.zarr", "-o", tmp_path / "n.labels.ome.zarr")
    call("feat", "measure", tmp_path / "n.labels.ome.zarr", "--images", tmp_path / "p.ome.zarr",
         "-o", tmp_path / "f.parquet")
    rows = pq.read_table(tmp_path / "f.parquet").to_pylist()
    found = {(r["Metadata_Well"], r["Metadata_T"]): r["Metadata_Hours"] for r in rows}
    assert found == {("G7", 0): 4.0, ("G7", 1): 60.0, ("G7", 2): 250.0, ("G8", 0): 5.5}


def test_a_proposed_pattern_is_said_and_used(tmp_path):
    for well in ("A01", "B02"):
        for channel in ("DNA", "GFP"):
            write(tmp_path / f"{well}_s1_{channel}.tif", 1)
    done = call("extract", "images", tmp_path / "*.tif", "--pattern", "auto", "-o",
                tmp_path / "p.ome.zarr")
    assert "--pattern '{well}_s1_{channel}.tif'" in done.said
    assert opening.groups(tmp_path / "p.ome.zarr") == ["A/01/0", "B/02/0"]
    write(tmp_path / "notes.tif", 1)
    said = call("extract", "images", tmp_path / "*.tif", "--pattern", "auto", "-o",
                tmp_path / "q.ome.zarr", code=65).said
    assert "different forms" in said


def test_a_layout_of_a_workbook(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Culture"
    for row in ([None, 2, 3], ["B", "astro", "SHSY5Y"]):
        book.active.append(row)
    book.save(tmp_path / "layout.xlsx")
    for name in ("B-02-01", "B-03-01"):
        write(tmp_path / f"{name}.tif", 1)
    call("extract", "images", tmp_path / "*.tif", "--pattern", "{row}-{col}-{site}.tif",
         "--layout", tmp_path / "layout.xlsx", "-o", tmp_path / "p.ome.zarr")
    content = json.loads((tmp_path / "p.ome.zarr" / "B" / "03" / "01" / "zarr.json").read_text())
    assert content["attributes"]["metadata"]["Metadata_Culture"] == "SHSY5Y"
