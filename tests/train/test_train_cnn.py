"""cell-train cnn and predict on small crop stores: learns, resumes, refuses, goes to new plates."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_made import PROVENANCE, call, files_of

from libcell.data import crops, models, tables

CLASSES = ("bar", "dot", "ring")
SMALL = ("--backbone", "resnet10t", "--epochs", 4, "--batch", 24, "--lr", 0.003, "--size", 24,
         "--noise", 0, "--zoom", 0, "--shift", 0)


def shapes(n, seed, dtype=np.uint8, channels=1):
    """Crops (n,C,24,24) of bars, dots and rings in noise, their masks, and their classes (n,)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-12:12, -12:12] + 0.5
    r = np.hypot(y, x)
    drawn = np.stack([np.abs(x) < 2, r < 5, (r > 6) & (r < 9)])
    kind = np.arange(n) % 3
    full = np.iinfo(dtype).max
    one = drawn[kind] * 0.5 + rng.random((n, 24, 24)) * 0.3
    pixels = np.stack([one * (c + 1) / channels for c in range(channels)], axis=1)
    return (pixels * full).astype(dtype), np.repeat((r < 10)[None], n, 0), kind


def store(path, n=240, seed=0, plates=6, dtype=np.uint8, channels=1, change=None, columns=None):
    """A crop store in plates of equal size; `change(pixels, kind)` may spoil it."""
    pixels, masks, kind = shapes(n, seed, dtype, channels)
    names = np.array(CLASSES)[kind].tolist()
    if change:
        pixels, names = change(pixels, names)
    plate = [f"{path.stem[0]}{i * plates // n}" for i in range(n)]
    index = tables.from_columns("objects", {
        "object_id": [f"{path.stem}/{i}:t0:nuclei:1" for i in range(n)],
        "Metadata_Plate": plate, "Metadata_Well": [None] * n, "Metadata_Site": [None] * n,
        "Metadata_Image": [f"i{i}" for i in range(n)], "Metadata_T": [0] * n,
        "Metadata_Label": [1] * n, "Metadata_Compartment": ["nuclei"] * n,
        **{k: [12.0] * n for k in ("y", "x")}, **{k: [0] * n for k in ("y0", "x0")},
        **{k: [24] * n for k in ("y1", "x1")}, "area_px": [300] * n,
        "touches_border": [False] * n, "Metadata_Class": names, **(columns or {})})
    crops.create(path, n, channels, (24, 24), pixels.dtype)
    rows = crops.shard_rows(channels, 24, 24, pixels.dtype.itemsize)
    for start in range(0, n, rows):
        crops.write_shard(path, start, pixels[start : start + rows], masks[start : start + rows])
    tables.write_parts(path / "index.parquet", [index], index.schema, "objects", PROVENANCE)
    crops.seal(path, n=n, channels=[f"c{i + 1}" for i in range(channels)], compartment="nuclei",
               size=(24, 24), pixel_size_um=None, provenance=PROVENANCE)
    return path


def train(folder, *args, source="a.crops.zarr", out="c.model", code=0):
    return call("train", "cnn", folder / source, "--target", "Metadata_Class", *SMALL, *args,
                "-o", folder / out, code=code)


def predict(folder, *args, source="a.crops.zarr", out="p.parquet", code=0):
    return call("train", "predict", folder / "c.model", folder / source, "-o", folder / out,
                *args, code=code)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a.crops.zarr and the model c.model that learnt it."""
    folder = tmp_path_factory.mktemp("cnn")
    store(folder / "a.crops.zarr")
    folder.joinpath("said.json").write_text(json.dumps(train(folder).records))
    return folder


def test_it_learns_shapes(trained):
    last = json.loads((trained / "said.json").read_text())[-1]
    assert last["balanced_accuracy"] > 0.9 and last["schema"] == "model/1"
    card = models.load_card(trained / "c.model")
    assert card["classes"] == list(CLASSES)
    assert card["split"]["by"] == ["Metadata_Plate"] and card["split"]["leaks"] == 0
    parts = card["split"]["groups"]
    assert sum(len(p) for p in parts.values()) == 6 and all(parts.values())
    assert card["input"]["channels"] == ["c1"] and card["input"]["size_px"] == [24, 24]
    assert 0 < card["input"]["normalisation"]["mean"][0] < 255
    assert card["calibration"]["rows"] == card["split"]["rows"]["validation"]
    assert set(card["metrics"]) == {"validation", "test"}
    curves = pq.read_table(trained / "c.model" / "curves.parquet")
    assert set(curves["part"].to_pylist()) == {"train", "validation"}
    assert str(trained) not in json.dumps(card)


def test_what_is_predicted_is_what_the_card_says(trained):
    predict(trained)
    found = tables.read(trained / "p.parquet", "predictions")
    assert found.num_rows == 240
    card = models.load_card(trained / "c.model")
    done = call("train", "score", trained / "p.parquet", "-o", trained / "score")
    for name in ("balanced_accuracy", "macro_f1", "ece", "log_loss"):
        assert done.records[-1][name] == pytest.approx(card["metrics"]["test"][name], abs=1e-6)
    page = (trained / "score" / "scores.html").read_text()
    assert 0 <= done.records[-1]["batch_probe"]["balanced_accuracy"] <= 1
    assert "Reliability" in page and str(trained) not in page
    rows = [f"p_{c}" for c in CLASSES]
    total = sum(np.array(found[c]) for c in rows)
    np.testing.assert_allclose(total, 1, atol=1e-9)


def test_baselines_are_asked_about_the_same_crops(trained):
    predict(trained, out="b.parquet")
    found = pq.read_table(trained / "b.parquet")
    test = np.array(found["split"]) == "test"
    said = call("train", "score", trained / "b.parquet").records[-1]
    assert said["path"] is None
    for name in ("forest", "untrained"):
        right = np.array(found[f"baseline_{name}"])[test] == np.array(found["target"])[test]
        assert said[f"{name}_baseline"]["accuracy"] == pytest.approx(right.mean())
        assert right.mean() > 0.5, "shapes are simple"
    predict(trained, "--no-baselines", out="n.parquet")
    assert not [c for c in pq.read_table(trained / "n.parquet").column_names if "baseline" in c]
    call("train", "score", trained / "b.parquet", "-o", trained / "s")
    rows = pq.read_table(trained / "s" / "scores.parquet").to_pylist()
    metrics = {r["metric"] for r in rows if r["label"] is None and r["group"] is None}
    assert {"balanced_accuracy", "majority_accuracy", "forest_macro_f1",
            "balanced_accuracy_over_untrained"} <= metrics
    assert {r["group"] for r in rows if r["metric"] == "accuracy" and r["group"]}
    probe = models.load_card(trained / "c.model")["batch_probe"]
    assert 0 <= probe["balanced_accuracy"] <= 1 and probe["chance"] <= 0.5


def test_predictions_do_not_depend_on_workers_blocks_or_order_of_options(trained, monkeypatch):
    from libcell.train import predict as method

    predict(trained, out="one/p.parquet")
    monkeypatch.setattr(method, "CROPS", 128)  # batches stay the same
    predict(trained, "-j", 2, out="two/p.parquet")
    call("train", "predict", trained / "a.crops.zarr", "-m", trained / "c.model", "-o",
         trained / "three" / "p.parquet")
    one, two, three = (files_of(trained / n / "p.parquet") for n in ("one", "two", "three"))
    assert one == two == three


def test_a_second_store_of_new_plates(trained, tmp_path):
    """As it is: predicted, scored by plate, beside the baselines that the model brings along."""
    new = store(tmp_path / "n.crops.zarr", n=60, seed=7)
    predict(trained, source=new, out="new.parquet")
    found = pq.read_table(trained / "new.parquet")
    assert set(found["split"].to_pylist()) == {"new"}
    assert not set(found["Metadata_Plate"].to_pylist()) & set(
        crops.open_crops(trained / "a.crops.zarr").index()["Metadata_Plate"].to_pylist())
    done = call("train", "score", trained / "new.parquet", "-o", tmp_path / "score")
    last = done.records[-1]
    assert last["split"] == "new" and last["n"] == 60 and last["balanced_accuracy"] > 0.9
    assert {"macro_f1", "weighted_f1", "ece", "forest_baseline", "untrained_baseline"} <= set(last)
    assert (tmp_path / "score" / "scores.html").is_file()


def test_a_store_of_new_plates_with_other_classes_and_channels(trained, tmp_path):
    def spoil(pixels, names):
        return pixels[:, ::-1].copy(), ["cross" if n == "bar" else n for n in names]

    new = store(tmp_path / "n.crops.zarr", n=60, seed=5, change=spoil)
    call("train", "predict", trained / "c.model", new, "-o", tmp_path / "p.parquet")
    found = pq.read_table(tmp_path / "p.parquet")
    assert set(found["split"].to_pylist()) == {"new"}
    done = call("train", "score", tmp_path / "p.parquet", "-o", tmp_path / "score")
    assert 0.5 < done.records[-1]["accuracy"] < 0.7, "crosses are wrong, the rest is right"
    assert "never saw objects of class cross (20)" in done.said
    wide = store(tmp_path / "w.crops.zarr", n=12, channels=2)
    done = call("train", "predict", trained / "c.model", wide, "-o", tmp_path / "w.parquet")
    assert "the model does not look at c2" in done.said
    other = tmp_path / "x.crops.zarr"
    store(other, n=12)
    meta = json.loads((other / "zarr.json").read_text())
    meta["attributes"]["channels"] = ["GFP"]
    (other / "zarr.json").write_text(json.dumps(meta))
    said = call("train", "predict", trained / "c.model", other, "-o", tmp_path / "x.parquet",
                code=65).said
    assert "channel 'c1' not found; it has GFP" in said and len(said.splitlines()) == 1


def test_an_empty_store(trained, tmp_path):
    store(tmp_path / "e.crops.zarr", n=0)
    call("train", "predict", trained / "c.model", tmp_path / "e.crops.zarr", "-o",
         tmp_path / "p.parquet")
    found = tables.read(tmp_path / "p.parquet", "predictions")
    assert found.num_rows == 0 and "p_ring" in found.column_names
    assert len(train(tmp_path, source="e.crops.zarr", code=65).said.splitlines()) == 1


def test_the_same_seed_the_same_bytes(trained, tmp_path):
    call("train", "cnn", trained / "a.crops.zarr", "--target", "Metadata_Class", *SMALL,
         "-o", tmp_path / "c.model")
    assert files_of(tmp_path / "c.model") == files_of(trained / "c.model")


@pytest.mark.slow
def test_kill_9_and_resume(trained, tmp_path):
    """As a user: the command is killed within an epoch, and `--resume` ends with the same bytes."""
    args = [sys.executable, "-m", "cell_train", "cnn", trained / "a.crops.zarr", "--target",
            "Metadata_Class", *SMALL, "-j", 1, "-o", tmp_path / "c.model", "--resume"]
    slow = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([str(a) for a in args], env=slow, stderr=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    folder = tmp_path / ".c.model.partial" / "parts" / "train"
    for _ in range(2400):
        if list(folder.glob("step-*.json")) or process.poll() is not None:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "c.model").exists()
    done = call("train", "cnn", trained / "a.crops.zarr", "--target", "Metadata_Class", *SMALL,
                "-o", tmp_path / "c.model", "--resume")
    assert "continuing" in done.said and "going on at epoch" in done.said
    assert files_of(tmp_path / "c.model") == files_of(trained / "c.model")


@pytest.mark.slow
def test_torchrun_makes_one_model(trained, tmp_path):
    """Two processes, each with half of every batch; one of them writes and speaks."""
    args = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m",
            "cell_train", "cnn", trained / "a.crops.zarr", "--target", "Metadata_Class", *SMALL,
            "--no-baselines", "-j", 1, "-o", tmp_path / "c.model"]
    done = subprocess.run([sys.executable, *map(str, args)], capture_output=True, text=True,
                          timeout=240, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["schema"] for line in done.stdout.splitlines()] == ["model/1"]
    assert done.stderr.count("epoch 1 of 4") == 1
    assert json.loads(done.stdout)["balanced_accuracy"] > 0.9
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.model"]


@pytest.mark.slow
def test_heads_masks_channels_sampling_and_mixup(tmp_path):
    store(tmp_path / "a.crops.zarr", dtype=np.uint16, channels=3)
    done = train(tmp_path, "--head", "mlp", "--head-options", "hidden=32", "--mask-channel",
                 "--channels", "c3,c1", "--balance", "sampling", "--mixup", 0.2,
                 "--label-smoothing", 0.1, "--region", "object", "--window", 20, "--size", 24,
                 "--normalise", "range", "--precision", "bf16", "--ema", 0.9, "--clip", 1)
    assert done.records[-1]["balanced_accuracy"] > 0.6
    card = models.load_card(tmp_path / "c.model")
    assert card["input"]["channels"] == ["c3", "c1"] and card["network"]["channels"] == 3
    assert card["input"]["normalisation"] == {"kind": "range", "full": 65535.0}
    assert card["input"]["window_px"] == [20, 20]
    predict(tmp_path)
    start = train(tmp_path, "--weights", tmp_path / "c.model", "--epochs", 1, "--lr", 0,
                  "--channels", "c3,c1", "--mask-channel", out="w.model")
    assert "epoch 1 of 1" in start.said
    first, second = (models.load_tensors(tmp_path / n) for n in ("c.model", "w.model"))
    key = "backbone.conv1.0.weight"
    np.testing.assert_array_equal(first[key], second[key])


def test_presets_are_defaults_that_options_win_over(tmp_path):
    store(tmp_path / "a.crops.zarr", n=60)
    done = call("train", "cnn", tmp_path / "a.crops.zarr", "--target", "Metadata_Class",
                "--preset", "nucleocentric", "--backbone", "resnet10t", "--epochs", 1,
                "--size", 24, "-o", tmp_path / "c.model")
    assert done.code == 0
    card = models.load_card(tmp_path / "c.model")
    found = card["provenance"]["parameters"]
    assert found["optimizer"] == "adam" and found["weight_decay"] == 1e-4
    assert found["epochs"] == 1 and found["backbone"] == "resnet10t"
    assert card["input"]["normalisation"]["kind"] == "crop"
    done = call("train", "cnn", tmp_path / "a.crops.zarr", "--target", "x", "--preset", "none",
                "-o", tmp_path / "d.model", code=2)
    assert "--preset" in done.said


def test_a_split_that_comes_with_the_data(tmp_path):
    part = ["train", "train", "train", "test", "validation", "train"]
    told = [part[i // 40] for i in range(240)]
    store(tmp_path / "a.crops.zarr", columns={"Metadata_Part": told})
    train(tmp_path, "--split", "Metadata_Part", "--epochs", 1)
    card = models.load_card(tmp_path / "c.model")
    assert card["split"]["rows"] == {"train": 160, "validation": 40, "test": 40}
    torn = ["train" if i % 2 else "test" for i in range(240)]
    store(tmp_path / "b.crops.zarr", columns={"Metadata_Part": torn})
    said = train(tmp_path, "--split", "Metadata_Part", source="b.crops.zarr", out="d.model",
                 code=65).said
    assert "6 leaks" in said and "group b0 is in test and train" in said and "--allow-leaks" in said
    done = train(tmp_path, "--split", "Metadata_Part", "--allow-leaks", "--epochs", 1,
                 source="b.crops.zarr", out="d.model")
    assert "group b0 is in test and train" in done.said
    odd = ["train"] * 239 + ["held"]
    store(tmp_path / "o.crops.zarr", columns={"Metadata_Part": odd})
    assert "holds held" in train(tmp_path, "--split", "Metadata_Part", source="o.crops.zarr",
                                 out="o.model", code=65).said


def test_equal_crops_in_two_parts(tmp_path):
    def twins(pixels, names):
        pixels[200] = pixels[2]
        return pixels, names

    part = ["test" if i >= 200 else "train" for i in range(240)]
    store(tmp_path / "a.crops.zarr", change=twins, columns={"Metadata_Part": part})
    said = train(tmp_path, "--split", "Metadata_Part", code=65).said
    assert "1 leaks" in said and "duplicate rows" in said


@pytest.mark.parametrize(("change", "said"), [
    (lambda p, n: (p, ["a"] * len(n)), "only one class, a;"),
    (lambda p, n: (p, ["rare" if i == 3 else "a" for i in range(len(n))]),
     "in one group only, so it cannot be held out: class rare (group a0)"),
    (lambda p, n: (p, [None] * len(n)), "no row has a value"),
    (lambda p, n: (_with_nan(p), n), "crop 100 holds NaN"),
])
def test_what_cannot_be_learnt(tmp_path, change, said):
    store(tmp_path / "a.crops.zarr", change=change)
    done = train(tmp_path, code=65)
    assert said in done.said and len(done.said.splitlines()) == 1
    assert not list(tmp_path.glob("*.model"))


def _with_nan(pixels):
    made = pixels.astype(np.float32)
    made[100, 0, 3, 3] = np.nan
    return made


def test_pixels_that_are_no_numbers_are_not_predicted(trained, tmp_path):
    store(tmp_path / "n.crops.zarr", n=120, change=lambda p, n: (_with_nan(p), n))
    said = call("train", "predict", trained / "c.model", tmp_path / "n.crops.zarr", "-o",
                tmp_path / "p.parquet", code=65).said
    assert "crop 100 holds NaN" in said


@pytest.mark.parametrize(("args", "code", "said"), [
    (("--backbone", "resnet19"), 2, "--backbone resnet19"),
    (("--head", "nope"), 2, "--head nope"),
    (("--head-options", "hidden"), 2, "expected name=value"),
    (("--head", "mlp:none.txt"), 66, "not found"),
    (("--channels", "GFP"), 65, "channel 'GFP' not found; it has c1"),
    (("--window", 40), 65, "24 x 24 px"),
    (("--region", "cell"), 65, "'cells'"),
    (("--group", "Metadata_Nope"), 65, "'Metadata_Nope': no such column"),
    (("--folds", 5, "--fold", 5), 2, "--fold 5: there are 5 folds"),
    (("--fractions", "0.5,0.5"), 2, "three numbers"),
    (("--weights", "bad.pt"), 65, "bad.pt"),
    (("--device", "cuda:7"), 69, "cuda"),
    (("--lr", 1e30, "--clip", 1e30), 65, "the loss is no number"),
])
def test_options_that_do_not_work(tmp_path, monkeypatch, args, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pt").write_bytes(b"not weights")
    store(tmp_path / "a.crops.zarr", n=120)
    done = train(tmp_path, *args, code=code)
    assert said in done.said.splitlines()[-1]
    assert not (tmp_path / "c.model").exists()


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    (tmp_path / "w.pth").write_bytes(pickle.dumps({"state_dict": Evil()}))
    store(tmp_path / "a.crops.zarr", n=120)
    assert "w.pth" in train(tmp_path, "--weights", tmp_path / "w.pth", code=65).said
    assert not (tmp_path / "ran").exists()


def test_a_model_whose_weights_are_not_its_cards(trained, tmp_path):
    import shutil

    shutil.copytree(trained / "c.model", tmp_path / "c.model")
    card = json.loads((tmp_path / "c.model" / "model.json").read_text())
    card["network"]["backbone"] = "resnet18"
    (tmp_path / "c.model" / "model.json").write_text(json.dumps(card))
    said = call("train", "predict", tmp_path / "c.model", trained / "a.crops.zarr", "-o",
                tmp_path / "p.parquet", code=65).said
    assert "its weights are not of the network" in said and len(said.splitlines()) <= 2


@pytest.mark.parametrize("name", ["model.safetensors", "baselines.safetensors"])
def test_a_model_that_was_cut_is_one_line(trained, tmp_path, name):
    import shutil

    shutil.copytree(trained / "c.model", tmp_path / "c.model")
    file = tmp_path / "c.model" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    done = call("train", "predict", tmp_path / "c.model", trained / "a.crops.zarr", "-o",
                tmp_path / "p.parquet", code=65)
    assert name in done.said and len(done.said.splitlines()) == 1


def test_crops_and_tables_are_told_apart(trained, tmp_path):
    table = pa.table({"object_id": ["a"]})
    pq.write_table(table, tmp_path / "f.parquet")
    said = call("train", "predict", trained / "c.model", tmp_path / "f.parquet", "-o",
                tmp_path / "p.parquet", code=None).said
    assert len(said.splitlines()) == 1 and "Traceback" not in said
