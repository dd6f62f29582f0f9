"""Block-wise commands on a cluster of processes: the same bytes as on one machine, also where it
fails in the middle. `python -m tests.cluster` tries the rest."""

import shutil
import subprocess
from pathlib import Path

import pytest
from small_plate import PATTERN, contents

from tests.cluster import faults
from tests.cluster.nodes import Nodes

SCRIPTS = Path(__file__).parents[2] / "examples" / "slurm"


@pytest.mark.slow
def test_cluster_and_threads_give_the_same_bytes(cell, plate, tmp_path):
    """Its scheduler is named in each of three ways."""
    shutil.copytree(plate / "raw", tmp_path / "raw")
    measure = ("feat", "measure", "n.labels.ome.zarr", "--images", "p.ome.zarr")
    cell(*measure, "-o", tmp_path / "f.parquet", cwd=plate)
    with Nodes(tmp_path / "nodes") as nodes:
        nodes.start_scheduler()
        nodes.start_workers(2)
        cell("extract", "images", "raw/*.tif", "--pattern", PATTERN, "-o", "p.ome.zarr",
             "--scheduler", nodes.address, cwd=tmp_path)
        cell("segment", "threshold", "p.ome.zarr", "-c", "DNA", "-o", "n.labels.ome.zarr",
             "--scheduler", nodes.file, cwd=tmp_path)
        cell(*measure, "-o", "there.parquet", cwd=tmp_path,
             env={"DASK_SCHEDULER_ADDRESS": nodes.address})
    for name in ("p.ome.zarr", "n.labels.ome.zarr"):
        assert contents(tmp_path / name) == contents(plate / name), name
    assert contents(tmp_path / "there.parquet") == contents(tmp_path / "f.parquet")


@pytest.mark.slow
def test_what_fails_in_the_middle_is_taken_up(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "WELLS", faults.WELLS[:12])
    place = faults.Place(tmp_path / "work")
    with Nodes(tmp_path / "nodes") as nodes:
        nodes.start_scheduler()
        faults.scheduler_lost(place, nodes)


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.sbatch")), ids=lambda p: p.stem)
def test_scripts_for_slurm_are_sound(script):
    """What a shell says; that they run was seen on a SLURM of one node."""
    subprocess.run(["bash", "-n", script], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", script], check=True)
