"""cell-segment threshold on stores: channels, frames, odd sizes, dtypes, tiles, the chain after."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from hand_made import call, files_of, write_images

from libcell.data import labels
from libcell.data.crops import open_crops
from libcell.data.images import Source
from libcell.segment.tiles import passes
from libcell.simulate import simulate_field


def disks(shape=(120, 140), seed=0, n=9, bright=3000.0):
    """Well apart disks of radius 8 on a noisy ground, float64 (Y,X), and how many there are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    made = rng.normal(200, 10, shape)
    places = [(20 + 40 * i, 20 + 40 * j) for i in range((shape[0] - 20) // 40 + 1)
              for j in range((shape[1] - 20) // 40 + 1)][:n]
    for cy, cx in places:
        made[(y - cy) ** 2 + (x - cx) ** 2 <= 64] += bright
    return made, len(places)


def segment(folder, *args, out="n.labels.ome.zarr", code=0, images="p.ome.zarr"):
    return call("segment", "threshold", folder / images, "-o", folder / out, *args, code=code)


def read(folder, group="", t=0, compartment="nuclei", out="n.labels.ome.zarr"):
    return labels.read_frame(Source(folder / out, group), compartment, t)[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_every_dtype_finds_the_same_objects(tmp_path, dtype):
    image, n = disks()
    image = (image - 300) / 10 if np.dtype(dtype).kind in "if" else image / 15
    write_images(tmp_path / "p.ome.zarr", {"": image[None, None, None].astype(dtype)})
    assert segment(tmp_path).records[-2]["n"] == n
    found = read(tmp_path)
    assert set(np.unique(found)) == set(range(n + 1))


def test_channel_by_name_and_number_and_compartment(tmp_path):
    image, _ = disks()
    both = np.stack([np.full_like(image, 5), image])[None, :, None].astype(np.uint16)
    write_images(tmp_path / "p.ome.zarr", {"": both}, ("GFP", "DNA"))
    segment(tmp_path, "-c", "2", "--compartment", "cells")
    segment(tmp_path, "-c", "DNA", out="m.labels.ome.zarr")
    np.testing.assert_array_equal(read(tmp_path, compartment="cells"),
                                  read(tmp_path, out="m.labels.ome.zarr"))
    assert segment(tmp_path, "-c", "GFP", out="g.labels.ome.zarr").records[-2]["n"] == 0
    assert "it has GFP, DNA" in segment(tmp_path, "-c", "3", out="x.labels.ome.zarr", code=65).said


@pytest.mark.parametrize("tile", [2048, 64])
def test_frames_an_empty_one_between(tmp_path, tile):
    image, n = disks()
    film = np.stack([image, np.full_like(image, 200), image[::-1]])[:, None, None]
    write_images(tmp_path / "p.ome.zarr", {"": film.astype(np.uint16)})
    assert segment(tmp_path, "--tile", tile).records[-2]["n"] == 2 * n
    assert [int(read(tmp_path, t=t).max()) for t in range(3)] == [n, 0, n]


@pytest.mark.parametrize("tile", [2048, 64])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_number_are_refused_by_name(tmp_path, tile, value):
    image, _ = disks()
    image[3, 3] = value
    write_images(tmp_path / "p.ome.zarr", {"": image[None, None, None].astype(np.float32)})
    done = segment(tmp_path, "--tile", tile, code=None)
    assert done.code == (65 if tile == 2048 else 75)  # of a large field other tiles were done
    assert not (tmp_path / "n.labels.ome.zarr").exists()
    assert "internal error" not in done.said and "p.ome.zarr" in done.said


@pytest.mark.parametrize("tile", [2048, 64])
def test_an_even_image_has_no_cells(tmp_path, tile):
    write_images(tmp_path / "p.ome.zarr", {"": np.full((1, 1, 1, 100, 90), 7, np.uint16)})
    assert segment(tmp_path, "--tile", tile).records[-2]["n"] == 0


def test_files_without_a_store(tmp_path):
    image, n = disks()
    tifffile.imwrite(tmp_path / "x.tif", image.astype(np.uint16))
    assert segment(tmp_path, images="x.tif").records[-2]["n"] == n


def test_odd_size_beyond_a_shard_through_segment_crop_feat(tmp_path):
    """2 x 2 shards with a remainder: every command sees the same objects in the same places."""
    field = simulate_field(4, shape=(300, 320), n_cells=20).image[0]
    wide = np.full((2301, 2151), np.median(field), np.uint16)
    corners = [(0, 0), (1900, 1831), (1990, 3), (5, 1820)]
    for y, x in corners:
        wide[y : y + 300, x : x + 320] = field
    write_images(tmp_path / "p.ome.zarr", {"": wide[None, None, None]})
    whole = segment(tmp_path, "--tile", 4096, out="w.labels.ome.zarr").records[-2]["n"]
    assert whole > 4 * 10
    done = segment(tmp_path, "-j", 2)
    assert done.records[-2]["n"] == whole
    found = read(tmp_path)
    np.testing.assert_array_equal(found, read(tmp_path, out="w.labels.ome.zarr"))
    assert set(np.unique(found)) == set(range(whole + 1))
    inputs = (tmp_path / "n.labels.ome.zarr", "--images", tmp_path / "p.ome.zarr")
    call("feat", "measure", *inputs, "--families", "shape,intensity", "-o", tmp_path / "f.parquet")
    call("crop", "cells", *inputs, "--size", 48, "-o", tmp_path / "c.crops.zarr")
    features = pq.read_table(tmp_path / "f.parquet")
    index = pq.read_table(tmp_path / "c.crops.zarr" / "index.parquet")
    assert features.num_rows == index.num_rows == whole
    assert features.column("object_id").equals(index.column("object_id"))
    np.testing.assert_array_equal(features.column("Nuclei_AreaShape_Area").to_numpy(),
                                  index.column("area_px").to_numpy())
    pixels, masks = open_crops(tmp_path / "c.crops.zarr").read(slice(0, whole))
    mean = features.column("Nuclei_Intensity_MeanIntensity_c1").to_numpy()
    held = np.flatnonzero(index.column("area_px").to_numpy() == masks.sum((1, 2)))
    assert len(held) > 0.7 * whole
    for row in held:
        assert pixels[row, 0][masks[row]].mean() == pytest.approx(mean[row])


def test_killed_in_the_tiles_and_resumed(tmp_path, monkeypatch):
    image, _ = disks((200, 210), n=99)
    film = np.stack([image, image[::-1]])[:, None, None].astype(np.uint16)
    write_images(tmp_path / "p.ome.zarr", {"": film})
    segment(tmp_path, "--tile", 64, out="whole/n.labels.ome.zarr")

    class Killed(BaseException):
        pass

    for phase, at in (("find_roots", 20), ("write_labels", 2), ("create_labels", 1)):
        real, seen = getattr(passes, phase), []

        def dying(real=real, seen=seen, at=at, **args):
            seen.append(1)
            if len(seen) == at:
                raise Killed
            return real(**args)

        out = f"{phase}/n.labels.ome.zarr"
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(passes, phase, dying)
            segment(tmp_path, "--tile", 64, out=out)
        segment(tmp_path, "--tile", 64, "--resume", out=out)
        assert files_of(tmp_path / phase) == files_of(tmp_path / "whole"), phase


def test_provenance_and_workers(tmp_path):
    image, _ = disks()
    write_images(tmp_path / "p.ome.zarr", {g: image[None, None, None].astype(np.uint16)
                                           for g in ("A/01/0", "A/02/0", "B/01/0")})
    for out, workers in (("one", 1), ("two", 2)):
        segment(tmp_path, "-j", workers, out=f"{out}/n.labels.ome.zarr")
    one = files_of(tmp_path / "one")
    assert one == files_of(tmp_path / "two")
    assert str(tmp_path).encode() not in b"".join(one.values())
    mark = json.loads(one["n.labels.ome.zarr/zarr.json"])["attributes"]["provenance"]
    assert "workers" not in mark["parameters"] and mark["parameters"]["method"] == "otsu"


def test_the_simulators_nuclei_are_found(tmp_path):
    field = simulate_field(2, shape=(400, 400), n_cells=30)
    write_images(tmp_path / "p.ome.zarr", {"": field.image[:1][None, :, None]}, ("DNA",))
    n = segment(tmp_path).records[-2]["n"]
    truth = len(np.unique(field.nuclei)) - 1
    assert abs(n - truth) <= 0.15 * truth
