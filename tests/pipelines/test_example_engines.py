"""The recipes for GNU parallel and Snakemake: they run, go on after a fault, and redo no more than
what a change asks for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small_plate

from libcell.data import tables
from libcell.simulate import simulate_plate, write_plate

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
SNAKEMAKE = ROOT / ".engines" / "workflows" / "bin" / "snakemake"


def started(command, folder, **environment):
    """A recipe's process, ended; the commands are this environment's."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                          env=os.environ | {"PATH": path} | environment)


@pytest.mark.slow
def test_plates_in_a_shell(tmp_path):
    """Of two plates one is done, the other has a damaged file: only what is missing is done."""
    if not shutil.which("parallel"):
        pytest.skip("no GNU parallel")
    write_plate(tmp_path / "raw", simulate_plate(0, 1, 1, plates=2, shape=(96, 96), n_cells=8))
    bad = next((tmp_path / "raw" / "images" / "P2").glob("*DNA.tif"))
    whole = bad.read_bytes()
    bad.write_bytes(whole[:100])
    first = tmp_path / "out" / "P1"
    first.mkdir(parents=True)
    small_plate.write_features(first / "normalized.parquet")
    for name in ("P1.ome.zarr", "nuclei.labels.ome.zarr", "features.parquet"):
        (first / name).touch()  # what has its name is not asked for more
    recipe, settings = [ROOT / "examples" / "shell" / "plates.sh"], {"JOBS": "1"}
    done = started(recipe, tmp_path, **settings)
    assert done.returncode == 1  # so many jobs failed
    assert bad.name in done.stderr
    assert not (tmp_path / "out" / "profiles.parquet").exists()
    bad.write_bytes(whole)
    done = started(recipe, tmp_path, **settings)
    assert done.returncode == 0, done.stderr
    profiles = tables.read(tmp_path / "out" / "profiles.parquet", "profiles")
    assert {"p", "P2"} == set(profiles["Metadata_Plate"].to_pylist())
    again = started(recipe, tmp_path, **settings)
    assert (again.returncode, again.stdout) == (0, "")


def test_shellcheck_finds_nothing_wrong():
    done = subprocess.run([BIN / "shellcheck", *(ROOT / "examples" / "shell").glob("*.sh")],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def snakemake(tmp_path):
    """Runs Snakemake on its recipe, in a folder of its own."""
    if not SNAKEMAKE.is_file():
        pytest.skip("no Snakemake; `make engines` brings it")
    shutil.copytree(ROOT / "examples" / "snakemake", tmp_path / "recipe")

    def run(*args):
        done = started([SNAKEMAKE, "--cores", "1", *args], tmp_path / "recipe")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_snakemake_finds_nothing_wrong(snakemake):
    assert "Congratulations" in snakemake("--lint")


@pytest.mark.slow
def test_snakemake_makes_what_a_change_asks_for(snakemake, tmp_path):
    write_plate(tmp_path / "recipe" / "raw",
                simulate_plate(0, 1, 1, shape=(96, 96), n_cells=8))
    config = ["--config", "raw=raw/images/*.tif", "pattern={well}_s{site}_{channel}.tif"]
    wanted = ["out/features.parquet", "out/nuclei.crops.zarr/zarr.json"]
    snakemake(*wanted, *config)
    assert all((tmp_path / "recipe" / path).is_file() for path in wanted)
    assert "Nothing to be done" in snakemake(*wanted, *config)
    changed = snakemake(*wanted, *config, "size=48", "--dry-run", "--quiet", "rules")
    assert "crop" in changed and "measure" not in changed and "segment" not in changed
