"""cell-extract images: odd and broken files; a bad one is told and does not stop the rest."""

import numpy as np
import pytest
import tifffile
from hand_made import call
from PIL import Image as Pillow

from libcell.data import open as opening
from libcell.data.images import Source

RNG = np.random.default_rng(0)


def extract(folder, *args, code=0):
    return call("extract", "images", *args, "-o", folder / "p.ome.zarr", code=code)


def opened(folder, group=""):
    return opening.image(Source(folder / "p.ome.zarr", group))


def pixels(shape=(24, 32), dtype=np.uint16, top=60_000):
    return RNG.integers(0, top, shape).astype(dtype)


def test_sixteen_bits_stay_sixteen(tmp_path):
    values = pixels()
    Pillow.fromarray(values).save(tmp_path / "x.png")
    extract(tmp_path, tmp_path / "x.png")
    np.testing.assert_array_equal(opened(tmp_path).read()[0], values)


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_tiff_is_three_channels(tmp_path, samples, planar, dtype):
    values = pixels((24, 32, samples), dtype, 250)
    tifffile.imwrite(tmp_path / "x.tif", values if planar == "contig" else
                     np.moveaxis(values, -1, 0).copy(), photometric="rgb", planarconfig=planar,
                     extrasamples=["unassalpha"] if samples == 4 else None)
    extract(tmp_path, tmp_path / "x.tif")
    found = opened(tmp_path)
    assert found.about.channels == ("R", "G", "B") and found.about.dtype == dtype
    for c in range(3):
        np.testing.assert_array_equal(found.read(c=c)[0], values[..., c])


def with_palette(path):
    colours = np.array([[255, 0, 0], [0, 200, 0], [9, 9, 99]], np.uint8)
    index = RNG.integers(0, 3, (20, 30)).astype(np.uint8)
    picture = Pillow.fromarray(index)
    picture.putpalette(colours.ravel().tolist())
    picture.save(path)
    return index, colours[index]


def test_a_palette_is_colours_in_a_picture_and_display_in_a_tiff(tmp_path):
    """ImageJ writes a palette for any coloured lookup table: the values are the data."""
    _, colours = with_palette(tmp_path / "x.png")
    index, _ = with_palette(tmp_path / "y.tif")
    extract(tmp_path, tmp_path / "x.png", tmp_path / "y.tif")
    found = opened(tmp_path, "x")
    assert found.about.channels == ("R", "G", "B")
    np.testing.assert_array_equal(np.stack([found.read(c=c)[0] for c in range(3)], -1), colours)
    np.testing.assert_array_equal(opened(tmp_path, "y").read()[0], index)


def write_plate(folder):
    for well in ("A01", "A02", "A03"):
        for channel in "12":
            tifffile.imwrite(folder / f"{well}_{channel}.tif", pixels())


def other_size(path):
    tifffile.imwrite(path, pixels((24, 33)))


def other_dtype(path):
    tifffile.imwrite(path, pixels(dtype=np.uint8, top=250))


def cut_short(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("<html>not found</html>")


def a_picture(path):
    Pillow.fromarray(pixels(dtype=np.uint8, top=250)).save(path, "png")


@pytest.mark.parametrize(("spoil", "said"), [
    (other_size, "24 x 33"), (other_dtype, "uint8"), (cut_short, "cut short"),
    (empty, "it is empty"), (text, "not a readable TIFF"),
    (a_picture, "it is a PNG file"),
])
def test_one_bad_file_among_the_wells(tmp_path, spoil, said):
    """The other wells are written; the bad one is named; mended, the run goes on."""
    write_plate(tmp_path)
    bad = tmp_path / "A02_2.tif"
    good = bad.read_bytes()
    spoil(bad)
    given = (tmp_path / "A*.tif", "--pattern", "{well}_{channel}.tif")
    done = extract(tmp_path, *given, code=75)
    lines = [line for line in done.said.splitlines() if said in line]
    assert len(lines) == 1 and "A/02" in lines[0] + done.said
    assert [r["group"] for r in done.records] == ["A/01/0", "A/03/0"]
    assert not (tmp_path / "p.ome.zarr").exists()
    bad.write_bytes(good)
    extract(tmp_path, *given, "--resume")
    assert len(opening.groups(tmp_path / "p.ome.zarr")) == 3


def test_a_channel_without_its_file_is_told(tmp_path):
    write_plate(tmp_path)
    (tmp_path / "A02_2.tif").unlink()
    done = extract(tmp_path, tmp_path / "A*.tif", "--pattern", "{well}_{channel}.tif")
    assert "1 of 3 fields of view lack channels" in done.said
    assert "A/02/0 (no file for channel 2)" in done.said
    assert opened(tmp_path, "A/02/0").about.channels == ("1",)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
def test_a_cut_picture_among_others(tmp_path, suffix):
    for name in "ab":
        Pillow.fromarray(pixels((64, 64), np.uint8, 250)).save(tmp_path / f"{name}.{suffix}")
    cut_short(tmp_path / f"b.{suffix}")
    done = extract(tmp_path, tmp_path / f"*.{suffix}", code=75)
    assert f"b.{suffix}" in done.said and [r["group"] for r in done.records] == ["a"]
    extract(tmp_path, tmp_path / f"*.{suffix}", "--resume", "--partial-ok")
    assert opening.groups(tmp_path / "p.ome.zarr") == ["a"]


def test_a_tiff_named_png(tmp_path):
    """Pillow reads it by its first bytes; a wrong suffix costs nothing where that works."""
    values = pixels()
    tifffile.imwrite(tmp_path / "x.tif", values)
    (tmp_path / "x.tif").rename(tmp_path / "x.png")
    extract(tmp_path, tmp_path / "x.png")
    np.testing.assert_array_equal(opened(tmp_path).read()[0], values)
