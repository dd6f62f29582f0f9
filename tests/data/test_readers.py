"""Foreign files: what they hold, and one line for what is wrong with them."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from libcell.data.readers import open_file
from libcell.errors import DataError, MissingInput

RANDOM = np.random.default_rng(0)


def test_ome_tiff_names_its_channels_and_pixels(tmp_path):
    pixels = RANDOM.integers(0, 999, (3, 2, 40, 50)).astype(np.uint16)
    metadata = {"axes": "TCYX", "Channel": {"Name": ["DNA", "ER"]}, "PhysicalSizeX": 0.3,
                "PhysicalSizeY": 0.4, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(tmp_path / "x.ome.tif", pixels, metadata=metadata, tile=(16, 16))
    image = open_file(tmp_path / "x.ome.tif")[0]
    assert image.about.shape == (3, 2, 1, 40, 50)
    assert image.about.channels == ("DNA", "ER")
    assert image.about.pixel_size_um[1:] == pytest.approx((0.4, 0.3))
    np.testing.assert_array_equal(image.read(t=2, c=1)[0], pixels[2, 1])
    np.testing.assert_array_equal(image.read(y=slice(3, 30), x=slice(7, 9))[0],
                                  pixels[0, 0, 3:30, 7:9])


def test_imagej_hyperstack(tmp_path):
    pixels = RANDOM.integers(0, 255, (2, 3, 2, 20, 30)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", pixels, imagej=True, metadata={"axes": "TZCYX"})
    image = open_file(tmp_path / "x.tif")[0]
    assert image.about.shape == (2, 2, 3, 20, 30)
    np.testing.assert_array_equal(image.read(t=1, c=1), pixels[1, :, 1])


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd"])
def test_compressed_tiff(tmp_path, compression):
    pixels = RANDOM.integers(0, 255, (64, 80)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", pixels, compression=compression)
    np.testing.assert_array_equal(open_file(tmp_path / "x.tif")[0].read()[0], pixels)


def test_a_tiff_that_claims_more_strips_than_it_has(tmp_path):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.arange(64 * 40, dtype=np.uint16).reshape(64, 40), rowsperstrip=8,
                     compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["ImageLength"].overwrite(60_000)
    with pytest.raises(DataError, match="page 0 has 8 of 7500 strips or tiles"):
        open_file(path)


def test_cut_tiff_is_told_before_it_reads_as_zeros(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", RANDOM.integers(0, 255, (200, 200)).astype(np.uint16))
    whole = (tmp_path / "x.tif").read_bytes()
    (tmp_path / "x.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"x\.tif"):
        open_file(tmp_path / "x.tif")[0].read()


@pytest.mark.parametrize("name", ["x.tif", "x.png", "x.jpg"])
def test_garbage(tmp_path, name):
    (tmp_path / name).write_bytes(b"not a picture at all" * 10)
    with pytest.raises(DataError, match="not a readable"):
        open_file(tmp_path / name)


def test_unnamed_axes_are_not_guessed(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", np.zeros((3, 20, 20), np.uint8), photometric="minisblack")
    with pytest.raises(DataError, match="axes"):
        open_file(tmp_path / "x.tif")


@pytest.mark.parametrize(("mode", "channels"), [
    ("L", 1), ("RGB", 3), ("RGBA", 3), ("P", 3), ("LA", 1), ("I;16", 1), ("1", 1),
])
def test_pictures_of_any_kind(tmp_path, mode, channels):
    values = RANDOM.integers(0, 255, (12, 15, 3)).astype(np.uint8)
    picture = Image.fromarray(values)
    if mode == "I;16":
        picture = Image.fromarray(values[..., 0].astype(np.uint16) * 200)
    else:
        picture = picture.convert(mode)
    picture.save(tmp_path / "x.png")
    image = open_file(tmp_path / "x.png")[0]
    assert image.about.shape == (1, channels, 1, 12, 15)
    pixels = np.stack([image.read(c=c)[0] for c in range(channels)])
    assert pixels.dtype == image.about.dtype
    if mode in ("RGB", "RGBA"):
        np.testing.assert_array_equal(np.moveaxis(pixels, 0, -1), values)
    if mode == "I;16":
        np.testing.assert_array_equal(pixels[0], values[..., 0].astype(np.uint16) * 200)


def test_cut_png(tmp_path):
    Image.fromarray(RANDOM.integers(0, 255, (99, 99), dtype=np.uint8)).save(tmp_path / "x.png")
    whole = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"x\.png"):
        open_file(tmp_path / "x.png")[0].read()


def test_unknown_suffix_names_the_known_ones(tmp_path):
    (tmp_path / "x.xyz").write_text("")
    with pytest.raises(DataError, match=r"\.tif"):
        open_file(tmp_path / "x.xyz")


def test_missing_file(tmp_path):
    with pytest.raises(MissingInput, match="not found"):
        open_file(tmp_path / "x.tif")
