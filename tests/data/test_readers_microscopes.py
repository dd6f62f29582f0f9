"""ND2, CZI and LIF: axes, names and pixels as they were written, one plane at a time."""

import sys

import numpy as np
import pytest
from foreign_files import write_lif, write_nd2
from pylibCZIrw import czi

from libcell.data.images import Source
from libcell.data.open import image as open_image
from libcell.data.readers import open_file
from libcell.errors import DataError, Unavailable
from libcell.schema.validate import validate

RNG = np.random.default_rng(0)


def pixels(*shape, dtype=np.uint16):
    return RNG.integers(0, np.iinfo(dtype).max, shape).astype(dtype)


def whole(image):
    """(T,C,Z,Y,X) of an image, and its parts the same as cut out of the whole."""
    frames, channels, *_ = image.about.shape
    full = np.stack([np.stack([image.read(t, c) for c in range(channels)])
                     for t in range(frames)])
    part = image.read(frames - 1, channels - 1, slice(0, 1), slice(3, 9), slice(2, 7))
    np.testing.assert_array_equal(part, full[-1, -1, :1, 3:9, 2:7])
    assert full.shape == image.about.shape and full.dtype == image.about.dtype
    return full


CZI_MODES = {"raw": "uncompressed:", "zstd0": "zstd0:ExplicitLevel=3",
             "zstd1": "zstd1:ExplicitLevel=3;PreProcess=HiLoByteUnpack"}


def write_czi(path, scenes, mode="raw", tile=None):
    """`scenes`: (T,C,Z,Y,X) or (T,C,Z,Y,X,3), each a bit below the one before."""
    with czi.create_czi(str(path), compression_options=CZI_MODES[mode]) as file:
        for s, values in enumerate(scenes):
            for t, c, z in np.ndindex(values.shape[:3]):
                plane = values[t, c, z]
                plane = plane[..., None] if plane.ndim == 2 else plane[..., ::-1].copy()  # BGR
                step = tile or max(plane.shape)
                for y in range(0, plane.shape[0], step):
                    for x in range(0, plane.shape[1], step):
                        file.write(plane[y : y + step, x : x + step].copy(), scene=s,
                                   plane={"T": t, "C": c, "Z": z}, location=(x - 7, y + 500 * s))
        file.write_metadata(channel_names={0: "DNA", 1: "GFP"}, scale_x=0.65e-6, scale_y=0.7e-6,
                            scale_z=2e-6)
    return path


@pytest.mark.parametrize("mode", CZI_MODES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_czi(tmp_path, mode, dtype):
    values = pixels(2, 2, 3, 20, 31, dtype=dtype)
    (image,) = open_file(write_czi(tmp_path / "x.czi", [values], mode))
    np.testing.assert_array_equal(whole(image), values)
    assert image.about.channels == ("DNA", "GFP") and image.about.group == ""
    assert image.about.pixel_size_um == pytest.approx((2, 0.7, 0.65))


def test_czi_scenes_are_images_and_tiles_are_put_together(tmp_path):
    scenes = [pixels(1, 2, 1, 20, 31), pixels(1, 2, 1, 25, 17)]
    images = open_file(write_czi(tmp_path / "x.czi", scenes, "zstd1", tile=8))
    assert [i.about.group for i in images] == ["0", "1"]
    for image, values in zip(images, scenes):
        np.testing.assert_array_equal(whole(image), values)


def test_czi_window_decodes_no_tiles_beside_it(tmp_path):
    values = pixels(1, 1, 1, 40, 50)
    path = write_czi(tmp_path / "x.czi", [values], tile=10)
    (image,) = open_file(path)
    broken = min(image._tiles[0, 0, 0], key=lambda tile: (tile.y, tile.x))
    data = bytearray(path.read_bytes())
    data[broken.position : broken.position + 16] = bytes(16)
    data[broken.position + 32 : broken.position + 128] = bytes(96)
    path.write_bytes(data)
    window = image.read(y=slice(10, 33), x=slice(5, 44))
    np.testing.assert_array_equal(window[0], values[0, 0, 0, 10:33, 5:44])
    with pytest.raises(DataError, match="cannot be decoded"):
        image.read()


@pytest.mark.parametrize("mode", CZI_MODES)
def test_czi_colours(tmp_path, mode):
    values = pixels(1, 1, 2, 12, 15, 3, dtype=np.uint8)
    (image,) = open_file(write_czi(tmp_path / "x.czi", [values], mode))
    assert image.about.channels == ("R", "G", "B")
    np.testing.assert_array_equal(whole(image), np.moveaxis(values[:, 0], -1, 1))


def test_czi_plane_that_was_never_taken(tmp_path):
    path = tmp_path / "x.czi"
    with czi.create_czi(str(path)) as file:
        for t, z in [(0, 0), (0, 1), (1, 0)]:
            file.write(pixels(8, 9, 1), plane={"T": t, "C": 0, "Z": z})
    (image,) = open_file(path)
    assert image.read(0).shape == (2, 8, 9)
    with pytest.raises(DataError, match="no pixels of frame 1, channel 1, plane 1"):
        image.read(1)


def test_czi_channels_of_two_kinds_are_refused(tmp_path):
    with czi.create_czi(str(tmp_path / "x.czi")) as file:
        file.write(pixels(8, 9, 1), plane={"T": 0, "C": 0, "Z": 0})
        file.write(pixels(8, 9, 1, dtype=np.uint8), plane={"T": 0, "C": 1, "Z": 0})
    with pytest.raises(DataError, match="different kinds of pixels"):
        open_file(tmp_path / "x.czi")


def test_lif(tmp_path):
    stack, flat = pixels(2, 2, 3, 20, 31), pixels(12, 14, dtype=np.uint8)
    images = open_file(write_lif(tmp_path / "x.lif", [
        ("Series 1", "TCZYX", stack, ["Green", "Red"], 0.5), ("b", "YX", flat, ["Gray"], 0.25)]))
    assert [i.about.group for i in images] == ["0", "1"]
    np.testing.assert_array_equal(whole(images[0]), stack)
    np.testing.assert_array_equal(whole(images[1])[0, 0, 0], flat)
    assert images[0].about.channels == ("Green", "Red")
    assert images[0].about.name == "Series 1"
    assert images[0].about.pixel_size_um == pytest.approx((0.5, 0.5, 0.5))
    assert images[1].about.pixel_size_um == pytest.approx((1, 0.25, 0.25))


def test_lif_channels_of_one_colour_are_numbers(tmp_path):
    (image,) = open_file(write_lif(tmp_path / "x.lif", [
        ("s", "CYX", pixels(2, 12, 14), ["Gray", "Gray"], 1)]))
    assert image.about.channels == ("1", "2")


def test_lif_tiles_are_images(tmp_path):
    values = pixels(3, 12, 14)
    images = open_file(write_lif(tmp_path / "x.lif", [("s", "MYX", values, ["Gray"], 1)]))
    assert [i.about.group for i in images] == ["0_0", "0_1", "0_2"]
    for image, one in zip(images, values):
        np.testing.assert_array_equal(whole(image)[0, 0, 0], one)


def test_lif_colours(tmp_path):
    values = pixels(2, 12, 14, 3, dtype=np.uint8)
    (image,) = open_file(write_lif(tmp_path / "x.lif", [
        ("s", "TYXS", values, ["Red", "Green", "Blue"], 1)]))
    assert image.about.channels == ("R", "G", "B")
    np.testing.assert_array_equal(whole(image)[:, :, 0], np.moveaxis(values, -1, 1))


def test_nd2(tmp_path):
    values = pixels(2, 3, 4, 20, 31, 2)  # T,P,Z,Y,X,C
    images = open_file(write_nd2(tmp_path / "x.nd2", values, ["DAPI", "FITC"], um=0.4))
    assert [i.about.group for i in images] == ["0", "1", "2"]
    for p, image in enumerate(images):
        np.testing.assert_array_equal(whole(image), np.moveaxis(values[:, p], -1, 1))
    assert images[0].about.channels == ("DAPI", "FITC")
    assert images[0].about.pixel_size_um == pytest.approx((2, 0.4, 0.4))


def test_nd2_of_one_plane(tmp_path):
    values = pixels(1, 1, 1, 20, 31, 1, dtype=np.uint8)
    (image,) = open_file(write_nd2(tmp_path / "x.nd2", values, ["BF"]))
    np.testing.assert_array_equal(whole(image)[0, 0, 0], values[0, 0, 0, ..., 0])
    assert image.about.group == "" and image.about.pixel_size_um is None


def test_nd2_colours(tmp_path):
    values = pixels(2, 1, 1, 12, 15, 1, 3, dtype=np.uint8)
    stored = values[..., ::-1].copy()  # NIS-Elements writes blue first
    (image,) = open_file(write_nd2(tmp_path / "x.nd2", stored, ["Brightfield"]))
    assert image.about.channels == ("R", "G", "B")
    np.testing.assert_array_equal(whole(image)[:, :, 0], np.moveaxis(values[:, 0, 0, :, :, 0],
                                                                     -1, 1))


def test_nd2_that_stopped_early_is_told(tmp_path):
    values = pixels(3, 1, 1, 12, 15, 1)
    (image,) = open_file(write_nd2(tmp_path / "x.nd2", values, ["BF"], frames=2))
    np.testing.assert_array_equal(image.read(1)[0], values[1, 0, 0, ..., 0])
    with pytest.raises(DataError, match="no pixels of frame 2"):
        image.read(2)


def written(path):
    values = pixels(1, 2, 1, 40, 50)
    if path.suffix == ".czi":
        return write_czi(path, [values])
    if path.suffix == ".lif":
        return write_lif(path, [("s", "CYX", values[0, :, 0], ["Green", "Red"], 1)])
    return write_nd2(path, np.moveaxis(values, 1, -1)[:, None], ["a", "b"], um=0.4)


def test_lif_of_interleaved_channels_is_put_in_order(tmp_path):
    values = pixels(2, 3, 2, 12, 14)
    (image,) = open_file(write_lif(tmp_path / "x.lif", [("s", "TZCYX", values, ["a", "b"], 1)]))
    np.testing.assert_array_equal(whole(image), np.moveaxis(values, 1, 2))


def test_lif_of_other_axes_is_refused(tmp_path):
    path = write_lif(tmp_path / "x.lif", [("xz scan", "ZX", pixels(5, 9), ["Green"], 1)])
    with pytest.raises(DataError, match="series xz scan has axes Z5 X9"):
        open_file(path)


def test_nd2_of_version_1_is_refused(tmp_path):
    (tmp_path / "x.nd2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(300))
    with pytest.raises(DataError, match="JPEG 2000"):
        open_file(tmp_path / "x.nd2")


@pytest.mark.parametrize(("name", "channels"), [
    ("x.czi", ["DNA", "GFP"]), ("x.lif", ["Green", "Red"]), ("x.nd2", ["a", "b"]),
])
def test_extract_images_keeps_names_pixels_and_sizes(tmp_path, cell, name, channels):
    source, store = written(tmp_path / name), tmp_path / "x.ome.zarr"
    cell("extract", "images", source, "-o", store, cwd=tmp_path)
    made, (told,) = open_image(Source(store, "")), open_file(source)
    assert list(made.about.channels) == channels
    assert made.about.pixel_size_um == pytest.approx(told.about.pixel_size_um)
    np.testing.assert_array_equal(whole(made), whole(told))
    assert validate(store) == []


@pytest.mark.parametrize("name", ["x.czi", "x.lif", "x.nd2"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_cut_file_is_told(tmp_path, name, part):
    path = written(tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(DataError, match=r"x\.(czi|lif|nd2)"):
        for image in open_file(path):
            whole(image)


@pytest.mark.parametrize("name", ["x.czi", "x.lif", "x.nd2"])
@pytest.mark.parametrize("content", [b"", b"\x89PNG not what its name says" * 50])
def test_a_file_of_another_kind_is_told(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="not a readable"):
        open_file(tmp_path / name)


@pytest.mark.parametrize(("name", "package"), [
    ("x.czi", "czifile"), ("x.lif", "liffile"), ("x.nd2", "nd2"),
])
def test_a_missing_extra_names_itself(tmp_path, monkeypatch, name, package):
    (tmp_path / name).touch()
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"libcell.data.readers.{name[2:]}", raising=False)
    with pytest.raises(Unavailable, match=rf"pip install 'libcell\[{name[2:]}\]'"):
        open_file(tmp_path / name)
