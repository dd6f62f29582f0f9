"""examples/livecell_cls: outlines to a comparison of heads, on wells that no network saw."""

import pyarrow.compute as pc
import pytest
import recipe_lines

from libcell.data import tables

TINY = ("JOBS=1", "HEADS=linear elegans", "SHOWN=elegans", "MOST=2",
        "LINES=--lines 2 --batches 3 --positions 1 --frames 1 --size 128 --cells 14",
        "WIRED=rule=fast,width=16,heads=2",
        "NETWORK=--backbone test_resnet --size 32 --epochs 8 --batch 8 --lr 3e-3")


@pytest.mark.slow
def test_recipe_compares_heads_on_wells_that_training_has_not_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe_lines.run("livecell_cls", *TINY, cwd=tmp_path)
    out = tmp_path / "out"
    index = tables.read(out / "cells.crops.zarr" / "index.parquet", "objects")
    wells = {split: set(index.filter(pc.equal(index["Metadata_Split"], split))["Metadata_Well"]
                        .to_pylist()) for split in ("train", "validation", "test")}
    assert wells == {"train": {"A1"}, "validation": {"B1"}, "test": {"C1"}}
    found = tables.read(out / "compared" / "scores.parquet", "scores").to_pylist()
    judged = {(r["model"], r["metric"]): r for r in found}
    for head in ("linear", "elegans"):
        assert judged[head, "balanced_accuracy"]["n"] == 28
    assert judged["linear", "balanced_accuracy"]["value"] > 0.6
    assert "balanced_accuracy_behind_first" in {r["metric"] for r in found}
    assert (out / "elegans.explain.zarr" / "neurons.parquet").exists()
    assert "The images are simulated" in (out / "report.html").read_text()
