"""cell-extract images: patterns, layouts, renaming, dtypes, bands, what cannot be one image."""

import json

import numpy as np
import pytest
import tifffile
from hand_made import call, files_of, write_images
from PIL import Image as Pillow

from libcell.data import images, layout
from libcell.data import open as opening
from libcell.data.images import Source
from libcell.extract import images as method
from libcell.simulate import simulate_plate, write_plate

PATTERN = "{well}_s{site}_{channel}.tif"


def pixels(seed=0, shape=(30, 41), dtype=np.uint16):
    return np.random.default_rng(seed).integers(0, 250, shape).astype(dtype)


def extract(folder, *args, out="p.ome.zarr", code=0):
    return call("extract", "images", *args, "-o", folder / out, code=code)


def opened(store, group=""):
    return opening.image(Source(store, group))


def test_a_simulated_plate_comes_in_whole(tmp_path):
    plate = simulate_plate(1, wells=4, sites=2, shape=(64, 80), n_cells=3)
    write_plate(tmp_path / "raw", plate)
    extract(tmp_path, tmp_path / "raw" / "images" / "*.tif", "--pattern", PATTERN,
            "--layout", tmp_path / "raw" / "layout.csv")
    store = tmp_path / "p.ome.zarr"
    assert len(opening.groups(store)) == 8
    for place, field in plate:
        row, column = place.well[0], place.well[1:]
        found = opened(store, f"{row}/{column}/{place.site}")
        order = [found.about.channel(c) for c in field.channels]
        for c, wanted in zip(order, field.image):
            np.testing.assert_array_equal(found.read(c=c)[0], wanted)
        assert found.about.metadata["Metadata_Well"] == place.well
        assert "Metadata_Compound" in found.about.metadata
        assert found.about.pixel_size_um[1:] == pytest.approx((field.pixel_size_um,) * 2)


def test_layout_values_of_every_type(tmp_path):
    tifffile.imwrite(tmp_path / "A01.tif", pixels())
    tifffile.imwrite(tmp_path / "A02.tif", pixels())
    (tmp_path / "l.csv").write_text(
        "Plate,Well,Dose,Count,Drug,Good,Seeded,Read\n"
        "X,A1,0.5,3,water,true,2024-01-05,2024-01-05 10:00:00\n"
        "X,A2,,,,,,\n")
    extract(tmp_path, tmp_path / "A*.tif", "--pattern", "{well}.tif", "--layout",
            tmp_path / "l.csv")
    one, two = (opened(tmp_path / "p.ome.zarr", f"A/{w}/0").about.metadata for w in ("01", "02"))
    assert one == {
        "Metadata_Plate": "X", "Metadata_Well": "A01", "Metadata_Site": None,
        "Metadata_Dose": 0.5, "Metadata_Count": 3, "Metadata_Drug": "water",
        "Metadata_Good": True, "Metadata_Seeded": "2024-01-05",
        "Metadata_Read": "2024-01-05 10:00:00"}
    assert [two[f"Metadata_{n}"] for n in ("Dose", "Count", "Good", "Seeded")] == [None] * 4


def test_numbers_that_json_has_not(tmp_path):
    (tmp_path / "l.csv").write_text("Well,Dose\nA1,nan\nA2,inf\n")
    found = layout.read(tmp_path / "l.csv")
    json.dumps(list(found.values()), allow_nan=False)


def test_a_layout_of_wrong_plate_or_with_a_well_too_few(tmp_path):
    for well in ("A01", "A02"):
        tifffile.imwrite(tmp_path / f"{well}.tif", pixels())
    given = (tmp_path / "A*.tif", "--pattern", "{well}.tif", "--layout", tmp_path / "l.csv")
    (tmp_path / "l.csv").write_text("Well,Dose\nB1,1\n")
    assert "has none of the wells" in extract(tmp_path, *given, code=65).said
    (tmp_path / "l.csv").write_text("Well,Dose\nA1,1\n")
    assert "has no row for 1 of 2" in extract(tmp_path, *given).said


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint32, np.float32])
def test_dtype_and_pixels_are_kept_on_every_level(tmp_path, dtype):
    top = 2**31 - 10 if np.dtype(dtype).itemsize == 4 and dtype is not np.float32 else 200
    values = np.full((600, 700), top, dtype)
    values[0, :3] = 5
    tifffile.imwrite(tmp_path / "x.tif", values)
    extract(tmp_path, tmp_path / "x.tif")
    found = opened(tmp_path / "p.ome.zarr")
    assert found.about.dtype == dtype
    np.testing.assert_array_equal(found.read()[0], values)
    small = images.open_root(tmp_path / "p.ome.zarr")["1"]
    assert small.dtype == dtype and small.shape[-2:] == (300, 350)
    assert small[0, 0, 0, 5, 5] == pytest.approx(top)


def test_values_that_are_no_number(tmp_path):
    """NaN and infinity stay in the pixels, and out of the metadata: JSON has neither."""
    values = pixels(dtype=np.float32)
    values[3, 3], values[4, 4], values[5, 5] = np.nan, np.inf, -np.inf
    for name, some in (("x", values), ("n", np.full((8, 8), np.nan, np.float32))):
        tifffile.imwrite(tmp_path / f"{name}.tif", some)
        extract(tmp_path, tmp_path / f"{name}.tif", out=f"{name}.ome.zarr")
        text = (tmp_path / f"{name}.ome.zarr" / "zarr.json").read_text()
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in zarr.json"))
        np.testing.assert_array_equal(opened(tmp_path / f"{name}.ome.zarr").read()[0], some)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "I;16"])
def test_pictures_of_every_mode(tmp_path, mode):
    picture = Pillow.fromarray(pixels(shape=(20, 24, 3), dtype=np.uint8))
    grey = Pillow.fromarray(pixels(shape=(20, 24)).astype(np.uint16))
    (grey if mode == "I;16" else picture.convert(mode)).save(tmp_path / "x.png")
    extract(tmp_path, tmp_path / "x.png")
    found = opened(tmp_path / "p.ome.zarr").about
    colour = mode in ("RGB", "RGBA", "P")
    assert found.channels == (("R", "G", "B") if colour else ("1",))
    assert found.dtype == (np.uint16 if mode == "I;16" else np.uint8)


def test_mixed_sizes_and_kinds_make_a_collection(shared, tmp_path):
    folder = shared("dsb2018_nuclei") / "images"
    some = sorted(folder.glob("*.png"))[::9]
    extract(tmp_path, *some)
    store = tmp_path / "p.ome.zarr"
    assert len(opening.groups(store)) == len(some)
    for path, group in zip(some, opening.groups(store)):
        with Pillow.open(path) as picture:
            assert opened(store, group).about.shape[3:] == picture.size[::-1]


def test_channels_frames_and_planes_by_pattern(tmp_path):
    for t, z, c in np.ndindex(2, 3, 2):
        tifffile.imwrite(tmp_path / f"f{t + 1}_z{z}_{'ab'[c]}.tif", pixels(t * 6 + z * 2 + c))
    extract(tmp_path, tmp_path / "f*.tif", "--pattern", "f{t}_z{z}_{channel}.tif",
            "--channel-names", "b=GFP")
    found = opened(tmp_path / "p.ome.zarr")
    assert found.about.shape == (2, 2, 3, 30, 41) and found.about.channels == ("a", "GFP")
    np.testing.assert_array_equal(found.read(t=1, c=1, z=slice(2, 3))[0], pixels(11))
    (tmp_path / "f2_z1_b.tif").unlink()
    assert "no file for t 2, channel b, z 1" in extract(
        tmp_path, tmp_path / "f*.tif", "--pattern", "f{t}_z{z}_{channel}.tif", out="q.ome.zarr",
        code=65).said


@pytest.mark.parametrize(("names", "said"), [
    ("DNA,DNA", "twice"), ("1=x,2=x", "twice"), ("1=2", "twice"), ("1=x,y", "found=name"),
    ("7=x", "'7' not found"), ("a,b,c", "3 names"),
])
def test_channel_names_that_do_not_work(tmp_path, names, said):
    tifffile.imwrite(tmp_path / "x.tif", pixels(shape=(2, 9, 9)), imagej=True,
                     metadata={"axes": "CYX"})
    done = extract(tmp_path, tmp_path / "x.tif", "--channel-names", names, code=None)
    assert done.code in (2, 65) and said in done.said


def test_bands_of_a_tall_image_make_what_one_block_makes(tmp_path, monkeypatch):
    """2 x 2048 rows and a remainder, odd sizes, killed between bands and resumed."""
    values = pixels(shape=(4501, 67))
    tifffile.imwrite(tmp_path / "x.tif", values, rowsperstrip=16)
    real, seen = method.write_band, []

    class Killed(BaseException):
        pass

    def dying(**args):
        seen.append(args["y0"])
        if len(seen) == 2:
            raise Killed
        return real(**args)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(method, "write_band", dying)
        extract(tmp_path, tmp_path / "x.tif")
    extract(tmp_path, tmp_path / "x.tif", "--resume")
    np.testing.assert_array_equal(opened(tmp_path / "p.ome.zarr").read()[0], values)
    extract(tmp_path, tmp_path / "x.tif", "-j", 2, out="whole/p.ome.zarr")
    assert files_of(tmp_path / "p.ome.zarr") == files_of(tmp_path / "whole" / "p.ome.zarr")
    small = images.open_root(tmp_path / "p.ome.zarr")["1"]
    assert small.shape[-2:] == (2251, 34)
    four = values[:4500, :66].astype(int).reshape(2250, 2, 33, 2).sum((1, 3))
    np.testing.assert_array_equal(small[0, 0, 0, :2250, :33], (four + 2) // 4)


def test_stores_come_in_again(tmp_path):
    """An image store is read as a file is: renamed channels, groups kept, several at once."""
    for name, groups in (("a", ["A/01/0", "A/02/0"]), ("b", ["B/01/0"])):
        write_images(tmp_path / f"{name}.ome.zarr",
                     {g: pixels(i)[None, None, None] for i, g in enumerate(groups)})
    extract(tmp_path, tmp_path / "a.ome.zarr", "--channel-names", "DNA")
    assert opening.groups(tmp_path / "p.ome.zarr") == ["A/01/0", "A/02/0"]
    extract(tmp_path, tmp_path / "a.ome.zarr", tmp_path / "b.ome.zarr", out="q.ome.zarr")
    assert opening.groups(tmp_path / "q.ome.zarr") == ["a/A/01/0", "a/A/02/0", "b/B/01/0"]
    np.testing.assert_array_equal(opened(tmp_path / "q.ome.zarr", "a/A/02/0").read()[0], pixels(1))


def test_files_of_one_name_in_two_folders_stay_apart(tmp_path):
    for i, folder in enumerate("ab"):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "x.tif", pixels(i))
    extract(tmp_path, tmp_path / "a" / "x.tif", tmp_path / "b" / "x.tif")
    groups = opening.groups(tmp_path / "p.ome.zarr")
    assert len(set(groups)) == 2
    np.testing.assert_array_equal(opened(tmp_path / "p.ome.zarr", groups[1]).read()[0], pixels(1))


def test_provenance_has_digests_and_no_path(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", pixels())
    extract(tmp_path, tmp_path / "x.tif", "--pixel-size", 0.5)
    root = json.loads((tmp_path / "p.ome.zarr" / "zarr.json").read_text())["attributes"]
    assert root["provenance"]["parameters"]["pixel_size"] == 0.5
    assert root["provenance"]["inputs"][0]["digest"].startswith("sha256:")
    assert str(tmp_path) not in json.dumps(root)
    assert opened(tmp_path / "p.ome.zarr").about.pixel_size_um == (1.0, 0.5, 0.5)


def test_the_real_plate(shared, tmp_path):
    folder = shared("sbs_plate96") / "images"
    wells = "Channel[12]-*-B-0[12].tif"
    extract(tmp_path, folder / wells, "--pattern", "Channel{channel}-{_}-{row}-{col}.tif")
    groups = opening.groups(tmp_path / "p.ome.zarr")
    assert len(groups) == 2
    about = opened(tmp_path / "p.ome.zarr", groups[0]).about
    assert about.shape == (1, 2, 1, 640, 640) and about.channels == ("1", "2")
