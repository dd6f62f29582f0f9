"""cell-feat embed: equal to a plain loop over the network, whatever the batch, workers or pipe."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import torch
from embed_stores import EDGE, model, pixels, store
from hand_made import call, files_of

from libcell.data import crops, models, tables
from libcell.feat.embedding import parts, rows
from libcell.nn import backbones, classifier, untrained
from libcell.schema import validate

RGB = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)  # timm's for test_resnet


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """a.crops.zarr, c.model and an empty folder of weights, in the working folder."""
    store(tmp_path / "a.crops.zarr")
    model(tmp_path / "c.model")
    monkeypatch.setenv("LIBCELL_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def embed(*args, source="a.crops.zarr", out="e.parquet", code=0):
    return call("feat", "embed", source, *args, "-o", out, code=code)


def values(path="e.parquet"):
    """float64 (n,F) of all dimensions."""
    table = tables.read(Path(path), "embeddings") if isinstance(path, str) else path
    return np.column_stack([table[c] for c in table.column_names if c.startswith("emb_")])


def close(a, b, most=1e-5):
    assert a.shape == b.shape
    assert np.abs(a - b).max() <= most * np.abs(b).max()


def seeded(name, channels, size=(EDGE, EDGE), seed=0):
    torch.manual_seed(seed)
    made = backbones.build(name, channels, size).eval()
    untrained.wake(made)
    return made


def in_colour(one):
    """Crops (n,1,H,W) as the pictures (n,3,H,W) that a network for photographs gets."""
    low, high = (np.percentile(one, p, axis=(2, 3), keepdims=True, method="nearest")
                 for p in (0.1, 99.9))
    grey = np.clip((one - low) / (high - low), 0, 1).repeat(3, axis=1)
    mean, sd = (np.array(v).reshape(1, 3, 1, 1) for v in RGB)
    return torch.from_numpy(((grey - mean) / sd).astype(np.float32))


# -- what comes out ----------------------------------------------------------------------


def test_a_models_embeddings_are_its_backbones_of_each_crop(folder):
    done = embed("-m", "c.model")
    last = done.records[-1]
    assert (last["n"], last["dimensions"], last["weights"]) == (20, 96, "the model's")
    opened = crops.open_crops(folder / "a.crops.zarr")
    card = models.load_card(folder / "c.model")
    network = classifier.restore(card, models.load_tensors(folder / "c.model"), "c").backbone
    with torch.no_grad():
        expected = [network(classifier.prepare(*opened.read(slice(i, i + 1)), card["input"],
                                               torch.device("cpu"))).numpy() for i in range(20)]
    close(values(), np.concatenate(expected))


def test_the_mean_over_turned_crops_is_that_of_a_turned_store(folder):
    """Turning every crop changes nothing, since all eight ways are seen anyway."""
    embed("-m", "c.model", "--tta", "all", out="all.parquet")
    embed("-m", "c.model", "--tta", "flips", out="flips.parquet")
    lying = pixels(20, 2, np.uint16, 0)[:, :, ::-1].swapaxes(2, 3)
    store(folder / "turned.crops.zarr", values=lying)
    embed("-m", "c.model", "--tta", "all", source="turned.crops.zarr", out="turned.parquet")
    close(values("all.parquet"), values("turned.parquet"))
    embed("-m", "c.model", source="turned.crops.zarr", out="one.parquet")
    assert np.abs(values("one.parquet") - values("all.parquet")).max() > 1e-3
    assert np.abs(values("flips.parquet") - values("all.parquet")).max() > 1e-3


def test_crops_that_are_not_square_cannot_be_turned_by_quarters(folder):
    model(folder / "wide.model", size_px=[24, 16])
    done = embed("-m", "wide.model", "--tta", "all", code=2)
    assert "not square" in done.said and "flips" in done.said


def test_the_rows_are_the_stores_and_carry_its_columns(folder):
    embed("-m", "c.model")
    table, index = pq.read_table("e.parquet"), crops.open_crops(folder / "a.crops.zarr").index()
    own = [c for c in table.column_names if not c.startswith("emb_")]
    assert own == [c for c in index.column_names if c.startswith(("object_id", "Metadata_"))]
    assert table.select(own).equals(index.select(own))
    assert table.column_names[len(own) :] == [f"emb_{i:04d}" for i in range(96)]
    assert {str(table[c].type) for c in table.column_names[len(own) :]} == {"double"}
    assert validate.validate(folder / "e.parquet") == []
    assert str(folder) not in str(table.schema.metadata)


def test_channels_one_by_one_are_grey_pictures_side_by_side(folder):
    embed("--backbone", "test_resnet", "--untrained")
    network = seeded("test_resnet", 3)
    taken = pixels(20, 2, np.uint16, 0).astype(np.float64)
    with torch.no_grad():
        expected = [network(in_colour(taken[:, c : c + 1])).numpy() for c in range(2)]
    close(values(), np.concatenate(expected, axis=1))
    embed("--backbone", "test_resnet", "--untrained", "--channels", "c2", out="c.parquet")
    close(values("c.parquet"), expected[1])


def test_channels_together_of_the_types_range(folder):
    embed("--backbone", "test_resnet", "--untrained", "--channels-as", "stacked",
          "--normalise", "range", "--seed", 3)
    network = seeded("test_resnet", 2, seed=3)
    taken = pixels(20, 2, np.uint16, 0) / 65535
    mean, sd = (np.mean(v) for v in RGB)
    with torch.no_grad():
        expected = network(torch.from_numpy(((taken - mean) / sd).astype(np.float32))).numpy()
    close(values(), expected)


def test_a_region_hides_what_is_outside_it(folder):
    changed = pixels(20, 2, np.uint16, 0)
    changed[:, :, :3] = 65535
    store(folder / "b.crops.zarr", values=changed)
    for region, same in (("nucleus", True), ("patch", False)):
        found = []
        for name in "ab":
            embed("--backbone", "test_resnet", "--untrained", "--region", region,
                  source=f"{name}.crops.zarr", out=f"{name}-{region}.parquet")
            found.append(values(f"{name}-{region}.parquet"))
        assert np.array_equal(*found) is same


def test_a_model_with_a_mask_channel_and_a_window(folder):
    model(folder / "m.model", channels=1, mask_channel=True, region="object",
          window_px=[20, 20], normalisation={"kind": "range", "full": 65535.0})
    embed("-m", "m.model")
    card = models.load_card(folder / "m.model")
    network = classifier.restore(card, models.load_tensors(folder / "m.model"), "m").backbone
    taken, masks = crops.open_crops(folder / "a.crops.zarr").read(slice(0, 20))
    middle = (slice(None), slice(6, 26), slice(6, 26))
    inside = (taken[:, :1] * masks[:, None])[:, :, 6:26, 6:26]
    with torch.no_grad():
        expected = network(classifier.prepare(inside, masks[middle], card["input"],
                                              torch.device("cpu"))).numpy()
    close(values(), expected)


def test_a_crop_with_nan_has_no_embedding_and_its_neighbours_have_theirs(folder):
    taken = pixels(20, 2, np.float32, 0)
    store(folder / "f.crops.zarr", values=taken)
    spoilt = taken.copy()
    spoilt[7, 1, 3, 3], spoilt[9, 0, 0, 0] = np.nan, np.inf
    store(folder / "n.crops.zarr", values=spoilt)
    assert embed("-m", "c.model", source="f.crops.zarr").said.count("\n") == 1
    said = embed("-m", "c.model", source="n.crops.zarr", out="n.parquet").said
    assert "2 of 20 crops hold NaN or infinite pixels" in said
    whole, found = values(), values("n.parquet")
    bad = np.isnan(found).all(axis=1)
    assert np.flatnonzero(bad).tolist() == [7, 9] and not np.isnan(found[~bad]).any()
    close(found[~bad], whole[~bad])


def test_a_store_without_crops_gives_all_columns_and_no_row(folder):
    store(folder / "z.crops.zarr", n=0)
    assert embed("-m", "c.model", source="z.crops.zarr").records[-1]["n"] == 0
    embed("-m", "c.model", out="a.parquet")
    assert (pq.read_schema("e.parquet").names == pq.read_schema("a.parquet").names)


# -- what does not matter ----------------------------------------------------------------


def test_the_same_command_gives_the_same_bytes_with_any_workers(folder, monkeypatch):
    monkeypatch.setattr(rows, "ROWS", 8)
    embed("-m", "c.model", out="one.parquet")
    embed("-m", "c.model", out="two.parquet")
    embed("-m", "c.model", "-j", 2, out="three.parquet")
    first = (folder / "one.parquet").read_bytes()
    assert all((folder / f"{n}.parquet").read_bytes() == first for n in ("two", "three"))


@pytest.mark.parametrize("args", [("-m", "c.model"), ("--backbone", "test_vit", "--untrained")])
def test_the_batch_changes_no_more_than_rounding(folder, args):
    embed(*args, "--batch", 32, out="a.parquet")
    embed(*args, "--batch", 3, out="b.parquet")
    close(values("b.parquet"), values("a.parquet"))


def test_half_precision_is_near(folder):
    embed("-m", "c.model", out="a.parquet")
    embed("-m", "c.model", "--precision", "bf16", out="b.parquet")
    found = values("b.parquet")
    close(found, values("a.parquet"), 0.05)
    assert not np.array_equal(found, values("a.parquet"))


def test_several_stores_one_after_the_other(folder):
    store(folder / "b.crops.zarr", n=5, seed=1)
    call("feat", "embed", "a.crops.zarr", "b.crops.zarr", "-m", "c.model", "-o", "e.parquet")
    embed("-m", "c.model", source="b.crops.zarr", out="b.parquet")
    both = pq.read_table("e.parquet")
    assert both.num_rows == 25 and both["object_id"].to_pylist()[20] == "b.crops/0:t0:nuclei:1"
    assert np.array_equal(values(both.slice(20)), values("b.parquet"))


def test_continued_after_it_was_killed(folder, monkeypatch):
    monkeypatch.setattr(rows, "ROWS", 4)
    embed("-m", "c.model", out="whole.parquet")
    real, done = parts.embed_block, []

    class Killed(BaseException):
        pass

    def dying(**args):
        if len(done) == 3:
            raise Killed
        done.append(args["start"])
        return real(**args)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(parts, "embed_block", dying)
        embed("-m", "c.model")
    done.clear()
    monkeypatch.setattr(parts, "embed_block", lambda **args: done.append(args["start"]) or
                        real(**args))
    embed("-m", "c.model", "--resume")
    assert done == [12, 16]
    assert (folder / "e.parquet").read_bytes() == (folder / "whole.parquet").read_bytes()


def test_a_device_with_too_little_memory_gets_fewer_at_once_and_it_is_said(folder, monkeypatch):
    """What a full device raises, raised for large batches: nothing here can be filled for real."""
    embed("--backbone", "test_resnet", "--untrained", out="w.parquet")
    real = rows.Passing._pass

    def full(self, batch):
        if len(batch.rows) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, batch)

    monkeypatch.setattr(rows.Passing, "_pass", full)
    said = embed("--backbone", "test_resnet", "--untrained").said
    assert "out of memory on cpu: 4 pictures go through the network at once" in said
    close(values(), values("w.parquet"))

    def none_fits(self, batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(rows.Passing, "_pass", none_fits)
    said = embed("-m", "c.model", out="x.parquet", code=69).said
    assert "out of memory on cpu with a single crop" in said


# -- with the other commands -------------------------------------------------------------


def test_a_stream_is_the_file(folder):
    embed("-m", "c.model")
    done = subprocess.run([sys.executable, "-m", "cell_feat", "embed", "a.crops.zarr", "-m",
                           "c.model", "-o", "-"], capture_output=True, check=True)
    streamed = pyarrow.ipc.open_stream(done.stdout).read_all()
    assert streamed.equals(pq.read_table("e.parquet"))
    assert streamed.schema.metadata[b"schema"] == b"embeddings/1"


def test_a_forest_learns_from_embeddings(folder):
    store(folder / "l.crops.zarr", n=60)
    embed("-m", "c.model", source="l.crops.zarr")
    done = call("train", "forest", "e.parquet", "--target", "Metadata_Class", "--group",
                "Metadata_Image", "--trees", 5, "-o", "f.model")
    assert done.records[-1]["schema"] == "model/1"
    assert models.load_card(folder / "f.model")["input"]["kind"] == "embeddings"


def test_a_dry_run_counts(folder):
    done = call("feat", "embed", "a.crops.zarr", "-m", "c.model", "-n", "-o", "e.parquet")
    assert (done.records[0]["crops"], done.records[0]["blocks"]) == (20, 1)
    assert json.dumps(done.records[0]["parameters"])
    assert not (folder / "e.parquet").exists()


def test_real_nuclei(shared, tmp_path):
    """Twenty nuclei of three classes: a row each, under the crops' own names."""
    source = shared("mitocheck_nuclei")
    classes = sorted(p for p in source.iterdir() if p.is_dir())[:3]
    for one in classes:
        made = tmp_path / "raw" / one.name
        made.mkdir(parents=True)
        for file in sorted(one.iterdir())[:7]:
            (made / file.name).symlink_to(file)
    call("extract", "classes", tmp_path / "raw", "-o", tmp_path / "m.crops.zarr")
    call("feat", "embed", tmp_path / "m.crops.zarr", "--backbone", "test_resnet", "--untrained",
         "-o", tmp_path / "e.parquet")
    table = pq.read_table(tmp_path / "e.parquet")
    index = crops.open_crops(tmp_path / "m.crops.zarr").index()
    assert table["object_id"].equals(index["object_id"]) and table.num_rows == 21
    found = values(table)
    assert np.isfinite(found).all() and len(np.unique(found, axis=0)) == 21


def test_files_of_the_store_and_the_model_are_not_touched(folder):
    before = files_of(folder / "a.crops.zarr") | files_of(folder / "c.model")
    embed("-m", "c.model")
    assert files_of(folder / "a.crops.zarr") | files_of(folder / "c.model") == before
