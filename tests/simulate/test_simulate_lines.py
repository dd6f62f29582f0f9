"""Simulated cell lines: what a line, a batch and time change, and what the files say."""

import csv

import numpy as np
import pytest
import tifffile

from libcell.errors import OutputExists, UsageFault
from libcell.simulate import simulate_lines, write_lines
from libcell.simulate.__main__ import main
from libcell.simulate.lines import Flask

SMALL = {"shape": (128, 128), "n_cells": 9}


def fields(**options):
    made = simulate_lines(3, **(SMALL | options))
    return list(made.series(Flask("round", 1, 1)))


def test_cells_grow_in_number_and_stay_about_where_they_are():
    found = fields(frames=4, hours=8)
    counts = [len(f.objects["label"]) for f in found]
    assert counts == sorted(counts) and counts[0] < counts[-1] == 9
    first, second = (np.stack([f.objects["y"], f.objects["x"]], 1) for f in found[:2])
    assert np.linalg.norm(second[: len(first)] - first, axis=1).max() < 12
    again = fields(frames=4, hours=8)
    assert all((a.image == b.image).all() for a, b in zip(found, again))


def test_share_is_of_the_cells_that_look_like_their_line():
    assert set(fields(frames=1, share=1.0)[0].classes.values()) == {"round"}
    assert set(fields(frames=1, share=0.0)[0].classes.values()) == {"common"}
    many = simulate_lines(0, frames=1, share=0.25, n_cells=40)
    told = [c for p in (1, 2) for c in next(many.series(Flask("spread", 1, p))).classes.values()]
    assert 0.1 < told.count("spread") / len(told) < 0.45


def test_batches_differ_in_their_optics_alone():
    made = simulate_lines(3, frames=1, batches=3, **SMALL)
    same = simulate_lines(3, frames=1, batches=3, effect=0.0, **SMALL)
    usual = {"brightness": 1, "blur": 1, "halo": 1, "slope": 0.12, "offset": 100}
    assert same.effects(1) == same.effects(2) == pytest.approx(usual)
    assert made.effects(1) != made.effects(2)
    one, other = (next(made.series(Flask("round", b, 1))) for b in (1, 2))
    assert abs(float(one.image.mean()) - float(other.image.mean())) > 10


def test_files_are_named_as_published_ones(tmp_path):
    write_lines(tmp_path / "l", simulate_lines(0, 2, 2, 1, 2, hours=30.5, **SMALL))
    found = sorted((tmp_path / "l" / "images").rglob("*.tif"))
    assert len(found) == 8
    assert found[1].relative_to(tmp_path / "l" / "images").as_posix() == (
        "round/batch_1/SIM_P1_1_01d06h30m.tif")
    assert tifffile.imread(found[0]).dtype == np.uint16
    with (tmp_path / "l" / "truth" / "objects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {r["Metadata_Line"] for r in rows} == {"round", "spindle"}
    assert {r["Metadata_T"] for r in rows} == {"0", "1"} and {r["class"] for r in rows} == {
        "round", "spindle"}
    with pytest.raises(OutputExists):
        write_lines(tmp_path / "l", simulate_lines(0, 1, 1, 1, 1, **SMALL))


def test_command_and_refusals(tmp_path):
    assert main(["lines", "-o", str(tmp_path / "l"), "--lines", "1", "--batches", "1",
                 "--positions", "1", "--frames", "1", "--size", "96", "--cells", "3",
                 "--share", "0.5"]) == 0
    assert len(list((tmp_path / "l").rglob("*.tif"))) == 1
    for wrong in ({"lines": 9}, {"share": 1.5}, {"hours": 0}):
        with pytest.raises(UsageFault):
            simulate_lines(0, **wrong)
