"""cell-segment unet on stores: tiles, workers, channels, frames, stacks, inputs without cells."""

import json

import numpy as np
import pytest
import tifffile
import torch
from hand_made import call, files_of, write_images
from networks import write_model

from libcell.data import labels
from libcell.data.images import Source
from libcell.nn.segmenter.network import Segmenter, Shape
from libcell.nn.turns import TURNS
from libcell.run import cluster, workers
from libcell.segment.network import field, patches
from libcell.segment.network.model import load_network


def blobs(shape, seed=0):
    """Smooth random texture, uint16: every drawn network finds something in it."""
    rng = np.random.default_rng(seed)
    coarse = rng.random([n // 6 + 2 for n in shape[-2:]])
    fine = np.kron(coarse, np.ones((6, 6)))[: shape[-2], : shape[-1]]
    return (np.broadcast_to(fine, shape) * 900 + rng.random(shape) * 100 + 50).astype(np.uint16)


def segment(folder, *args, images="p.ome.zarr", out="n.labels.ome.zarr", code=0):
    """Drawn weights are sure of nothing, so objects of any score are kept."""
    return call("segment", "unet", folder / images, "-m", folder / "s.model",
                "-o", folder / out, "--score", 0, *args, code=code)


def read(folder, group="", t=0, compartment="nuclei", out="n.labels.ome.zarr"):
    return labels.read_frame(Source(folder / out, group), compartment, t)


def sealed(folder):
    """Every file of the output, and its root's metadata without what the tile size is part of."""
    found = files_of(folder)
    root = json.loads(found.pop("n.labels.ome.zarr/zarr.json"))["attributes"]
    del root["digest"]  # of parts: an image in one piece is one, in tiles several
    return found, root


@pytest.mark.parametrize("edge", [1024, 128])
def test_tiles_and_workers_change_no_byte(tmp_path, monkeypatch, edge):
    """One patch or more in each direction, several tiles in each patch and the other way round."""
    monkeypatch.setattr(patches, "EDGES", (edge,))
    write_model(tmp_path / "s.model")
    write_images(tmp_path / "p.ome.zarr", {"": blobs((1, 1, 1, 310, 290))})
    whole = segment(tmp_path, out="whole/n.labels.ome.zarr").records[-2]["n"]
    assert whole > 100
    for tile, width in ((64, 2), (256, 1)):
        out = f"{tile}/n.labels.ome.zarr"
        assert segment(tmp_path, "--tile", tile, "-j", width, out=out).records[-2]["n"] == whole
        assert sealed(tmp_path / str(tile)) == sealed(tmp_path / "whole")


def test_stacks_in_tiles(tmp_path):
    write_model(tmp_path / "s.model", Shape(ndim=3, widths=(4, 8)))
    write_images(tmp_path / "p.ome.zarr", {"": blobs((1, 1, 3, 150, 170))})
    n = segment(tmp_path, out="w.labels.ome.zarr").records[-2]["n"]
    assert n > 10
    segment(tmp_path, "--tile", 64)
    np.testing.assert_array_equal(read(tmp_path), read(tmp_path, out="w.labels.ome.zarr"))


def test_a_stack_for_a_network_of_planes_is_refused(tmp_path):
    write_model(tmp_path / "s.model")
    write_images(tmp_path / "p.ome.zarr", {"": blobs((1, 1, 3, 64, 64))})
    assert "3 planes" in segment(tmp_path, code=65).said


def test_grey_of_one_and_three_channels_in_one_collection(tmp_path):
    write_model(tmp_path / "s.model")
    one = blobs((1, 1, 1, 90, 100))
    write_images(tmp_path / "p.ome.zarr", {"a": one, "b": np.repeat(one, 3, axis=1)})
    segment(tmp_path)
    np.testing.assert_array_equal(read(tmp_path, "a"), read(tmp_path, "b"))
    write_images(tmp_path / "q.ome.zarr", {"": np.repeat(one, 2, axis=1)})
    said = segment(tmp_path, images="q.ome.zarr", out="q.labels.ome.zarr", code=65).said
    assert "grey is made of 1 or 3 channels; it has c1, c2" in said


def test_channels_by_name_in_the_models_order(tmp_path):
    write_model(tmp_path / "s.model", Shape(channels=2, widths=(4, 8)), channels=("DNA", "GFP"))
    both = np.concatenate([blobs((1, 1, 1, 80, 90), s) for s in (1, 2)], axis=1)
    write_images(tmp_path / "p.ome.zarr", {"": both}, ("DNA", "GFP"))
    write_images(tmp_path / "q.ome.zarr", {"": both[:, ::-1].copy()}, ("x", "y"))
    segment(tmp_path)
    segment(tmp_path, "-c", "y,x", images="q.ome.zarr", out="q.labels.ome.zarr")
    np.testing.assert_array_equal(read(tmp_path), read(tmp_path, out="q.labels.ome.zarr"))
    said = segment(tmp_path, images="q.ome.zarr", out="r.labels.ome.zarr", code=65).said
    assert "channel 'DNA' not found; it has x, y" in said
    said = segment(tmp_path, "-c", "DNA", out="r.labels.ome.zarr", code=65).said
    assert "wants 2 (DNA, GFP)" in said


@pytest.mark.parametrize("tile", [2048, 64])
@pytest.mark.parametrize("kind", ["dark", "saturated", "even"])
def test_images_without_contrast_have_no_cells(tmp_path, tile, kind):
    value = {"dark": 0, "saturated": 65535, "even": 77}[kind]
    write_model(tmp_path / "s.model")
    write_images(tmp_path / "p.ome.zarr", {"": np.full((1, 1, 1, 100, 90), value, np.uint16)})
    assert segment(tmp_path, "--tile", tile).records[-2]["n"] == 0
    assert not read(tmp_path).any()


def test_images_of_one_pixel_and_one_row(tmp_path):
    write_model(tmp_path / "s.model")
    fields = {"a": blobs((1, 1, 1, 1, 1)), "b": blobs((1, 1, 1, 1, 40)),
              "c": blobs((1, 1, 1, 33, 1))}
    write_images(tmp_path / "p.ome.zarr", fields)
    segment(tmp_path)
    assert read(tmp_path, "b").shape == (1, 1, 40)


def test_frames_floats_and_files(tmp_path):
    """The same picture as floats has the same cells within the width of a bin, in every frame."""
    write_model(tmp_path / "s.model")
    film = blobs((2, 1, 1, 70, 90))
    film[1] = film[0, ..., ::-1]
    write_images(tmp_path / "p.ome.zarr", {"": film.astype(np.float32) / 7})
    segment(tmp_path, "--tile", 64)
    segment(tmp_path, out="w.labels.ome.zarr")
    for t in range(2):
        np.testing.assert_array_equal(read(tmp_path, t=t),
                                      read(tmp_path, t=t, out="w.labels.ome.zarr"))
    assert read(tmp_path, t=1).any()
    tifffile.imwrite(tmp_path / "x.tif", film[0, 0, 0])
    segment(tmp_path, images="x.tif", out="x.labels.ome.zarr")
    assert read(tmp_path, out="x.labels.ome.zarr").any()


@pytest.mark.parametrize("tile", [2048, 64])
def test_values_that_are_no_number_are_refused_by_name(tmp_path, tile):
    write_model(tmp_path / "s.model")
    image = blobs((1, 1, 1, 100, 90)).astype(np.float32)
    image[..., 3, 3] = np.nan
    write_images(tmp_path / "p.ome.zarr", {"": image})
    done = segment(tmp_path, "--tile", tile, code=None)
    assert done.code in (65, 75) and "NaN" in done.said and "p.ome.zarr" in done.said
    assert not (tmp_path / "n.labels.ome.zarr").exists()


def test_turns_probability_size_and_border(tmp_path):
    write_model(tmp_path / "s.model")
    write_images(tmp_path / "p.ome.zarr", {"": blobs((1, 1, 1, 120, 130))})
    counts, areas = {}, np.zeros(0)
    for name, args in {"plain": (), "strict": ("--threshold", 0.7), "large": ("--min-area", 60),
                       "small": ("--max-area", 90), "inner": ("--clear-border",),
                       "sure": ("--score", 0.7),
                       "turned": ("--tta", "all"), "mirrored": ("--tta", "flips")}.items():
        out = f"{name}.labels.ome.zarr"
        counts[name] = segment(tmp_path, *args, out=out).records[-2]["n"]
        areas = np.bincount(read(tmp_path, out=out).ravel())[1:]
        assert areas.size == counts[name] and (areas > 0).all()
        assert areas.min(initial=999) >= (60 if name == "large" else 20)
        assert name != "small" or areas.max(initial=0) <= 90
    assert 0 < counts["sure"] < counts["plain"]
    assert 0 < counts["inner"] < counts["plain"] and counts["large"] < counts["plain"]
    edge = read(tmp_path, out="inner.labels.ome.zarr")[0]
    assert not any(e.any() for e in (edge[0], edge[-1], edge[:, 0], edge[:, -1]))
    strict = read(tmp_path, out="strict.labels.ome.zarr") > 0
    assert strict.sum() < (read(tmp_path, out="plain.labels.ome.zarr") > 0).sum()


def test_with_all_turns_a_turned_image_is_told_the_same_turned(tmp_path):
    """The mean over all turns knows no direction of its own."""
    network = load_network(write_model(tmp_path / "s.model"), "cpu")
    runner = patches.Runner(network, TURNS["all"])
    image = np.random.default_rng(0).random((1, 1, 96, 96)).astype(np.float32)

    def said(pixels):
        made = runner.predict(lambda rows, columns: pixels[:, :, rows, columns], (1, 96, 96), 0, 0)
        return made[0].astype(int), made[1:].view(np.int8).astype(int)

    probability, ways = said(image)
    turned, way = said(np.rot90(image, 1, (2, 3)).copy())
    assert np.ptp(probability) > 20
    assert np.abs(np.rot90(probability, 1, (1, 2)) - turned).max() <= 1
    y, x = np.rot90(ways, 1, (2, 3))
    assert np.abs(np.stack([-x, y]) - way)[:, turned > 30].max() <= 1


def test_models_of_another_kind_in_one_line(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"": blobs((1, 1, 1, 64, 64))})
    write_model(tmp_path / "s.model", architecture="random-forest")
    assert "random-forest; this needs folded-unet" in segment(tmp_path, code=65).said
    write_model(tmp_path / "s.model", network=Shape(widths=(4, 16)).to_card())
    assert "another network's" in segment(tmp_path, code=65).said
    write_model(tmp_path / "s.model", network={"ndim": 2})
    assert "its card lacks" in segment(tmp_path, code=65).said
    assert "not found" in call("segment", "unet", tmp_path / "p.ome.zarr", "-m", tmp_path / "no",
                               "-o", tmp_path / "x.labels.ome.zarr", code=66).said


def test_a_device_that_is_not_there(tmp_path):
    write_model(tmp_path / "s.model")
    write_images(tmp_path / "p.ome.zarr", {"": blobs((1, 1, 1, 64, 64))})
    assert "CUDA" in segment(tmp_path, "--device", "cuda:7", code=69).said


def test_killed_in_the_tiles_and_resumed(tmp_path, monkeypatch):
    write_model(tmp_path / "s.model")
    write_images(tmp_path / "p.ome.zarr", {"": blobs((2, 1, 1, 130, 150))})
    segment(tmp_path, "--tile", 64, out="whole/n.labels.ome.zarr")

    class Killed(BaseException):
        pass

    for phase, at in (("predict_patch", 2), ("find_roots", 4), ("measure_counts", 1)):
        real, seen = getattr(field, phase), []

        def dying(real=real, seen=seen, at=at, **args):
            seen.append(1)
            if len(seen) == at:
                raise Killed
            return real(**args)

        out = f"{phase}/n.labels.ome.zarr"
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(field, phase, dying)
            segment(tmp_path, "--tile", 64, out=out)
        segment(tmp_path, "--tile", 64, "--resume", out=out)
        assert files_of(tmp_path / phase) == files_of(tmp_path / "whole"), phase


def test_a_device_with_too_little_memory_gets_halves_and_it_is_said(tmp_path, monkeypatch):
    """What a full device raises, raised for large patches: nothing here can be filled for real."""
    write_model(tmp_path / "s.model")
    write_images(tmp_path / "p.ome.zarr", {"": blobs((1, 1, 1, 230, 290))})
    assert "memory" not in segment(tmp_path, out="w.labels.ome.zarr").said
    real = Segmenter.forward

    def full(self, image):
        if image.shape[-1] * image.shape[-2] > 160 * 200:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, image)

    monkeypatch.setattr(Segmenter, "forward", full)
    assert "too little memory for whole patches" in segment(tmp_path).said
    found = [read(tmp_path, out=f"{n}.labels.ome.zarr") > 0 for n in "nw"]
    assert (found[0] != found[1]).mean() < 1e-3


def test_what_blocks_are_told_can_be_sent_to_another_machine(tmp_path, monkeypatch):
    """Paths in it become absolute, however deep; everything else stays what it was."""
    write_model(tmp_path / "s.model")
    write_images(tmp_path / "p.ome.zarr", {"": blobs((1, 1, 1, 90, 100)).astype(np.float32)})
    real = workers.Inline.submit
    monkeypatch.setattr(workers.Inline, "submit", lambda self, function, args: real(
        self, function, cluster.absolute(args)))
    segment(tmp_path, "--tile", 64)
    assert read(tmp_path).any()
