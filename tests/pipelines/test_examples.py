"""The recipes in examples/ run, and make again only what changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from libcell.simulate import simulate_plate, write_plate

ROOT = Path(__file__).parent.parent.parent


def make(folder, *arguments):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["make", *arguments], cwd=folder, env=os.environ | {"PATH": path},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """The plate recipe in a folder of its own, on a simulated plate."""
    folder = tmp_path_factory.mktemp("plate")
    write_plate(folder / "raw", simulate_plate(0, wells=12, sites=1))
    shutil.copy(ROOT / "examples" / "plate" / "Makefile", folder)
    settings = ("RAW=raw/images", "LAYOUT=raw/layout.csv", "PATTERN={well}_s{site}_{channel}.tif",
                "CHANNELS=", "TARGET=Metadata_Compound", "CLASSES=")
    make(folder, *settings)
    return folder, settings


@pytest.mark.slow
def test_plate_recipe_makes_a_report(plate):
    folder, _ = plate
    assert (folder / "out" / "report.html").stat().st_size > 100_000


@pytest.mark.slow
def test_second_make_does_nothing(plate):
    folder, settings = plate
    assert "cell-" not in make(folder, *settings)


@pytest.mark.slow
def test_only_what_depends_on_a_change_is_made_again(plate):
    folder, settings = plate
    (folder / "out" / "importance.parquet").unlink()
    made = make(folder, *settings)
    assert "cell-explain importance" in made
    assert "cell-explain report" in made
    assert "cell-feat" not in made
    assert "cell-segment" not in made


@pytest.mark.slow
def test_demo_runs_without_shared_data(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py", "--data", tmp_path / "none",
         "--output", tmp_path / "demo"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = (tmp_path / "demo" / "report.html").read_text()
    assert "The images are simulated" in report


@pytest.mark.slow
def test_cell_cycle_recipe_finds_stages_from_their_order_alone(tmp_path):
    """Tracks, sequences, a network told the order of the stages, scores, aligned tracks."""
    shutil.copy(ROOT / "examples" / "cell_cycle" / "Makefile", tmp_path)
    make(tmp_path, "WELLS=4", "FRAMES=24", "SIZE=150", "CELLS=5", "EPOCHS=6", "MODELS=weak",
         "JOBS=1")
    scores = pq.read_table(tmp_path / "out" / "weak.score" / "scores.parquet").to_pylist()
    found = {(r["metric"], r["label"]): r["value"] for r in scores if not r["group"]}
    assert found["accuracy", None] > found["majority_accuracy", None] + 0.1
    assert {k for k, v in found.items() if k[0] == "stage_frames_error" and v <= 1} >= {
        ("stage_frames_error", "metaphase")}
    aligned = pq.read_table(tmp_path / "out" / "aligned.bundle" / "predictions.parquet")
    time, stage = (np.array(aligned[f"Metadata_Aligned{c}"].to_pylist()) for c in ("T", "Stage"))
    assert set(stage[time == 0]) == {"anaphase"}
    assert len(set(aligned["Metadata_Track"].to_pylist())) > 10
