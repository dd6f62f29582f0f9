"""The wheel holds what it should, and runs all eight commands in an environment of its own."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from libcell.run.registry import ROOMS

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # the build backend is in the environment already; isolation would fetch it again
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir",
                    folder, ROOT], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_wheel_holds_the_library_and_the_commands_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {n.split("/")[0] for n in names}
    commands = {f"cell_{room}.py" for room in ROOMS}
    assert tops == {"libcell", *commands, *(t for t in tops if t.endswith(".dist-info"))}
    assert "libcell/py.typed" in names
    assert "libcell/explain/page/templates/report.html.j2" in names
    assert wheel.stat().st_size < 2_000_000


@pytest.mark.slow
def test_all_commands_run_from_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--constraint",
                    ROOT / "constraints.txt", wheel], check=True, capture_output=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

    def run(line):
        command = line.split()
        command[0] = tmp_path / "env" / "bin" / command[0]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        return done.stdout

    for room in ROOMS:
        assert run(f"cell-{room} --version").strip()
        assert "Methods" in run(f"cell-{room} --help")
    _write_picture(tmp_path / "picture.tif")
    run("cell-extract images picture.tif -o x.ome.zarr")
    run("cell-segment threshold x.ome.zarr -o n.labels.ome.zarr")
    run("cell-crop cells n.labels.ome.zarr --images x.ome.zarr --size 32 -o c.crops.zarr")
    run("cell-feat measure n.labels.ome.zarr --images x.ome.zarr -o f.parquet")
    run("cell-track overlap n.labels.ome.zarr -o t.tracks")
    run("cell-align rounds x.ome.zarr --moving x.ome.zarr -o a.ome.zarr")
    run("cell-explain report x.ome.zarr n.labels.ome.zarr c.crops.zarr f.parquet -o r.html")
    assert (tmp_path / "r.html").stat().st_size > 10_000
    outside = subprocess.run([python, "-c", "import tools"], cwd=tmp_path,
                             capture_output=True, check=False)
    assert outside.returncode, "the folder of commands must not be importable"


def _write_picture(path):
    y, x = np.mgrid[:128, :160]
    random = np.random.default_rng(0)
    image = random.normal(100, 5, y.shape)
    for cy, cx in ((30, 30), (70, 100), (100, 40)):
        image += 800 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 120)
    tifffile.imwrite(path, np.clip(image, 0, None).astype(np.uint16))
