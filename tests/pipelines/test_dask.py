"""Block-wise commands on a cluster of processes: the same bytes as on one machine, also where it
fails in the middle. `python -m tests.cluster` tries the rest."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster import chain, faults
from tests.cluster.nodes import Nodes

SCRIPTS = Path(__file__).parents[2] / "examples" / "slurm"


@pytest.mark.slow
def test_cluster_and_threads_give_the_same_bytes(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        chain.write_raw(folder / "raw", chain.WELLS[:4])
    with Nodes(tmp_path / "nodes") as nodes:
        nodes.start_scheduler()
        nodes.start_workers(2)
        ways = (("--scheduler", nodes.address), ("--scheduler", str(nodes.file)), ())
        for number, step in enumerate(chain.SHORT):
            way = ways[number % len(ways)]
            env = {} if way else {"DASK_SCHEDULER_ADDRESS": nodes.address}
            for folder, more, added in ((here, ("-j", "2"), {}), (there, way, env)):
                done = chain.run([*step.args, "-o", step.output, *more], folder, added)
                assert done.returncode == 0, done.stderr
            assert chain.same(here / step.output, there / step.output), step


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
