"""All eight commands in an environment that holds nothing but what they ask for."""

import os
import subprocess
from pathlib import Path

import numpy as np
import tifffile

from libcell.run.registry import ROOMS
from tests.small_plate import write_features

LINES = (
    "cell-extract images picture.tif -o x.ome.zarr",
    "cell-segment threshold x.ome.zarr -o n.labels.ome.zarr",
    "cell-crop cells n.labels.ome.zarr --images x.ome.zarr --size 32 -o c.crops.zarr",
    "cell-feat measure n.labels.ome.zarr --images x.ome.zarr -o f.parquet",
    "cell-track overlap n.labels.ome.zarr -o t.tracks",
    "cell-train forest features.parquet --target Metadata_Condition --trees 5 -o m.model",
    "cell-align rounds x.ome.zarr --moving x.ome.zarr -o a.ome.zarr",
    "cell-explain report x.ome.zarr n.labels.ome.zarr c.crops.zarr f.parquet -o r.html",
)


def smoke(programs: Path, folder: Path) -> None:
    """Run every command found in `programs`; AssertionError with its words where one fails."""
    for room in ROOMS:
        assert _said(programs, folder, f"cell-{room} --version").strip()
        assert "Methods" in _said(programs, folder, f"cell-{room} --help")
    write_picture(folder / "picture.tif")
    write_features(folder / "features.parquet")
    for line in LINES:
        _said(programs, folder, line)
    assert (folder / "r.html").stat().st_size > 10_000
    outside = _run(programs, folder, ["python", "-c", "import tools"])
    assert outside.returncode, "the folder of commands must not be importable"


def _said(programs: Path, folder: Path, line: str) -> str:
    done = _run(programs, folder, line.split())
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


def _run(programs: Path, folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """With none of the variables that would lead Python elsewhere."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run([programs / command[0], *command[1:]], cwd=folder, env=variables,
                          capture_output=True, text=True, check=False)


def write_picture(path: Path) -> None:
    """Three bright blobs, uint16."""
    y, x = np.mgrid[:128, :160]
    image = np.random.default_rng(0).normal(100, 5, y.shape)
    for cy, cx in ((30, 30), (70, 100), (100, 40)):
        image += 800 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 120)
    tifffile.imwrite(path, np.clip(image, 0, None).astype(np.uint16))
