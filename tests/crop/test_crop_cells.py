"""Crops hold the pixels and the masks that the table says, whatever the stores look like."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hand_made import call, files_of, write_images, write_labels

from libcell.crop.stores import fill
from libcell.crop.stores import store as building
from libcell.data import crops, images


def scene(shape, seed=0, boxes=((5, 9, 12, 10, 7), (40, 50, 9, 14, 1200), (0, 0, 6, 5, 3))):
    """Pixels (1,2,1,Y,X) uint16 and labels (1,1,Y,X) with gaps in the numbers."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((1, 1, *shape), np.uint32)
    for y, x, h, w, label in boxes:
        labels[0, 0, y : y + h, x : x + w] = label
    return rng.integers(1, 60000, (1, 2, 1, *shape)).astype(np.uint16), labels


@pytest.fixture
def plate(tmp_path):
    """Two wells; the second field has no object."""
    one, found = scene((61, 83))
    two = scene((61, 83), seed=1)[0]
    write_images(tmp_path / "p.ome.zarr", {"A/01/0": one, "A/02/0": two}, ("DNA", "GFP"))
    write_labels(tmp_path / "n.labels.ome.zarr",
                 {"A/01/0": {"nuclei": found}, "A/02/0": {"nuclei": np.zeros_like(found)}})
    return tmp_path, one, found


def crop(folder, *args, out="c.crops.zarr", code=0):
    return call("crop", "cells", folder / "n.labels.ome.zarr", "--images", folder / "p.ome.zarr",
                "-o", folder / out, *args, code=code)


def expected(pixels, labels, label, size):
    """Crop (C,H,W) and mask of an object, cut one pixel at a time."""
    ys, xs = np.nonzero(labels == label)
    top, left = (int(np.floor(v.mean() + 0.5)) - s // 2 for v, s in zip((ys, xs), size))
    made = np.zeros((len(pixels), *size), pixels.dtype)
    mask = np.zeros(size, bool)
    for i in range(size[0]):
        for j in range(size[1]):
            y, x = top + i, left + j
            if 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]:
                made[:, i, j] = pixels[:, y, x]
                mask[i, j] = labels[y, x] == label
    return made, mask


@pytest.mark.parametrize("size", [16, 17])
def test_pixels_and_masks_are_those_of_the_object(plate, size):
    folder, pixels, labels = plate
    made = crop(folder, "--size", size)
    assert made.records[-1]["n"] == 3
    store = crops.open_crops(folder / "c.crops.zarr")
    index = store.index()
    assert index.column("Metadata_Label").to_pylist() == [3, 7, 1200]
    got, masks = store.read(slice(0, 3))
    assert got.dtype == np.uint16 and store.channels == ("DNA", "GFP")
    for row, label in enumerate((3, 7, 1200)):
        want, mask = expected(pixels[0, :, 0], labels[0, 0], label, (size, size))
        np.testing.assert_array_equal(got[row], want)
        np.testing.assert_array_equal(masks[row], mask)
    assert index.column("touches_border").to_pylist() == [True, False, False]


def test_object_ids_are_those_of_the_features(plate):
    folder = plate[0]
    crop(folder)
    call("feat", "measure", folder / "n.labels.ome.zarr", "--images", folder / "p.ome.zarr",
         "-o", folder / "f.parquet")
    index = pq.read_table(folder / "c.crops.zarr" / "index.parquet")
    features = pq.read_table(folder / "f.parquet")
    for name in ("object_id", "Metadata_Label", "Metadata_Image", "Metadata_T"):
        assert index.column(name).equals(features.column(name)), name
    assert index.column("object_id")[0].as_py() == "A/01/0:t0:nuclei:3"
    np.testing.assert_allclose(features.column("Nuclei_AreaShape_Center_Y").to_numpy(),
                               index.column("y").to_numpy())


def test_channels_by_name_and_number_in_the_order_given(plate):
    folder = plate[0]
    crop(folder, "-c", "2,DNA", "--size", 8)
    store = crops.open_crops(folder / "c.crops.zarr")
    assert store.channels == ("GFP", "DNA")
    crop(folder, "--size", 8, out="all.crops.zarr")
    both = crops.open_crops(folder / "all.crops.zarr").read(slice(0, 3))[0]
    np.testing.assert_array_equal(store.read(slice(0, 3))[0], both[:, ::-1])
    assert "GGG" in crop(folder, "-c", "GGG", out="x.crops.zarr", code=65).said


def test_no_object_at_all(tmp_path):
    pixels, labels = scene((40, 40), boxes=())
    write_images(tmp_path / "p.ome.zarr", {"": pixels})
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": labels}})
    assert crop(tmp_path).records[-1]["n"] == 0
    store = crops.open_crops(tmp_path / "c.crops.zarr")
    assert store.crops.shape == (0, 2, 96, 96) and store.index().num_rows == 0


def test_border_objects_can_be_left_out(plate):
    crop(plate[0], "--skip-border")
    index = pq.read_table(plate[0] / "c.crops.zarr" / "index.parquet")
    assert index.column("Metadata_Label").to_pylist() == [7, 1200]


def test_frames_and_compartments(tmp_path):
    """T > 1, an empty frame between, a second compartment, an image without a group."""
    one, found = scene((50, 64))
    two = scene((50, 64), seed=2)[0]
    pixels = np.concatenate([one, two, two])
    labels = np.concatenate([found, np.zeros_like(found), found])
    write_images(tmp_path / "p.ome.zarr", {"": pixels})
    write_labels(tmp_path / "n.labels.ome.zarr",
                 {"": {"nuclei": np.zeros_like(labels), "cells": labels}})
    crop(tmp_path, "--compartment", "cells", "--size", 12)
    store = crops.open_crops(tmp_path / "c.crops.zarr")
    index = store.index()
    assert store.compartment == "cells" and set(
        index.column("Metadata_Compartment").to_pylist()) == {"cells"}
    assert index.column("Metadata_T").to_pylist() == [0] * 3 + [2] * 3
    last = expected(pixels[2, :, 0], labels[2, 0], 7, (12, 12))
    got, masks = store.read(slice(4, 5))
    np.testing.assert_array_equal(got[0], last[0])
    np.testing.assert_array_equal(masks[0], last[1])
    assert crop(tmp_path, "--compartment", "nuclei", out="n.crops.zarr").records[-1]["n"] == 0
    assert "no compartment 'cyto'" in crop(tmp_path, "--compartment", "cyto", out="y.crops.zarr",
                                           code=65).said


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8])
@pytest.mark.parametrize("pad", ["zero", "edge", "reflect"])
def test_dtype_is_kept(tmp_path, dtype, pad):
    pixels, labels = scene((30, 30), boxes=((2, 2, 5, 5, 9),))
    pixels = (pixels % 251 - (0 if dtype is np.uint8 else 125)).astype(dtype)
    write_images(tmp_path / "p.ome.zarr", {"": pixels})
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": labels}})
    crop(tmp_path, "--pad", pad, "--size", 20)
    got = crops.open_crops(tmp_path / "c.crops.zarr").read(slice(0, 1))[0][0]
    assert got.dtype == dtype
    mode = {"zero": "constant", "edge": "edge", "reflect": "reflect"}[pad]
    wide = np.pad(pixels[0, :, 0], [(0, 0), (20, 20), (20, 20)], mode=mode)
    np.testing.assert_array_equal(got, wide[:, 14:34, 14:34])


def test_several_stores_at_once(tmp_path):
    """Labels of two stores, one image store; two stores of the same group are refused."""
    pixels, labels = scene((50, 64))
    write_images(tmp_path / "p.ome.zarr", {"a": pixels, "b": pixels[:, ::-1]})
    for group in "ab":
        write_labels(tmp_path / f"{group}.labels.ome.zarr", {group: {"nuclei": labels}})
    done = call("crop", "cells", tmp_path / "b.labels.ome.zarr", tmp_path / "a.labels.ome.zarr",
                "--images", tmp_path / "p.ome.zarr", "--size", 8, "-o", tmp_path / "c.crops.zarr")
    assert done.records[-1]["n"] == 6
    store = crops.open_crops(tmp_path / "c.crops.zarr")
    assert store.index().column("Metadata_Image").to_pylist() == [*"bbbaaa"]
    got = store.read(slice(0, 6))[0]
    np.testing.assert_array_equal(got[:3], got[3:, ::-1])


def test_pixel_sizes_that_differ(tmp_path):
    pixels, labels = scene((50, 64))
    for um, group in ((0.5, "a"), (0.25, "b")):
        write_images(tmp_path / f"{group}.ome.zarr", {group: pixels},
                     pixel_size_um=(1.0, um, um))
        write_labels(tmp_path / f"{group}.labels.ome.zarr", {group: {"nuclei": labels}})
    call("crop", "cells", tmp_path / "b.labels.ome.zarr", "--images", tmp_path / "b.ome.zarr",
         "--size-um", 5, "-o", tmp_path / "c.crops.zarr")
    assert crops.open_crops(tmp_path / "c.crops.zarr").size_px == (20, 20)
    first = {"image": "a", "channels": ["1"], "dtype": "uint8", "pixel_size_um": [0.5, 0.5]}
    other = first | {"image": "b", "pixel_size_um": [0.25, 0.25]}
    with pytest.raises(ValueError, match="b: pixel size is"):
        building.common([(None, first), (None, other)])
    assert building.common([(None, first), (None, first)])[2] == (0.5, 0.5)


def test_pixel_size_in_um_without_one(plate):
    assert "pixel size is not known" in crop(plate[0], "--size-um", 9, code=65).said


@pytest.mark.parametrize("stop", ["before the arrays", "between the arrays", "between shards"])
def test_killed_between_phases_and_resumed(plate, monkeypatch, stop):
    """Shards of 16 crops; the run dies at a point of its own, and the result is the same."""
    folder, *_ = plate
    monkeypatch.setattr(crops, "SHARD_BYTES", 1)
    rng = np.random.default_rng(1)
    labels = np.zeros((1, 1, 61, 83), np.uint32)
    labels[0, 0, ::3, ::4] = rng.permutation(np.arange(1, 442)).reshape(21, 21)
    write_labels(folder / "m.labels.ome.zarr", {"A/01/0": {"nuclei": labels}})
    args = ("cells", folder / "m.labels.ome.zarr", "--images", folder / "p.ome.zarr",
            "--size", 9)
    call("crop", *args, "-o", folder / "whole" / "c.crops.zarr")

    class Killed(BaseException):
        pass

    calls = []

    def dying(real, at):
        def wrapped(*given, **more):
            calls.append(1)
            if len(calls) == at:
                raise Killed
            return real(*given, **more)
        return wrapped

    from libcell.data import arrays
    with monkeypatch.context() as patch, pytest.raises(Killed):
        if stop == "between shards":
            patch.setattr(crops, "shard", dying(crops.shard, 9))
        else:
            at = 1 if stop == "before the arrays" else 2
            patch.setattr(arrays, "create", dying(arrays.create, at))
        call("crop", *args, "-o", folder / "c.crops.zarr")
    call("crop", *args, "-o", folder / "c.crops.zarr", "--resume")
    assert files_of(folder / "c.crops.zarr") == files_of(folder / "whole" / "c.crops.zarr")


def test_a_bad_image_cannot_be_left_out_of_shards(plate, monkeypatch):
    """A shard that failed would stay black in a store that says it holds its objects."""
    folder, *_ = plate
    real = fill.fill_shard

    def failing(**args):
        if args["start"] == 0:
            raise OSError("the disk went away")
        return real(**args)

    monkeypatch.setattr(fill, "fill_shard", failing)
    done = crop(folder, "--partial-ok", code=75)
    assert "cannot go without" in done.said and not (folder / "c.crops.zarr").exists()
    monkeypatch.undo()
    assert crop(folder, "--resume").records[-1]["n"] == 3


def test_workers_leave_no_trace_and_provenance_no_path(plate):
    folder = plate[0]
    crop(folder, "-j", 1, out="one.crops.zarr")
    crop(folder, "-j", 2, out="two.crops.zarr")
    assert files_of(folder / "one.crops.zarr") == files_of(folder / "two.crops.zarr")
    for content in files_of(folder / "one.crops.zarr").values():
        assert str(folder).encode() not in content
    mark = json.loads((folder / "one.crops.zarr" / "zarr.json").read_text())["attributes"]
    assert mark["provenance"]["command"] == "cell-crop cells"
    assert [i["role"] for i in mark["provenance"]["inputs"]] == ["input", "images"]
    assert "workers" not in json.dumps(mark["provenance"])


def test_a_shard_reads_windows_and_not_the_whole_image(tmp_path, monkeypatch):
    """Labels in no order of place must not make one read of a whole, large image."""
    labels = np.zeros((1, 1, 3000, 64), np.uint32)
    labels[0, 0, 10:20, 10:20], labels[0, 0, 2900:2910, 10:20], labels[0, 0, 30:40, 40:50] = 2, 1, 3
    pixels = np.random.default_rng(0).integers(0, 99, (1, 1, 1, 3000, 64)).astype(np.uint8)
    write_images(tmp_path / "p.ome.zarr", {"": pixels})
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": labels}})
    reads = []
    real = images.ZarrImage.read

    def counted(self, **spans):
        reads.append(spans.get("y"))
        return real(self, **spans)

    monkeypatch.setattr(images.ZarrImage, "read", counted)
    crop(tmp_path, "--size", 8)
    widths = [y.stop - y.start for y in reads if y.start is not None]
    assert max(widths) <= 2048 and min(widths) < 100
    got = crops.open_crops(tmp_path / "c.crops.zarr").read(slice(0, 3))[0]
    for row, (y, x) in enumerate(((2901, 11), (11, 11), (31, 41))):
        np.testing.assert_array_equal(got[row, 0], pixels[0, 0, 0, y : y + 8, x : x + 8])


def test_a_zipped_store_is_read_as_a_folder_is(plate):
    folder = plate[0]
    crop(folder, "--size", 8)
    crop(folder, "--size", 8, out="z.crops.zarr.zip")
    one, other = (crops.open_crops(folder / n) for n in ("c.crops.zarr", "z.crops.zarr.zip"))
    assert one.index().equals(other.index())
    np.testing.assert_array_equal(one.read(slice(0, 3))[0], other.read(slice(0, 3))[0])
