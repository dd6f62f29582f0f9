"""cell-extract labels and classes: what fits its image, what is told apart, what is refused."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from hand_made import call, files_of, write_images
from PIL import Image as Pillow

from libcell.data import crops, labels
from libcell.data.images import Source
from libcell.extract.kernels.centre import centred


def image(shape=(30, 40), channels=1):
    return np.random.default_rng(0).integers(0, 99, (1, channels, 1, *shape)).astype(np.uint16)


def masks(*found, shape=(30, 40)):
    made = np.zeros(shape, np.uint16)
    for i, label in enumerate(found):
        made[4:8, 2 + 6 * i : 6 + 6 * i] = label
    return made


# -- labels ------------------------------------------------------------------------------------


def extract(folder, *args, code=0):
    return call("extract", "labels", *args, "--like", folder / "p.ome.zarr", "-o",
                folder / "n.labels.ome.zarr", code=code)


def read(folder, group, compartment="nuclei", t=0):
    return labels.read_frame(Source(folder / "n.labels.ome.zarr", group), compartment, t)[0]


def test_masks_find_their_image_by_name(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"x_1": image(), "x_2": image()})
    tifffile.imwrite(tmp_path / "x_2.tif", masks(5, 900))
    tifffile.imwrite(tmp_path / "x_1.tif", masks())
    done = extract(tmp_path, tmp_path / "x_*.tif", "--compartment", "cells")
    assert [r["n"] for r in done.records] == [0, 2, 2]
    np.testing.assert_array_equal(read(tmp_path, "x_2", "cells"), masks(5, 900))
    assert not read(tmp_path, "x_1", "cells").any()


def test_masks_find_their_well_by_pattern(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"A/01/0": image(), "A/12/0": image()})
    tifffile.imwrite(tmp_path / "A12_mask.tif", masks(3))
    extract(tmp_path, tmp_path / "A12_mask.tif", "--pattern", "{well}_mask.tif")
    assert labels.fields(tmp_path / "n.labels.ome.zarr")[0] == ["A/12/0"]
    np.testing.assert_array_equal(read(tmp_path, "A/12/0"), masks(3))


@pytest.mark.parametrize(("mask", "said"), [
    (masks(shape=(30, 41)), "must be the same field of view"),
    (masks(3) + np.float32(0.5), "whole numbers"),
    (masks(3).astype(np.int16) - 1, "do not fit uint32"),
    (np.full((30, 40), np.nan, np.float32), "whole numbers"),
    (np.stack([masks(3)] * 3, -1).astype(np.uint8), "has 3 channels"),
])
def test_masks_that_are_none(tmp_path, mask, said):
    write_images(tmp_path / "p.ome.zarr", {"x": image()})
    tifffile.imwrite(tmp_path / "x.tif", mask)
    assert said in extract(tmp_path, tmp_path / "x.tif", code=65).said


def test_masks_without_an_image(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"a": image(), "b": image()})
    for name in "ac":
        tifffile.imwrite(tmp_path / f"{name}.tif", masks(1))
    done = extract(tmp_path, tmp_path / "a.tif", tmp_path / "c.tif", code=65)
    assert "no field of view for 1 of 2 masks, e.g. c" in done.said


def test_binary_masks_are_numbered(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"": image()})
    Pillow.fromarray(masks(1, 1, 1) > 0).save(tmp_path / "m.png")
    extract(tmp_path, tmp_path / "m.png", "--components")
    np.testing.assert_array_equal(read(tmp_path, ""), masks(1, 2, 3))


def test_names_that_differ_in_zeros_only(tmp_path):
    """`1` and `01` are two images; neither may take the other's mask."""
    write_images(tmp_path / "p.ome.zarr", {"1": image(), "01": image()})
    tifffile.imwrite(tmp_path / "1.tif", masks(7))
    tifffile.imwrite(tmp_path / "01.tif", masks(9))
    extract(tmp_path, tmp_path / "1.tif", tmp_path / "01.tif")
    assert read(tmp_path, "1").max() == 7 and read(tmp_path, "01").max() == 9


def test_several_images_in_one_file_of_masks(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"s/0": image(), "s/1": image()})
    with tifffile.TiffWriter(tmp_path / "s.tif") as file:
        file.write(masks(1))
        file.write(masks(2, 3, shape=(30, 40)).astype(np.uint8))
    other = tmp_path / "t.tif"
    tifffile.imwrite(other, masks(1))
    done = extract(tmp_path, tmp_path / "s.tif", other, code=None)
    assert "internal error" not in done.said and done.code == 65  # t has no image
    assert "e.g. t" in done.said
    write_images(tmp_path / "q.ome.zarr", {"0": image(), "1": image()})
    call("extract", "labels", tmp_path / "s.tif", "--like", tmp_path / "q.ome.zarr",
         "-o", tmp_path / "n.labels.ome.zarr")
    assert [read(tmp_path, g).max() for g in "01"] == [1, 3]


def test_frames(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"": np.concatenate([image(), image()])})
    for t in (1, 2):
        tifffile.imwrite(tmp_path / f"m{t}.tif", masks(t))
    extract(tmp_path, tmp_path / "m*.tif", "--pattern", "m{t}.tif")
    assert [read(tmp_path, "", t=t).max() for t in (0, 1)] == [1, 2]


def test_real_masks_of_mixed_sizes(shared, tmp_path):
    folder = shared("dsb2018_nuclei")
    some = sorted((folder / "labels").glob("*.tif"))[::8]
    pictures = [next((folder / "images").glob(f"{p.stem}.*")) for p in some]
    call("extract", "images", *pictures, "-o", tmp_path / "p.ome.zarr")
    done = extract(tmp_path, *some, "-j", 2)
    for path, record in zip(some, done.records):
        truth = tifffile.imread(path)
        assert record["n"] == len(np.unique(truth)) - 1
        np.testing.assert_array_equal(read(tmp_path, record["group"]), truth)


# -- classes -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(("a/1.png", "a/2.png", "b/10.png", "b/9.png")):
        path = tmp_path / "cells" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        size = (9 + i, 12 - i)
        Pillow.fromarray(np.full(size, 10 * (i + 1), np.uint8)).save(path)
    return tmp_path


def extract_classes(folder, *args, out="c.crops.zarr", code=0):
    return call("extract", "classes", folder / "cells", "-o", folder / out, *args, code=code)


def test_folders_become_classes(folder):
    extract_classes(folder)
    store = crops.open_crops(folder / "c.crops.zarr")
    index = store.index()
    assert index.column("Metadata_Class").to_pylist() == ["a", "a", "b", "b"]
    assert index.column("Metadata_Image").to_pylist() == ["a/1", "a/2", "b/9", "b/10"]
    assert store.size_px == (12, 12) and len(set(index.column("object_id").to_pylist())) == 4
    got, inside = store.read(slice(0, 4))
    for row, (value, size) in enumerate(((10, (9, 12)), (20, (10, 11)), (40, (12, 9)),
                                         (30, (11, 10)))):
        assert inside[row].sum() == size[0] * size[1]
        assert (got[row, 0][inside[row]] == value).all() and not got[row, 0][~inside[row]].any()


def test_the_middle_is_cut_out_of_larger_ones(folder):
    extract_classes(folder, "--size", 8)
    store = crops.open_crops(folder / "c.crops.zarr")
    assert store.read(slice(0, 4))[1].all()


def test_centred():
    made = centred(np.arange(1, 13).reshape(1, 3, 4), (5, 2))
    np.testing.assert_array_equal(made[0], [[0, 0], [2, 3], [6, 7], [10, 11], [0, 0]])


def index(folder, text):
    path = folder / "index.csv"
    path.write_text(text)
    return "--index", path


def test_index_columns_ride_along(folder):
    rows = "".join(f"{name},{i},P{i},{i / 2},b{i}\n" for i, name in enumerate(
        ("b/9.png", "b/10.png", "a/2.png", "a/1.png")))
    extract_classes(folder, *index(folder, "file,well,plate,dose,batch\n" + rows))
    found = pq.read_table(folder / "c.crops.zarr" / "index.parquet")
    assert found.column("Metadata_Well").to_pylist() == ["3", "2", "0", "1"]
    assert found.column("Metadata_Dose").to_pylist() == [1.5, 1.0, 0.0, 0.5]
    assert found.column("Metadata_Batch").to_pylist() == ["b3", "b2", "b0", "b1"]
    assert found.column("Metadata_Class").to_pylist() == ["a", "a", "b", "b"]


@pytest.mark.parametrize(("rows", "said"), [
    ("a/1.png\na/2.png\nb/9.png\n", "1 pictures have no row"),
    ("a/1.png\na/2.png\nb/9.png\nb/10.png\nb/11.png\n", "1 rows have no picture"),
    ("a/1.png\na/1.png\na/2.png\nb/9.png\nb/10.png\n", "stand in it twice"),
])
def test_an_index_that_does_not_match(folder, rows, said):
    assert said in extract_classes(folder, *index(folder, "file\n" + rows), code=65).said


def test_an_index_without_a_file_or_with_our_own_keys(folder):
    done = extract_classes(folder, *index(folder, "name\nx\n"), code=65)
    assert "no column `file`" in done.said
    names = ("a/1.png", "a/2.png", "b/9.png", "b/10.png")
    for column in ("image", "label", "compartment"):
        text = f"file,{column}\n" + "".join(f"{n},x\n" for n in names)
        done = extract_classes(folder, *index(folder, text), code=65)
        assert f"column {column!r}" in done.said, column


def test_pictures_of_the_same_name(folder):
    """Two folders, or two formats: what would be one object_id is told apart or refused."""
    other = folder / "more" / "a"
    other.mkdir(parents=True)
    Pillow.fromarray(np.ones((5, 5), np.uint8)).save(other / "1.png")
    call("extract", "classes", folder / "cells", folder / "more", "-o", folder / "c.crops.zarr")
    ids = crops.open_crops(folder / "c.crops.zarr").index().column("object_id").to_pylist()
    assert len(set(ids)) == 5
    Pillow.fromarray(np.ones((5, 5), np.uint8)).save(folder / "cells" / "a" / "1.bmp")
    done = extract_classes(folder, out="d.crops.zarr", code=65)
    assert "same name" in done.said


@pytest.mark.parametrize("content", [b"not a picture", None])
def test_a_bad_picture_can_be_left_out(folder, content):
    path = folder / "cells" / "a" / "2.png"
    noise = np.random.default_rng(0).integers(0, 255, (30, 30)).astype(np.uint8)
    Pillow.fromarray(noise).save(path)
    path.write_bytes(content if content is not None else path.read_bytes()[:500])
    done = extract_classes(folder, code=75)
    assert "2.png" in done.said
    extract_classes(folder, "--resume", "--partial-ok")
    store = crops.open_crops(folder / "c.crops.zarr")
    assert store.index().column("Metadata_Image").to_pylist() == ["a/1", "b/9", "b/10"]
    got, inside = store.read(slice(0, 3))
    assert [int(g[0][m].max()) for g, m in zip(got, inside)] == [10, 40, 30]


def test_pictures_of_other_kinds(folder):
    Pillow.fromarray(np.ones((5, 5, 3), np.uint8)).save(folder / "cells" / "a" / "3.png")
    assert "1 channels of uint8 and 3 channels" in extract_classes(folder, code=65).said


def test_real_classes(shared, tmp_path):
    """All 2438 crops in 16 classes; bytes do not depend on the workers."""
    cells = shared("mitocheck_nuclei")
    for out, workers in (("one", 1), ("two", 2)):
        done = call("extract", "classes", cells, "--index", cells / "index.csv", "-j", workers,
                    "-o", tmp_path / out / "c.crops.zarr")
    assert done.records[-1]["n"] == 2438
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    store = crops.open_crops(tmp_path / "one" / "c.crops.zarr")
    found = store.index()
    assert len(found.column("Metadata_Class").unique()) == 16
    assert store.size_px == (64, 64) and found.column("Metadata_Plate").null_count == 0
    assert len(found.column("object_id").unique()) == 2438
    text = (tmp_path / "one" / "c.crops.zarr" / "zarr.json").read_text()
    assert str(cells) not in text and json.loads(text)["attributes"]["n"] == 2438
