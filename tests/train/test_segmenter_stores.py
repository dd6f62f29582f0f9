"""cell-train segmenter on stores: it learns simulated nuclei, resumes, says what is wrong."""

import json

import numpy as np
import pytest
from hand_made import call, files_of, write_images, write_labels

from libcell.data import labels
from libcell.data.images import Source
from libcell.simulate import simulate_field
from libcell.train.segmentation import fields

SMALL = ("--widths", "8,16,32", "--size", "96", "--batch", "4", "--lr", "1e-2", "--ema", "0.9")


def write(folder, name="d", seeds=(1, 2, 3), shape=(160, 160), cells=14):
    """Fields of simulated nuclei with their labels."""
    made = {f"f{s}": simulate_field(s, shape=shape, n_cells=cells) for s in seeds}
    write_images(folder / f"{name}.ome.zarr",
                 {g: f.image[:1][None, :, None] for g, f in made.items()}, ("DNA",))
    write_labels(folder / f"{name}.labels.ome.zarr",
                 {g: {"nuclei": f.nuclei[None, None]} for g, f in made.items()})
    return folder


def train(folder, *args, out="s.model", code=0):
    return call("train", "segmenter", folder / "d.ome.zarr", folder / "d.labels.ome.zarr",
                "-o", folder / out, *SMALL, *args, code=code)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with three fields of nuclei and a network that has learnt from them."""
    folder = write(tmp_path_factory.mktemp("segmenter"))
    train(folder, "--epochs", 5, "--crops", 120, "--validation", 0.34)
    return folder


def test_nuclei_that_were_not_seen_are_found(trained):
    """After so few steps the network finds them, but is not sure of it yet."""
    write(trained, "held", seeds=(11, 12))
    call("segment", "unet", trained / "held.ome.zarr", "-m", trained / "s.model",
         "-o", trained / "p.labels.ome.zarr", "--score", 0.5)
    done = call("segment", "score", trained / "p.labels.ome.zarr", "--truth",
                trained / "held.labels.ome.zarr", "-o", trained / "p.parquet")
    assert done.records[-1]["AP50"] > 0.6


def test_noise_alone_has_few_cells(trained):
    noise = np.random.default_rng(0).normal(300, 20, (1, 1, 1, 160, 160)).astype(np.uint16)
    write_images(trained / "noise.ome.zarr", {"": noise})
    done = call("segment", "unet", trained / "noise.ome.zarr", "-m", trained / "s.model",
                "-o", trained / "noise.labels.ome.zarr", "--score", 0.5)
    assert done.records[-2]["n"] <= 3


def test_the_card_says_what_the_network_takes(trained):
    card = json.loads((trained / "s.model" / "model.json").read_text())
    assert card["architecture"] == "folded-unet" and card["target"] == "nuclei"
    assert card["input"] == {"kind": "images", "channels": ["grey"], "pmin": 1.0, "pmax": 99.8,
                             "invert": "bright"}
    assert card["network"]["widths"] == [8, 16, 32] and card["network"]["ndim"] == 2
    assert 8 < card["diameter_px"] < 40 and 16 <= card["reach_px"] < 64
    assert 1 <= card["min_area_px"] < np.pi / 4 * card["diameter_px"] ** 2
    assert len(card["split"]["train"]) == 2 and len(card["split"]["validation"]) == 1
    assert set(card["metrics"]["validation"]) == {"loss", "cell", "direction", "dice"}
    assert (trained / "s.model" / "curves.parquet").is_file()


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path):
    write(tmp_path)
    for out, args in (("a/s.model", ()), ("b/s.model", ()), ("c/s.model", ("--seed", 1))):
        train(tmp_path, "--epochs", 1, "--crops", 8, *args, out=out)
    one = files_of(tmp_path / "a")
    assert one == files_of(tmp_path / "b")
    name = "s.model/model.safetensors"
    assert one[name] != files_of(tmp_path / "c")[name]


def test_killed_while_fields_are_prepared_and_resumed(tmp_path, monkeypatch):
    write(tmp_path)
    args = ("--epochs", 1, "--crops", 8)
    train(tmp_path, *args, out="whole/s.model")

    class Killed(BaseException):
        pass

    real, seen = fields.prepare, []

    def dying(**given):
        seen.append(1)
        if len(seen) == 2:
            raise Killed
        return real(**given)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(fields, "prepare", dying)
        train(tmp_path, *args, out="cut/s.model")
    train(tmp_path, *args, "--resume", out="cut/s.model")
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


@pytest.mark.slow
def test_stacks_are_learnt_as_stacks(tmp_path):
    """Flat balls in five planes."""
    z, y, x = np.mgrid[:5, :96, :96]
    truth = np.zeros((1, 5, 96, 96), np.uint32)
    for label, (cy, cx) in enumerate([(20, 20), (20, 70), (60, 30), (70, 75)], start=1):
        truth[0][((z - 2) * 3) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= 81] = label
    image = np.where(truth > 0, 900, 100) + np.random.default_rng(0).normal(0, 20, truth.shape)
    write_images(tmp_path / "d.ome.zarr", {"": image[:, None].astype(np.uint16)})
    write_labels(tmp_path / "d.labels.ome.zarr", {"": {"nuclei": truth}})
    train(tmp_path, "--epochs", 12, "--crops", 80, "--depth", 3, "--size", 64, "--widths", "8,16",
          "--validation", 0, "--swap", 0)
    done = call("segment", "unet", tmp_path / "d.ome.zarr", "-m", tmp_path / "s.model",
                "-o", tmp_path / "p.labels.ome.zarr")
    assert done.records[-2]["n"] == 4
    found = labels.read_frame(Source(tmp_path / "p.labels.ome.zarr", ""), "nuclei", 0)
    assert ((found > 0) == (truth[0] > 0)).mean() > 0.98


def test_what_is_missing_is_said_in_one_line(tmp_path):
    write(tmp_path)
    d, truth = tmp_path / "d.ome.zarr", tmp_path / "d.labels.ome.zarr"
    out = ("-o", tmp_path / "s.model", *SMALL)
    assert "without its label store" in call("train", "segmenter", d, *out, code=65).said
    assert "without its image store" in call("train", "segmenter", truth, *out, code=65).said
    assert "channel 'GFP' not found; it has DNA" in train(tmp_path, "-c", "GFP", code=65).said
    assert "no compartment 'cells'" in train(tmp_path, "--compartment", "cells", code=65).said
    assert "not a multiple of 8" in train(tmp_path, "--size", 100, code=2).said
    assert "--pmin 60 is not below" in train(tmp_path, "--pmin", 60, "--pmax", 50, code=2).said
    assert "CUDA" in train(tmp_path, "--device", "cuda:9", code=69).said
    write(tmp_path, "e", seeds=(7,))
    other = (d, tmp_path / "e.labels.ome.zarr")
    assert "no image store holds all of" in call("train", "segmenter", *other, *out, code=65).said


def test_labels_without_a_cell_are_nothing_to_learn_from(tmp_path):
    write_images(tmp_path / "d.ome.zarr", {"": np.ones((1, 1, 1, 64, 64), np.uint16)})
    write_labels(tmp_path / "d.labels.ome.zarr", {"": {"nuclei": np.zeros((1, 1, 64, 64), int)}})
    assert "holds no nuclei to learn from" in train(tmp_path, code=65).said


def test_several_stores_are_paired_by_name(tmp_path):
    for name in "ab":
        write(tmp_path, name, seeds=(1, 2))
    given = [tmp_path / f"{n}{s}" for n in "ab" for s in (".ome.zarr", ".labels.ome.zarr")]
    out = ("-o", tmp_path / "s.model", *SMALL, "--epochs", 1, "--crops", 8)
    assert call("train", "segmenter", *given, *out).records[-1]["n"] == 4
