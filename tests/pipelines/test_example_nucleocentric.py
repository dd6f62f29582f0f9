"""examples/nucleocentric: two rounds to three regimes, compared on mixed wells held out."""

import csv

import numpy as np
import pytest
import recipe_lines

from libcell.data import tables

TINY = ("JOBS=1", "SIZE=--wells 6 --sites 1 --size 144 --cells 14", "TEST=B04", "MOST=2",
        "WHOLE=48", "NEAR=24", "TREES=--trees 20",
        "NETWORK=--backbone test_resnet --size 24 --epochs 2 --batch 8 --no-baselines")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nucleocentric")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        recipe_lines.run("nucleocentric", *TINY, cwd=folder)
    return folder / "out"


@pytest.mark.slow
def test_hidden_shifts_are_found(out):
    with (out / "raw" / "truth" / "shifts.csv").open() as file:
        hidden = {f"B/{r['Metadata_Well'][1:]}/1": np.array([float(r["dy"]), float(r["dx"])])
                  for r in csv.DictReader(file)}
    rows = tables.read(out / "both.bundle" / "transforms.parquet", "transforms").to_pylist()
    assert len(rows) == len(hidden)
    for row in rows:
        np.testing.assert_allclose([row["dy"], row["dx"]], -hidden[row["Metadata_Image"]], atol=0.3)


@pytest.mark.slow
def test_gates_say_what_grows_alone(out):
    rows = tables.read(out / "gated.bundle" / "features.parquet", "features").to_pylist()
    for kind in ("astro", "neuron"):
        alone = [r["Metadata_Class"] for r in rows if r["Metadata_Culture"] == kind]
        assert alone.count(kind) > 0.9 * len(alone) > 0


@pytest.mark.slow
def test_regimes_are_judged_on_the_same_cells_of_a_mixed_well(out):
    found = tables.read(out / "compared" / "scores.parquet", "scores").to_pylist()
    judged = {(r["model"], r["metric"]): r for r in found}
    models = ("whole", "nuclear", "nucleocentric", "trees")
    assert len({judged[m, "balanced_accuracy"]["n"] for m in models}) == 1
    assert judged["trees", "balanced_accuracy"]["value"] > 0.6
    said = tables.read(out / "nucleocentric.parquet", "predictions").to_pylist()
    assert {r["Metadata_Well"] for r in said if r["split"] == "test"} == {"B04"}
    assert {r["target"] for r in said if r["split"] == "test"} == {"astro", "neuron"}
    assert (out / "report.html").stat().st_size > 100_000
