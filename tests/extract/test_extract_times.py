"""Time series by file name, patterns proposed on the command line, layouts from workbooks."""

import json

import numpy as np
import openpyxl
import pyarrow.parquet as pq
import tifffile
from hand_made import call
from PIL import Image as Pillow

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


def test_stacks_of_one_frame_each(tmp_path):
    """CELLECT's names: a stack (Z,Y,X) a file, one file a frame."""
    stacks = np.arange(3 * 4 * 40 * 50, dtype=np.uint16).reshape(3, 4, 40, 50)
    for t, stack in enumerate(stacks):
        tifffile.imwrite(tmp_path / f"emb_t{t:03d}.tif", stack, imagej=True,
                         metadata={"axes": "ZYX"})
    for more, expected in (((), stacks), (("--project", "max"), stacks.max(1, keepdims=True))):
        store = tmp_path / f"p{len(more)}.ome.zarr"
        call("extract", "images", tmp_path / "*.tif", "--pattern", "emb_t{t}.tif", "-o", store,
             *more)
        image = opening.image(Source(store))
        assert image.about.shape == (3, 1, *expected.shape[1:])
        np.testing.assert_array_equal(np.stack([image.read(t=t) for t in range(3)]), expected)


def test_colour_pictures_in_time(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 20, 30, 3)).astype(np.uint8)
    for hour, picture in zip((5, 11), pixels):
        Pillow.fromarray(picture).save(tmp_path / f"VID1_G7_1_01d{hour:02d}h00m.png")
    call("extract", "images", tmp_path / "*.png", "--pattern", "VID1_{well}_1_{time}.png", "-o",
         tmp_path / "p.ome.zarr")
    image = opening.image(Source(tmp_path / "p.ome.zarr", "G/7/0"))
    assert image.about.channels == ("R", "G", "B")
    for t in range(2):
        for c in range(3):
            np.testing.assert_array_equal(image.read(t=t, c=c)[0], pixels[t, :, :, c])


def test_what_names_and_files_both_tell_is_refused(tmp_path):
    for channel in ("DNA", "ER"):
        tifffile.imwrite(tmp_path / f"A01_{channel}.tif", np.zeros((2, 20, 30), np.uint8),
                         imagej=True, metadata={"axes": "CYX"})
    said = call("extract", "images", tmp_path / "*.tif", "--pattern", "{well}_{channel}.tif",
                "-o", tmp_path / "p.ome.zarr", code=65).said
    assert "holds 2 channels, which its name has one of" in said


def test_files_of_a_field_with_other_axes_are_told(tmp_path):
    for t, planes in ((0, 3), (1, 2)):
        tifffile.imwrite(tmp_path / f"x_t{t}.tif", np.zeros((planes, 20, 30), np.uint8),
                         imagej=True, metadata={"axes": "ZYX"})
    said = call("extract", "images", tmp_path / "*.tif", "--pattern", "x_t{t}.tif",
                "-o", tmp_path / "p.ome.zarr", code=65).said
    assert "2 planes, 20 x 30 uint8" in said and "3 planes, 20 x 30 uint8" in said
