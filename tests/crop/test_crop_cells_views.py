"""What cell-crop cells adds to pixels and mask: partners, depth, classes; on real nuclei too."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from hand_made import call, write_features, write_images, write_labels

from libcell.crop.stores import fill
from libcell.data import crops
from libcell.data.crop_reader import CropReader
from libcell.errors import DataError
from libcell.schema import validate


@pytest.fixture
def dish(tmp_path):
    """Nuclei 3 and 8 in cells 5 and 2, nucleus 4 in none; two wells with a dose."""
    rng = np.random.default_rng(0)
    nuclei, cells = np.zeros((2, 1, 1, 60, 70), np.uint32)
    cells[0, 0, 5:30, 5:40], cells[0, 0, 35:58, 30:69] = 5, 2
    nuclei[0, 0, 12:20, 10:22], nuclei[0, 0, 40:50, 40:52], nuclei[0, 0, 50:54, 5:9] = 3, 8, 4
    wells = {g: {"Metadata_Plate": "p", "Metadata_Well": w, "Metadata_Site": "0",
                 "Metadata_Dose": d}
             for g, w, d in (("A/01/0", "A01", 0.5), ("A/02/0", "A02", 2.0))}
    fields = {g: rng.integers(1, 999, (1, 2, 1, 60, 70)).astype(np.uint16) for g in wells}
    write_images(tmp_path / "p.ome.zarr", fields, ("DNA", "GFP"), wells)
    write_labels(tmp_path / "n.labels.ome.zarr",
                 {g: {"nuclei": nuclei, "cells": cells} for g in wells}, wells)
    return tmp_path, fields, nuclei[0, 0], cells[0, 0]


def crop(folder, *args, out="c.crops.zarr", code=0):
    return call("crop", "cells", folder / "n.labels.ome.zarr", "--images", folder / "p.ome.zarr",
                "-o", folder / out, *args, code=code)


def test_one_store_serves_every_region(dish):
    """The nucleus, the cell around it and the patch, cut and masked when they are read."""
    folder, fields, nuclei, cells = dish
    crop(folder, "--masks", "cells", "--size", 24)
    assert validate.validate(folder / "c.crops.zarr") == []
    index = crops.open_crops(folder / "c.crops.zarr").index()
    assert index.column("Metadata_Label_cells").to_pylist() == [5, None, 2] * 2
    assert index.column("Metadata_Dose").to_pylist() == [0.5] * 3 + [2.0] * 3
    y, x = (np.floor(index.column(n).to_numpy() + 0.5).astype(int) for n in "yx")
    for region, labels, found in (("nucleus", nuclei, (3, 4, 8)), ("cell", cells, (5, -1, 2)),
                                  ("nucleocentric", None, ())):
        reader = CropReader(folder / "c.crops.zarr", region, size=(16, 16))
        for got, mask, row in zip(*next(reader.in_order(9))):
            wide = np.pad(fields[("A/01/0", "A/02/0")[row // 3]][0, :, 0],
                          [(0, 0), (20, 20), (20, 20)])
            span = (slice(y[row] + 12, y[row] + 28), slice(x[row] + 12, x[row] + 28))
            want = wide[(slice(None), *span)]
            if labels is not None:
                inside = np.pad(labels.astype(int), 20)[span] == found[row % 3]
                np.testing.assert_array_equal(mask, inside)
                want = want * inside
            np.testing.assert_array_equal(got, want)


def test_masks_that_are_missing_are_named(dish):
    """By validation, and by whoever reads them."""
    folder = dish[0]
    crop(folder, "--masks", "cells", "--size", 8)
    shutil.rmtree(folder / "c.crops.zarr" / "masks_cells")
    faults = [v.fault for v in validate.validate(folder / "c.crops.zarr")]
    assert faults == ["array is missing"]
    with pytest.raises(DataError, match="holds no masks of 'cells'"):
        CropReader(folder / "c.crops.zarr", "cell")


def test_a_compartment_that_is_not_there(dish):
    assert "no compartment 'cyto'" in crop(dish[0], "--masks", "cyto", code=65).said


@pytest.mark.parametrize("listed", [False, True])
def test_classes_of_a_table_join_the_index(dish, listed):
    """`gate` writes classes into a feature table; objects that it does not have are null."""
    folder = dish[0]
    classes = [f"{w}{k}" for w in "ab" for k in range(1, 8)]
    write_features(folder / "f.parquet", {"Metadata_Class": classes}, wells=2, rows=7)
    crop(folder, "--table", folder / "f.parquet", *(["--listed"] if listed else []), "--size", 8)
    store = crops.open_crops(folder / "c.crops.zarr")
    classes = store.index().column("Metadata_Class").to_pylist()
    want = ["a3", "a4", None, "b3", "b4", None]  # label 8 is not in the table
    assert classes == [c for c in want if c or not listed]
    assert store.crops.shape[0] == len(classes)


def test_options_that_do_not_go_together(dish):
    assert "--listed: needs --table" in crop(dish[0], "--listed", code=2).said
    assert "--around: is for --depth centre" in crop(dish[0], "--around", 1, code=2).said
    assert "one plane" in crop(dish[0], "--around", 1, "--depth", "centre", code=65).said
    other = write_features(dish[0] / "other.parquet", {}, wells=1, rows=2)
    assert crop(dish[0], "--table", other, "--listed").records[-1]["n"] == 0


@pytest.fixture
def stack(tmp_path):
    """Six planes; object 2 lies in planes 1 to 3, object 1 in plane 5 alone."""
    pixels = np.random.default_rng(0).integers(1, 999, (2, 1, 6, 30, 30)).astype(np.uint16)
    labels = np.zeros((2, 6, 30, 30), np.uint32)
    labels[:, 1:4, 8:14, 8:14], labels[:, 5, 18:24, 16:24] = 2, 1
    write_images(tmp_path / "p.ome.zarr", {"": pixels}, ("DNA",))
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": labels}})
    return tmp_path, pixels, labels


@pytest.mark.parametrize("depth", ["max", "mean", "centre"])
def test_stacks(stack, depth):
    folder, pixels, labels = stack
    crop(folder, "--depth", depth, "--size", 10)
    store = crops.open_crops(folder / "c.crops.zarr")
    index = store.index()
    assert index.column("z").to_pylist() == [5, 2, 5, 2]
    assert index.column("area_px").to_pylist() == [48, 108] * 2
    got, masks = store.read(slice(0, 4))
    part = pixels[1, 0, 1:4, 6:16, 6:16]
    want = {"max": part.max(axis=0), "centre": part[1],
            "mean": np.floor(part.mean(axis=0) + 0.5)}[depth]
    np.testing.assert_array_equal(got[3, 0], want)
    np.testing.assert_array_equal(got[2, 0], pixels[1, 0, 5, 16:26, 15:25])
    np.testing.assert_array_equal(masks[3], labels[1, 2, 6:16, 6:16] == 2)


def test_planes_around_the_centre_are_channels(stack):
    folder, pixels, _ = stack
    crop(folder, "--depth", "centre", "--around", 1, "--size", 10)
    store = crops.open_crops(folder / "c.crops.zarr")
    assert store.channels == ("DNA_z-1", "DNA_z+0", "DNA_z+1")
    got = store.read(slice(0, 2))[0]
    np.testing.assert_array_equal(got[1], pixels[0, 0, 1:4, 6:16, 6:16])
    np.testing.assert_array_equal(got[0, :2], pixels[0, 0, 4:6, 16:26, 15:25])
    assert not got[0, 2].any()


def test_real_nuclei_have_the_ids_of_their_features(shared, tmp_path):
    """As many crops as labelled objects, in the order of the feature table."""
    folder = shared("fractal_omezarr")
    pixels = tifffile.imread(folder / "B03_mip_level1_czyx_squeezed_cyx.tif")[:, :400, :400]
    labels = tifffile.imread(folder / "B03_nuclei_labels_level1.tif").squeeze()[:400, :400]
    write_images(tmp_path / "p.ome.zarr", {"B/03/0": pixels[None, :, None]})
    write_labels(tmp_path / "n.labels.ome.zarr", {"B/03/0": {"nuclei": labels[None, None]}})
    made = crop(tmp_path, "--size", 96)
    call("feat", "measure", tmp_path / "n.labels.ome.zarr", "--images", tmp_path / "p.ome.zarr",
         "-o", tmp_path / "f.parquet")
    n = len(np.unique(labels)) - 1
    assert made.records[-1]["n"] == n > 300
    store = crops.open_crops(tmp_path / "c.crops.zarr")
    features = pq.read_table(tmp_path / "f.parquet", columns=["object_id"])
    assert store.index().column("object_id").equals(features.column("object_id"))
    got, masks = store.read(slice(0, n))
    assert got.shape == (n, 3, 96, 96) and got.dtype == np.uint16
    area = store.index().column("area_px").to_numpy()
    whole = area < 48 * 48
    assert (masks.sum(axis=(1, 2)) == area)[whole].all()


def test_provenance_names_the_table(dish):
    folder = dish[0]
    write_features(folder / "f.parquet", {})
    crop(folder, "--table", folder / "f.parquet")
    mark = json.loads((folder / "c.crops.zarr" / "zarr.json").read_text())["attributes"]
    assert [i["role"] for i in mark["provenance"]["inputs"]] == ["input", "images", "table"]


@pytest.mark.parametrize("way", ["windows are not held", "two rows at a time", "uncompressed"])
def test_how_crops_are_cut_and_packed_does_not_show(dish, monkeypatch, way):
    """Held windows, or one after the other; packed, or as they are: the same crops."""
    folder = dish[0]
    args = ("--masks", "cells", "--size", 24, "--pad", "reflect")
    crop(folder, *args)
    if way == "windows are not held":
        monkeypatch.setattr(fill, "HELD_BYTES", 1)
    elif way == "two rows at a time":
        monkeypatch.setattr(fill, "STEP", 2)
        monkeypatch.setattr(crops, "CHUNK", 2)
    crop(folder, *args, *(["--compression", "none"] if way == "uncompressed" else []),
         out="b.crops.zarr")
    one, other = (next(CropReader(folder / n, "cell").in_order(99))
                  for n in ("c.crops.zarr", "b.crops.zarr"))
    for ours, theirs in zip(one, other):
        np.testing.assert_array_equal(ours, theirs)
    store = crops.open_crops(folder / "b.crops.zarr")
    np.testing.assert_array_equal(store.read(slice(0, 6))[0],
                                  crops.open_crops(folder / "c.crops.zarr").read(slice(0, 6))[0])
    assert bool(store.crops.compressors) == (way != "uncompressed") and store.masks.compressors
