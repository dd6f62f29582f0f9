"""The recipe in examples/cellect on a small simulated movie: from a challenge folder to films."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile

from libcell.simulate import simulate_timelapse

RECIPE = Path(__file__).parent.parent.parent / "examples" / "cellect" / "Makefile"
SETTINGS = ("MOVIE=movie", "FRAMES=0:5",
            "TRAIN=--epochs 1 --crops 4 --batch 2 --size 64 --widths 8,8,8,8 --validation 0")


def make(folder):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["make", *SETTINGS], cwd=folder, env=os.environ | {"PATH": path},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_challenge(folder, film):
    """Labels of the masks are the tracks' ids, as the format has it."""
    rows = film.tracks
    (folder / "01").mkdir(parents=True)
    (folder / "01_GT" / "TRA").mkdir(parents=True)
    for t, nuclei in enumerate(film.nuclei):
        made = np.zeros(nuclei.shape, np.uint16)
        for k, track in zip(rows["label"][rows["t"] == t], rows["track_id"][rows["t"] == t]):
            made[nuclei == k] = track
        tifffile.imwrite(folder / "01_GT" / "TRA" / f"man_track{t:03d}.tif", made)
        image = (60 + 100 * (nuclei > 0)).astype(np.uint8)
        tifffile.imwrite(folder / "01" / f"t{t:03d}.tif", image)
    lines = []
    for track in np.unique(rows["track_id"]):
        own = rows["track_id"] == track
        t = rows["t"][own]
        lines.append(f"{track} {t.min()} {t.max()} {rows['parent_track_id'][own][0]}\n")
    (folder / "01_GT" / "TRA" / "man_track.txt").write_text("".join(lines))


@pytest.mark.slow
def test_the_recipe_runs_and_a_second_time_does_nothing(tmp_path):
    write_challenge(tmp_path / "movie", simulate_timelapse(5, shape=(96, 96), n_cells=4, frames=7))
    shutil.copy(RECIPE, tmp_path)
    make(tmp_path)
    for linker in ("lap", "embed"):
        rows = pq.read_table(tmp_path / "out" / f"{linker}.score.parquet").to_pylist()
        assert {r["metric"]: r["value"] for r in rows}["DET"] == 1
    assert (tmp_path / "out" / "lineage" / "lineage.html").stat().st_size > 100_000
    assert "cell-" not in make(tmp_path)
