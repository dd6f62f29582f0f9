"""Image and label stores: what is written is read back, and other people's validators agree."""

import dataclasses
import warnings
from pathlib import Path

import dask.array
import numpy as np
import pytest
import yaozarrs
import zarr

from libcell.data import groups, image_store, images, labels, ngff
from libcell.data import open as opening
from libcell.data.image import About
from libcell.data.images import Source
from libcell.data.output import Output
from libcell.errors import DataError

PROVENANCE = {"command": "test", "version": "0", "parameters": {}, "inputs": []}
DIGEST = "sha256:" + "0" * 64


def about(group="", shape=(1, 2, 1, 60, 70), dtype=np.uint16):
    names = tuple(f"c{i}" for i in range(shape[1]))
    return About("x", group, "x", shape, np.dtype(dtype), names, (1.0, 0.5, 0.25))


def write_image(root: Path, fields, pixels):
    """A store of the given fields, written shard by shard."""
    groups.ensure(root)
    for field in fields:
        levels = image_store.create(root, field)
        for t, c in np.ndindex(field.shape[:2]):
            for y in range(0, field.shape[3], images.SHARD):
                for x in range(0, field.shape[4], images.SHARD):
                    part = pixels[t, c, :, y : y + images.SHARD, x : x + images.SHARD]
                    images.write_region(levels, t, c, y, x, part, mean=True)
        image_store.describe(root, field, [(0.0, 9.0)] * field.shape[1], {})
    image_store.seal(root, "x", [f.group for f in fields], [DIGEST], PROVENANCE)


def random(shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("shape", [(1, 1, 1, 5, 3), (2, 3, 1, 61, 77), (1, 2, 4, 33, 40),
                                   (1, 1, 1, 2100, 2500), (1, 1, 1, 1, 1)])
def test_pixels_come_back(tmp_path, shape, dtype):
    if dtype != np.uint16 and shape[-1] > 1000:
        pytest.skip("large shapes in one dtype only")
    pixels = random(shape, dtype)
    write_image(tmp_path / "x.ome.zarr", [about(shape=shape, dtype=dtype)], pixels)
    image = opening.image(Source(tmp_path / "x.ome.zarr", ""))
    assert image.about.shape == shape
    assert image.about.dtype == dtype
    assert image.about.pixel_size_um == (1.0, 0.5, 0.25)
    for t, c in np.ndindex(shape[:2]):
        np.testing.assert_array_equal(image.read(t=t, c=c), pixels[t, c])


def test_pyramid_halves_and_averages(tmp_path):
    shape = (1, 1, 1, 2051, 4099)
    pixels = random(shape)
    write_image(tmp_path / "x.ome.zarr", [about(shape=shape)], pixels)
    root = zarr.open_group(str(tmp_path / "x.ome.zarr"), mode="r")
    sizes = [root[str(k)].shape[-2:] for k in range(5)]
    assert sizes == [(2051, 4099), (1026, 2050), (513, 1025), (257, 513), (129, 257)]
    full = pixels[0, 0, 0].astype(np.uint32)
    expected = (full[0:2050:2, 0:4098:2] + full[1:2050:2, 0:4098:2] + full[0:2050:2, 1:4098:2]
                + full[1:2050:2, 1:4098:2] + 2) // 4
    np.testing.assert_array_equal(np.asarray(root["1"])[0, 0, 0, :1025, :2049], expected)


@pytest.mark.parametrize("names", [[""], ["A/01/0", "A/01/1", "B/02/0"], ["one", "two"]],
                         ids=["image", "plate", "collection"])
def test_other_validators_agree(tmp_path, names):
    from ome_zarr_models import open_ome_zarr

    path = tmp_path / "x.ome.zarr"
    fields = [about(n) for n in names]
    write_image(path, fields, random(fields[0].shape))
    yaozarrs.validate_zarr_store(str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that 0.5 plates carry no version of their own
        if names != ["one", "two"]:  # it does not detect collections
            open_ome_zarr(zarr.open_group(str(path), mode="r"))
        for name in names:
            open_ome_zarr(zarr.open_group(str(path / name), mode="r"))
    label_path = tmp_path / "n.labels.ome.zarr"
    for field in fields:
        link = labels.source_of(path, label_path)
        made = labels.create(label_path, field, ["nuclei"], link)
        images.write_region(made["nuclei"], 0, 0, 0, 0, np.ones((1, 60, 70), np.uint32), mean=False)
    labels.seal(label_path, names, ["nuclei"], [DIGEST], PROVENANCE)
    yaozarrs.validate_zarr_store(str(label_path))
    for name in names:
        # it reads a list of labels only where they are direct children, so one by one
        leaf = label_path / labels.label_path(name, "nuclei")
        open_ome_zarr(zarr.open_group(str(leaf), mode="r"))
        yaozarrs.validate_zarr_store(str(leaf))


def test_another_reader_opens_our_pixels(tmp_path):
    pixels = random((1, 2, 1, 60, 70))
    write_image(tmp_path / "x.ome.zarr", [about()], pixels)
    seen = dask.array.from_zarr(str(tmp_path / "x.ome.zarr" / "0"))
    np.testing.assert_array_equal(seen.compute(), pixels)


@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "tcyx", "tczyx"])
def test_ome_zarr_04_of_any_axes_is_read(tmp_path, axes):
    size = dict(zip("tczyx", (2, 3, 4, 20, 30)))
    pixels = random(tuple(size[a] for a in axes))
    root = zarr.open_group(str(tmp_path / "old.zarr"), zarr_format=2)
    root.create_array("0", data=pixels)
    kinds = {"t": "time", "c": "channel"}
    root.attrs["multiscales"] = [{
        "version": "0.4", "name": "old",
        "axes": [{"name": a, "type": kinds.get(a, "space")} for a in axes],
        "datasets": [{"path": "0", "coordinateTransformations": [
            {"type": "scale", "scale": [1.0] * len(axes)}]}],
    }]
    image = opening.image(Source(tmp_path / "old.zarr", ""))
    assert image.about.shape == tuple(size[a] if a in axes else 1 for a in "tczyx")
    index = tuple({"t": 1, "c": 2}.get(a, slice(None)) for a in axes)
    expected = pixels[index]
    found = image.read(t=1 if "t" in axes else 0, c=2 if "c" in axes else 0)
    np.testing.assert_array_equal(found, expected if "z" in axes else expected[None])


def test_axes_that_are_not_ours_are_refused():
    attributes = {"ome": {"multiscales": [{
        "axes": [{"name": "x"}, {"name": "q"}],
        "datasets": [{"path": "0", "coordinateTransformations": [{"scale": [1, 1]}]}]}]}}
    with pytest.raises(DataError, match="axes are x,q"):
        ngff.read_multiscale(attributes, "here")


def test_zip_is_read_like_a_folder(tmp_path):
    pixels = random((1, 2, 1, 60, 70))
    output = Output(tmp_path / "x.ome.zarr.zip")
    output.begin({})
    write_image(output.root, [about("A/01/0")], pixels)
    output.publish()
    assert opening.groups(tmp_path / "x.ome.zarr.zip") == ["A/01/0"]
    image = opening.image(Source(tmp_path / "x.ome.zarr.zip", "A/01/0"))
    np.testing.assert_array_equal(image.read(c=1), pixels[0, 1])


def test_labels_must_fit_their_image():
    small = dataclasses.replace(about(), shape=(1, 1, 1, 60, 71))
    with pytest.raises(DataError, match=r"1 x 1 x 60 x 71.*1 x 1 x 60 x 70"):
        labels.require_fit(small, about())
