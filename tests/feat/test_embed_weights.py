"""Whose weights cell-feat embed computes with: a file's, the cache's, a seed's, and no other."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from embed_stores import EDGE, model, store
from hand_made import PROVENANCE, call
from safetensors.torch import save_file

from libcell.data import models
from libcell.feat.embedding import published
from libcell.nn import backbones, untrained


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """a.crops.zarr of two channels, c.model, w.safetensors of a test_resnet, no cached weights."""
    store(tmp_path / "a.crops.zarr")
    model(tmp_path / "c.model")
    write_weights(tmp_path / "w.safetensors")
    monkeypatch.setenv("LIBCELL_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_weights(path, name="test_resnet", seed=9, size=(EDGE, EDGE), channels=3):
    """Weights of a network for colour pictures, with the classifier that published ones have."""
    torch.manual_seed(seed)
    network = backbones.build(name, channels, size)
    untrained.wake(network)
    state = network.state_dict()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in state.items()} | {"fc.weight": torch.ones(10, 3)},
              path)
    return path


def embed(*args, out="e.parquet", code=0, source="a.crops.zarr"):
    return call("feat", "embed", source, *args, "-o", out, code=code)


def values(path="e.parquet"):
    table = pq.read_table(path)
    return np.column_stack([table[c] for c in table.column_names if c.startswith("emb_")])


def provenance(path="e.parquet"):
    return json.loads(pq.read_schema(path).metadata[b"provenance"])


# -- files and names ---------------------------------------------------------------------


def test_a_file_and_the_same_file_by_its_name(folder):
    embed("--backbone", "test_resnet", "--weights", "w.safetensors")
    embed("--backbone", "test_resnet", "--untrained", "--seed", 9, out="s.parquet")
    assert np.array_equal(values(), values("s.parquet")), "these are the weights of seed 9"
    cached = folder / "models" / "timm" / "test_resnet.r160_in1k.safetensors"
    cached.parent.mkdir(parents=True)
    shutil.copy("w.safetensors", cached)
    done = embed("--weights", "test_resnet.r160_in1k", out="n.parquet")
    assert np.array_equal(values("n.parquet"), values())
    assert done.records[-1]["network"] == "test_resnet"
    assert done.records[-1]["weights"] == "given" and "untrained" not in done.said
    told = provenance("n.parquet")
    assert told["inputs"][-1]["role"] == "weights"
    assert told["inputs"][-1]["digest"] == provenance()["inputs"][-1]["digest"]
    cached.write_bytes(cached.read_bytes()[:-4] + b"else")
    said = embed("--weights", "test_resnet.r160_in1k", out="x.parquet", code=65).said
    assert "is not the file that it was" in said


def test_weights_that_are_not_there_are_not_fetched(folder):
    said = embed("--weights", "resnet18.a1_in1k", code=69).said
    assert "models/timm/resnet18.a1_in1k.safetensors" in said and len(said.splitlines()) == 1
    assert "curl -fL" in said
    assert "https://huggingface.co/timm/resnet18.a1_in1k/resolve/main/model.safetensors" in said
    assert not (folder / "e.parquet").exists() and not (folder / "models").exists()


def test_a_colour_network_on_other_channels_gives_grey_what_it_gave(folder):
    """One channel, stacked: its first layer summed over red, green and blue."""
    embed("--backbone", "test_resnet", "--weights", "w.safetensors", "--channels", "c1")
    embed("--backbone", "test_resnet", "--weights", "w.safetensors", "--channels", "c1",
          "--channels-as", "stacked", out="s.parquet")
    np.testing.assert_allclose(values("s.parquet"), values(), atol=1e-5 * values().max())


def test_a_transformer_for_other_pictures_is_resized_as_timm_does(folder):
    """Positions that were learnt on a grid of 10 x 10 are read off for one of 2 x 2."""
    write_weights(folder / "v.safetensors", "test_vit", size=(160, 160))
    embed("--backbone", "test_vit", "--weights", "v.safetensors", "--size", 32)
    assert values().shape[1] == 2 * 64 and np.isfinite(values()).all()
    embed("--backbone", "test_vit", "--weights", "v.safetensors", out="own.parquet")
    assert provenance("own.parquet")["network"]["size_px"] == [160, 160]


def test_the_backbone_of_a_model_of_ours_as_weights(folder):
    model(folder / "three.model", channels=3)
    embed("--backbone", "test_resnet", "--weights", "three.model")
    embed("--backbone", "test_resnet", "--untrained", "--seed", 5, out="s.parquet")
    assert np.array_equal(values(), values("s.parquet")), "what the seed of hand-made models is"


def test_the_largest_names_have_an_address_each():
    for name in ("vit_small_patch14_dinov2.lvd142m", "convnext_tiny.fb_in22k", "resnet50",
                 "efficientnet_b0.ra_in1k", "swin_tiny_patch4_window7_224.ms_in1k"):
        known = published._known(published.config(name), name)
        assert known.url.startswith("https://") and known.file.startswith(known.name)
        assert known.name.partition(".")[2], "the tag says which weights"


# -- no weights but a seed's -------------------------------------------------------------


def test_an_untrained_network_is_called_one(folder):
    done = embed("--backbone", "test_resnet", "--untrained", "--seed", 4)
    assert "test_resnet is untrained (seed 4)" in done.said
    assert done.records[-1]["weights"] == "untrained, seed 4"
    told = provenance()
    assert told["network"]["weights"] == "untrained, seed 4" and told["seed"] == 4
    assert told["parameters"]["untrained"] is True
    embed("--backbone", "test_resnet", "--untrained", "--seed", 5, out="f.parquet")
    assert not np.allclose(values(), values("f.parquet"))


def test_a_models_own_network_with_random_weights(folder):
    """Same pixels, same network, the seed's weights: with the seed that made the model, its own."""
    embed("-m", "c.model")
    assert "untrained" in embed("-m", "c.model", "--untrained", "--seed", 5, out="u.parquet").said
    assert np.array_equal(values("u.parquet"), values())
    embed("-m", "c.model", "--untrained", out="o.parquet")
    assert not np.allclose(values("o.parquet"), values())


# -- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize(("args", "code", "said"), [
    ((), 2, "which network?"),
    (("--backbone", "test_resnet"), 2, "--untrained"),
    (("--untrained",), 2, "which network?"),
    (("--weights", "w.safetensors"), 2, "name it with --backbone"),
    (("--backbone", "test_resnet", "--weights", "w.safetensors", "--untrained"), 2, "the other"),
    (("-m", "c.model", "--backbone", "resnet18"), 2, "two networks"),
    (("-m", "c.model", "--size", 64), 2, "--size: the model's card"),
    (("-m", "c.model", "--channels", "c1"), 2, "wants 2 (c1, c2)"),
    (("-m", "c.model", "--channels", "c1,GFP"), 65, "'GFP' not found; it has c1, c2"),
    (("-m", "none.model"), 66, "not found"),
    (("-m", "w.safetensors"), 65, "not a model"),
    (("--backbone", "resnet19", "--untrained"), 2, "--backbone resnet19"),
    (("--backbone", "test_vit", "--untrained", "--size", 20), 2, "--size"),
    (("--backbone", "resnet18", "--weights", "w.safetensors"), 65, "of another network"),
    (("--backbone", "test_vit", "--weights", "w.safetensors"), 65, "of another network"),
    (("--backbone", "test_resnet", "--weights", "bad.pt"), 65, "bad.pt"),
    (("--weights", "nobody.knows"), 69, "no such file"),
    (("--backbone", "test_resnet", "--untrained", "--region", "cell"), 65, "'cells'"),
    (("--backbone", "test_resnet", "--untrained", "--window", 40), 65, "32 x 32 px"),
    (("-m", "c.model", "--device", "cuda:7"), 69, "cuda"),
])
def test_what_does_not_work_is_said_in_one_line(folder, args, code, said):
    (folder / "bad.pt").write_bytes(b"not weights")
    done = embed(*args, code=code)
    assert said in done.said and len(done.said.splitlines()) == 1
    assert not list(folder.glob("e.parquet")) and not list(folder.glob(".e.parquet*"))


@pytest.mark.parametrize(("kind", "architecture"), [
    ("features", "random-forest"), ("images", "folded-unet"), ("crops", "random-forest")])
def test_models_without_a_backbone(folder, kind, architecture):
    models.save(folder / "f.model", {"x": np.zeros(1)}, {
        "provenance": PROVENANCE, "architecture": architecture, "classes": ["a", "b"],
        "target": "Metadata_Class", "input": {"kind": kind}, "training_data": "sha256:" + "0" * 64,
        "split": {}, "metrics": {}, "seed": 0})
    said = embed("-m", "f.model", code=65).said
    assert f"is a {architecture} on {kind}" in said and "cell-train cnn" in said


def test_weights_that_are_not_the_cards(folder):
    card = json.loads((folder / "c.model" / "model.json").read_text())
    card["network"]["backbone"] = "resnet10t"
    (folder / "c.model" / "model.json").write_text(json.dumps(card))
    assert "not of the network that its card states" in embed("-m", "c.model", code=65).said
    (folder / "c.model" / models.WEIGHTS).unlink()
    assert "holds no model.safetensors" in embed("-m", "c.model", code=65).said


def test_a_continued_run_goes_on_with_the_same_weights(folder, monkeypatch):
    from libcell.feat.embedding import parts, rows

    monkeypatch.setattr(rows, "ROWS", 4)
    real = parts.embed_block

    def failing(**args):
        if args["start"] == 8:
            raise OSError("gone")
        return real(**args)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "embed_block", failing)
        embed("--backbone", "test_resnet", "--weights", "w.safetensors", code=75)
    write_weights(folder / "w.safetensors", seed=10)
    again = ("--backbone", "test_resnet", "--weights", "w.safetensors", "--resume")
    assert "had other weights" in embed(*again, code=73).said
    write_weights(folder / "w.safetensors", seed=9)
    embed(*again)
    embed("--backbone", "test_resnet", "--weights", "w.safetensors", out="whole.parquet")
    assert np.array_equal(values(), values("whole.parquet"))


def test_stores_that_differ(folder):
    store(folder / "b.crops.zarr", channels=1)
    said = call("feat", "embed", "a.crops.zarr", "b.crops.zarr", "-m", "c.model", "-o",
                "e.parquet", code=65).said
    assert "channel 'c2' not found" in said and "b.crops.zarr" in said
    said = call("feat", "embed", "w.safetensors", "-m", "c.model", "-o", "e.parquet", code=65).said
    assert "w.safetensors" in said
