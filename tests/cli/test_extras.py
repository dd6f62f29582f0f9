"""What needs an extra says so in one line where that is not installed, whatever it was given."""

import subprocess
import sys

from libcell.run import registry
from libcell.run.registry import ROOMS

ABSENT = ("torch", "torchvision", "timm", "lightgbm", "cellpose", "stardist", "trackastra")
LINES = [line for line in """
cell-segment cellpose p.ome.zarr --model m -o x.labels.ome.zarr
cell-segment instanseg p.ome.zarr --model m -o x.labels.ome.zarr
cell-segment stardist p.ome.zarr --model m -o x.labels.ome.zarr
cell-segment unet p.ome.zarr --model m.model -o x.labels.ome.zarr
cell-feat embed c.crops.zarr -o x.parquet
cell-train cnn c.crops.zarr --target Metadata_Well -o x.model
cell-train mil f.parquet --embeddings f.parquet --target Metadata_Well -o x.model
cell-train segmenter p.ome.zarr n.labels.ome.zarr -o x.model
cell-train sequence c.crops.zarr --target Metadata_Well -o x.model
cell-train ssl c.crops.zarr -o x.model
cell-train sweep c.crops.zarr --target Metadata_Well -o x
cell-train tracker p.ome.zarr n.labels.ome.zarr --tracks m.model -o x.model
cell-track embed n.labels.ome.zarr --model m.model --images p.ome.zarr -o x.tracks
cell-track trackastra n.labels.ome.zarr --images p.ome.zarr --model m -o x.tracks
cell-explain cam m.model c.crops.zarr -o x.explain.zarr
cell-explain faithfulness c.crops.zarr --model m.model --crops c.crops.zarr -o x
""".splitlines() if line]
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({ABSENT}))
from libcell.cli.app import run
for line in sys.stdin:
    command, *words = line.split()
    print(run(command.removeprefix("cell-"), "", words))
"""


def test_what_lacks_its_extra_names_it(plate, cell, tmp_path):
    for name in ("p.ome.zarr", "n.labels.ome.zarr", "f.parquet"):
        (tmp_path / name).symlink_to(plate / name)
    (tmp_path / "m.model").mkdir()
    cell("crop", "cells", "n.labels.ome.zarr", "--images", "p.ome.zarr", "--size", "32",
         "-o", "c.crops.zarr", cwd=tmp_path)
    done = subprocess.run([sys.executable, "-c", WITHOUT], input="\n".join(LINES), cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["69"] * len(LINES), done.stderr
    for line, said in zip(LINES, done.stderr.splitlines(), strict=True):
        room, name = line.removeprefix("cell-").split()[:2]
        assert said.startswith(f"cell-{room}: ")
        assert f"(pip install 'libcell[{registry.load(room, name).needs}]')" in said
    assert sorted(p.name for p in tmp_path.glob("*x*")) == []


def test_every_method_that_needs_an_extra_is_asked():
    asked = {tuple(line.removeprefix("cell-").split()[:2]) for line in LINES}
    assert asked == {(room, name) for room in ROOMS for name in registry.names(room)
                     if registry.load(room, name).needs}
