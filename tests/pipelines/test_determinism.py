"""The same input gives the same bytes: run after run, for any number of workers, for any tile."""

import numpy as np
import pytest
import tifffile
import zarr
from small_plate import PATTERN, blobs, contents, write_features, write_raw

PIPELINE = [
    ("extract", "images", "raw/*.tif", "--pattern", PATTERN, "-o", "p.ome.zarr"),
    ("segment", "threshold", "p.ome.zarr", "-c", "DNA", "-o", "n.labels.ome.zarr"),
    ("segment", "threshold", "p.ome.zarr", "-c", "DNA", "--tile", "64", "-o",
     "t.labels.ome.zarr"),
    ("align", "rounds", "p.ome.zarr", "--moving", "p.ome.zarr", "-o", "a.ome.zarr"),
    ("crop", "cells", "n.labels.ome.zarr", "--images", "p.ome.zarr", "--size", "16",
     "-o", "c.crops.zarr"),
    ("feat", "measure", "n.labels.ome.zarr", "--images", "p.ome.zarr", "-o", "m.parquet"),
    ("track", "overlap", "n.labels.ome.zarr", "-o", "t.tracks"),
    ("train", "forest", "f.parquet", "--target", "Metadata_Condition", "--trees", "20",
     "-o", "c.model"),
    ("train", "predict", "f.parquet", "-m", "c.model", "-o", "y.parquet"),
    ("train", "score", "y.parquet", "-o", "score"),
    ("explain", "importance", "f.parquet", "-m", "c.model", "-o", "i.parquet"),
]
OUTPUTS = [step[-1] for step in PIPELINE]
WAYS = {
    "two threads": ("-j", "2"),
    "two processes": ("-j", "2", "--scheduler", "processes"),
}


def run_all(cell, folder, *more, fresh=False):
    write_raw(folder / "raw")
    write_features(folder / "f.parquet")
    for room, *args in PIPELINE:
        cell(room, *args, *more, cwd=folder, fresh=fresh)
    return folder


@pytest.mark.slow
def test_same_bytes(cell, tmp_path):
    """In interpreters of other hash seeds, at another place and time."""
    made = run_all(cell, tmp_path / "one worker", "-j", "1", fresh=True)
    for way, options in WAYS.items():
        again = run_all(cell, tmp_path / way, *options)
        for output in OUTPUTS:
            assert contents(again / output) == contents(made / output), (way, output)


def test_a_seed_that_differs_is_seen(cell, tmp_path):
    """Else the comparison above could be of what never changes."""
    table = write_features(tmp_path / "f.parquet")
    for seed in (0, 1):
        cell("train", "forest", table, "--target", "Metadata_Condition", "--trees", "20",
             "--seed", seed, "-o", tmp_path / f"{seed}.model")
    assert contents(tmp_path / "0.model") != contents(tmp_path / "1.model")


@pytest.mark.parametrize("tile", [64, 100, 150])
def test_tiles_leave_no_trace(cell, tmp_path, tile):
    tifffile.imwrite(tmp_path / "x.tif", blobs(300, seed=2)[0])
    cell("segment", "threshold", "x.tif", "-o", "whole.labels.ome.zarr", cwd=tmp_path)
    cell("segment", "threshold", "x.tif", "--tile", tile, "-j", "2", "-o", "tiled.labels.ome.zarr",
         cwd=tmp_path)
    whole, tiled = (zarr.open_group(str(tmp_path / f"{n}.labels.ome.zarr"), mode="r")
                    for n in ("whole", "tiled"))
    levels = [name for name, _ in whole["labels/nuclei"].arrays()]
    assert levels and np.asarray(whole["labels/nuclei/0"]).max() > 15
    for level in levels:
        assert np.array_equal(np.asarray(whole[f"labels/nuclei/{level}"]),
                              np.asarray(tiled[f"labels/nuclei/{level}"])), level
