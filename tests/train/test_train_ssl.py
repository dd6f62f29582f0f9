"""cell-train ssl on small crop stores: learns, watches, resumes, refuses, is read by others."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hand_made import call, files_of
from test_train_cnn import store

from libcell.data import models, tables
from libcell.data.crop_reader import CropReader
from libcell.errors import DataError
from libcell.nn import classifier

SMALL = ("--backbone", "test_resnet", "--batch", 32, "--size", 24, "--epochs", 2)
DINO = ("--method", "dino", "--method-options", "answers=64,hidden=32,bottleneck=16,warm=1",
        "--local-views", 2)
TOLD = ("--target", "Metadata_Class", "--group", "Metadata_Plate")


def teach(folder, *args, source="a.crops.zarr", out="x.model", code=0):
    return call("train", "ssl", folder / source, *SMALL, *args, "-o", folder / out, code=code)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A folder with a.crops.zarr and x.model, which learnt from it by dino."""
    folder = tmp_path_factory.mktemp("ssl")
    store(folder / "a.crops.zarr", n=160)
    said = teach(folder, *DINO, *TOLD, "--probe-every", 1)
    folder.joinpath("said.json").write_text(json.dumps([said.records, said.said]))
    return folder


def test_a_model_without_classes(taught):
    records, said = json.loads((taught / "said.json").read_text())
    assert records[-1]["schema"] == "model/1" and records[-1]["collapsed"] is False
    assert "epoch 2 of 2" in said and "collapsed" not in said
    card = models.load_card(taught / "x.model")
    assert card["classes"] == [] and card["target"] == ""
    assert card["architecture"] == "test_resnet+dino"
    assert card["input"]["kind"] == "crops" and card["input"]["size_px"] == [24, 24]
    assert card["training"]["options"]["answers"] == 64
    assert not card["collapse"]["collapsed"] and card["collapse"]["rank"] > 2
    assert card["probes"]["by"] == ["Metadata_Plate"] and card["probes"]["folds"] == 5
    for name in ("linear", "neighbours"):
        assert card["probes"][name] == records[-1][name] <= 1
        assert 0 < card["probes"]["untrained"][name] <= 1
    names = set(models.load_tensors(taught / "x.model"))
    assert all(n.startswith("backbone.") for n in names)
    assert str(taught) not in json.dumps(card)


def test_curves_and_their_picture(taught):
    found = pq.read_table(taught / "x.model" / "curves.parquet").to_pylist()
    by_part = {p: {r["metric"] for r in found if r["part"] == p} for p in ("train", "validation")}
    assert {"loss", "entropy", "kl", "information"} <= by_part["train"]
    assert by_part["validation"] == {"spread", "rank", "linear", "neighbours"}
    picture = (taught / "x.model" / "curves.svg").read_text()
    assert picture.startswith("<svg") and "linear, untrained" in picture
    assert picture.count("<g ") == 5


def test_embeddings_of_the_model(taught):
    """cell-feat embed gives what the backbone gives."""
    call("feat", "embed", taught / "a.crops.zarr", "-m", taught / "x.model", "-o",
         taught / "e.parquet")
    table = tables.read(taught / "e.parquet", "embeddings")
    names = [n for n in table.column_names if n.startswith("emb_")]
    card = models.load_card(taught / "x.model")
    backbone = classifier.restore_backbone(card, models.load_tensors(taught / "x.model"), "x")
    batch = next(CropReader(taught / "a.crops.zarr").in_order(160))
    with torch.no_grad():
        fed = classifier.prepare(batch.crops, batch.masks, card["input"], torch.device("cpu"))
        wanted = backbone(fed).numpy()
    found = np.column_stack([table[n].to_numpy() for n in names])
    assert found.shape == (160, 96) and (wanted.std(axis=0) > 0).mean() > 0.5
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_classifier_starts_from_it(taught):
    call("train", "cnn", taught / "a.crops.zarr", "--target", "Metadata_Class", "--backbone",
         "test_resnet", "--size", 24, "--epochs", 1, "--lr", 0, "--no-baselines", "--weights",
         taught / "x.model", "-o", taught / "c.model")
    first, second = (models.load_tensors(taught / n) for n in ("x.model", "c.model"))
    weights = [n for n in first if n.endswith("weight")]
    assert weights
    for name in weights:
        np.testing.assert_array_equal(first[name], second[name])


def test_it_tells_no_classes(taught):
    said = call("train", "predict", taught / "x.model", taught / "a.crops.zarr", "-o",
                taught / "p.parquet", code=65).said
    assert "learnt without classes" in said and len(said.splitlines()) == 1
    with pytest.raises(DataError, match="a backbone alone"):
        classifier.restore(models.load_card(taught / "x.model"), {}, "x.model")


def test_the_same_seed_the_same_bytes_and_classes_do_not_matter(taught, tmp_path):
    """The same model without --target: what is probed is never learnt from."""
    same = teach(taught, *DINO, *TOLD, "--probe-every", 1, out="y.model")
    assert same.code == 0
    assert files_of(taught / "y.model") == files_of(taught / "x.model")
    teach(taught, *DINO, out="z.model")
    name = models.WEIGHTS
    assert (taught / "z.model" / name).read_bytes() == (taught / "x.model" / name).read_bytes()
    assert "probes" not in models.load_card(taught / "z.model")
    assert (taught / "z.model" / "curves.svg").read_text().count("<g ") == 4


@pytest.mark.slow
def test_kill_9_and_resume(taught, tmp_path):
    """Killed within an epoch, taken up: teacher, centre and schedules are where they were."""
    args = [sys.executable, "-m", "cell_train", "ssl", taught / "a.crops.zarr", *SMALL, *DINO,
            *TOLD, "--probe-every", 1, "-j", 1, "-o", tmp_path / "x.model", "--resume"]
    process = subprocess.Popen([str(a) for a in args], stderr=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    folder = tmp_path / ".x.model.partial" / "parts" / "train"
    for _ in range(6000):
        if list(folder.glob("step-*.json")) or process.poll() is not None:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = teach(taught, *DINO, *TOLD, "--probe-every", 1, "--resume", out=tmp_path / "x.model")
    assert "going on at epoch" in done.said
    assert files_of(tmp_path / "x.model") == files_of(taught / "x.model")


@pytest.mark.slow
def test_torchrun_makes_one_model(taught, tmp_path):
    args = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m",
            "cell_train", "ssl", taught / "a.crops.zarr", *SMALL, *DINO, "-j", 1, "-o",
            tmp_path / "x.model"]
    done = subprocess.run([sys.executable, *map(str, args)], capture_output=True, text=True,
                          timeout=240, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["schema"] for line in done.stdout.splitlines()] == ["model/1"]
    assert done.stderr.count("epoch 1 of 2") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.model"]


def test_contrast_finds_shapes(tmp_path):
    """SimCLR on two stores, two channels of 16 bits and the mask: neighbours are of one shape,
    and views of a crop find each other."""
    for name in ("a", "b"):
        store(tmp_path / f"{name}.crops.zarr", n=120, seed=ord(name), dtype=np.uint16, channels=2)
    done = call("train", "ssl", tmp_path / "a.crops.zarr", tmp_path / "b.crops.zarr", *SMALL,
                "--epochs", 6, "--lr", 0.003, "--method", "simclr", "--area", "0.8,1", *TOLD,
                "--mask-channel", "--channel-dropout", 0.1, "-o", tmp_path / "x.model")
    card = models.load_card(tmp_path / "x.model")
    assert card["network"]["channels"] == 3 and card["split"]["rows"]["train"] == 240
    assert card["probes"]["neighbours"] > 0.9
    curves = pq.read_table(tmp_path / "x.model" / "curves.parquet").to_pylist()
    found = [r["value"] for r in curves if r["metric"] == "found"]
    assert found[-1] > 2 * found[0] and "linear" in done.records[-1]


@pytest.mark.slow
@pytest.mark.parametrize("args", [
    ("--method", "vicreg", "--region", "object", "--normalise", "crop", "--precision", "bf16"),
    ("--method", "dino", "--backbone", "test_vit", "--size", 32, "--accumulate", 2,
     "--method-options", "answers=64", "--rotate", 180, "--blur", 1),
])
def test_other_methods_backbones_and_views(tmp_path, args):
    store(tmp_path / "a.crops.zarr", n=80)
    done = teach(tmp_path, *args, "--epochs", 1)
    assert done.code == 0
    call("feat", "embed", tmp_path / "a.crops.zarr", "-m", tmp_path / "x.model", "-o",
         tmp_path / "e.parquet")


def test_a_collapse_is_said(tmp_path):
    """A teacher so warm that all answers have the same chance to it teaches nothing."""
    store(tmp_path / "a.crops.zarr", n=80)
    done = teach(tmp_path, *DINO[:2], "--method-options",
                 "answers=64,teacher=50,teacher_start=50", "--local-views", 0)
    assert done.records[-1]["collapsed"] is True
    assert "collapsed since epoch 1: the teacher gives every answer the same chance" in done.said
    found = models.load_card(tmp_path / "x.model")["collapse"]
    assert found["collapsed"] and found["since_epoch"] == 1 and "same chance" in found["why"]


# -- what cannot be learnt from --------------------------------------------------------------


def refused(folder, *args, code, **more):
    said = teach(folder, *args, code=code, **more).said
    assert len(said.splitlines()) == 1, said
    assert not list(folder.glob("*.model"))
    return said


def test_stores_that_cannot_be_learnt_from(tmp_path):
    store(tmp_path / "one.crops.zarr", n=1, plates=1)
    assert "1 crop(s)" in refused(tmp_path, source="one.crops.zarr", code=65)
    store(tmp_path / "none.crops.zarr", n=0)
    assert "0 crop(s)" in refused(tmp_path, source="none.crops.zarr", code=65)
    store(tmp_path / "flat.crops.zarr", n=12, change=lambda p, n: (p * 0 + 7, n))
    assert "one value only" in refused(tmp_path, source="flat.crops.zarr", code=65)

    def spoil(pixels, names):
        made = pixels.astype(np.float32)
        made[5, 0, 3, 3] = np.nan
        return made, names

    store(tmp_path / "nan.crops.zarr", n=12, change=spoil)
    assert "crop 5 holds NaN" in refused(tmp_path, source="nan.crops.zarr", code=65)
    store(tmp_path / "two.crops.zarr", n=12, channels=2)
    said = call("train", "ssl", tmp_path / "flat.crops.zarr", tmp_path / "two.crops.zarr",
                *SMALL, "-o", tmp_path / "x.model", code=65).said
    assert "channels are c1, c2, those of" in said and "--channels" in said


@pytest.mark.parametrize(("args", "said"), [
    (("--backbone", "vit_s", "--size", 8), "--size"),
    (("--backbone", "test_vit", "--size", 32, "--local-size", 9), "--local-size"),
    (("--batch", 1), "--batch 1"),
    (("--patience", 3), "--patience"),
    (("--method", "simclr", "--local-views", 2), "no use of small views"),
    (("--area", "0.9,0.5"), "--area"),
    (("--method-options", "heads=3"), "unknown option heads"),
    (("--method", "byol"), "--method byol: there is none; there are dino, simclr, vicreg"),
    (("--group", "Metadata_Plate"), "need a --target"),
])
def test_options_that_cannot_be(tmp_path, args, said):
    store(tmp_path / "a.crops.zarr", n=12)
    assert said in teach(tmp_path, *args, code=2).said


def test_fewer_crops_than_a_batch(tmp_path):
    """One step of all of them, and that is said; some crops of one value are said, too."""
    def blank(pixels, names):
        pixels[:2] = 9
        return pixels, names

    store(tmp_path / "a.crops.zarr", n=12, change=blank)
    done = teach(tmp_path, "--method", "simclr", "--epochs", 1)
    assert "--batch 32: there are 12 crops" in done.said
    assert "2 of 12 crops hold one value only" in done.said
    assert models.load_card(tmp_path / "x.model")["training"]["batch"] == 12
