"""examples/clanet runs from image files to a score, and makes nothing again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from libcell.data import tables

ROOT = Path(__file__).parent.parent.parent
TINY = ("EMBED=untrained", "JOBS=1", "CROP=--size 64 --top 3", "BAGS=",
        "MIL=--epochs 2 --passes 2",
        "LINES=--lines 2 --batches 3 --positions 1 --frames 3 --hours 6 --size 128 --cells 9")


def make(folder):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["make", *TINY], cwd=folder, env=os.environ | {"PATH": path},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_recipe_scores_batches_that_training_has_not_seen(tmp_path):
    shutil.copy(ROOT / "examples" / "clanet" / "Makefile", tmp_path)
    make(tmp_path)
    found = {r["metric"]: r for r in tables.read(
        tmp_path / "out" / "score" / "scores.parquet", "scores").to_pylist() if not r["group"]}
    assert found["accuracy"]["n"] == 6 and found["batch_accuracy"]["n"] == 6
    assert 0 <= found["batch_accuracy"]["value"] <= 1
    assert found["majority_accuracy"]["value"] == 0.5 and "mean_accuracy" in found
    predicted = tables.read(tmp_path / "out" / "lines.bundle" / "predictions.parquet",
                            "predictions")
    assert set(predicted["Metadata_Batch"].to_pylist()) == {"1", "2", "3"}
    assert set(predicted["split"].to_pylist()) == {"test"}
    assert "cell-" not in make(tmp_path)
