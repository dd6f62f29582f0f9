"""cell-explain faithfulness tells a network that looks at the nucleus from one that does not."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hand_made import call

from libcell.explain.checks.likeness import mean_interval, rank_correlation
from libcell.explain.checks.perturbing import Curves
from libcell.explain.checks.places import locate, regions

METHODS = ("gradcam", "gradcam++", "layercam", "scorecam", "ig", "occlusion")


def explained(folder, name, method, *args):
    made = folder / f"{name}-{method}.explain.zarr"
    call("explain", "cam", folder / f"{name}.model", folder / f"{name}.crops.zarr", "--method",
         method, "--split", "test", "--most", 8, "--pictures", 0, "-o", made, "--force", *args)
    return made


@pytest.fixture(scope="module")
def judged(seen):
    """What faithfulness says of all methods, by data set: its last record, what it warned of."""
    found = {}
    for name in ("nucleus", "leak"):
        stores = [explained(seen, name, m) for m in METHODS]
        done = call("explain", "faithfulness", *stores, "-m", seen / f"{name}.model", "-c",
                    seen / f"{name}.crops.zarr", "--steps", 4, "-o", seen / f"{name}.checks")
        found[name] = done.records[-1], done.said
    return found


@pytest.mark.parametrize("method", METHODS)
def test_every_method_tells_nucleus_from_background(judged, method):
    nucleus, leak = judged["nucleus"][0][method], judged["leak"][0][method]
    assert nucleus["nuclei"] > 1.5 > 1 > nucleus["background"]
    assert nucleus["nuclei"] > 1.5 * leak["nuclei"]
    assert leak["background"] > nucleus["background"]
    assert f"{method}: looks at the background" in judged["leak"][1]
    assert f"{method}: looks at the background" not in judged["nucleus"][1]


def test_the_model_itself_is_warned_of(judged, seen):
    assert "the model needs the background" in judged["leak"][1]
    assert "the model needs the background" not in judged["nucleus"][1]
    table = pq.read_table(seen / "leak.checks" / "scores.parquet").to_pylist()
    figures = {r["metric"]: r["value"] for r in table if r["label"] is None}
    assert figures["probability_without_background"] < figures["probability_without_object"]


def test_maps_that_point_somewhere_beat_the_same_maps_elsewhere(judged):
    assert judged["nucleus"][0]["ig"]["gain"] > 0.1
    assert judged["leak"][0]["occlusion"]["gain"] > 0


def test_page_and_table(judged, seen):
    page = (seen / "nucleus.checks" / "faithfulness.html").read_text()
    assert "figure-4" in page and str(seen) not in page
    rows = pq.read_table(seen / "nucleus.checks" / "scores.parquet").to_pylist()
    pairs = [r for r in rows if r["metric"] == "agreement"]
    assert len(pairs) == len(METHODS) * (len(METHODS) - 1) // 2
    assert all(-1 <= r["value"] <= 1 for r in pairs)
    energy = [r["value"] for r in rows if r["metric"] == "energy" and r["label"] == "layercam"]
    assert len(energy) == 3 and sum(energy) == pytest.approx(1)


def test_explanations_of_another_model_are_refused(judged, seen):
    done = call("explain", "faithfulness", seen / "nucleus-ig.explain.zarr", "-m",
                seen / "leak.model", "-c", seen / "nucleus.crops.zarr", code=65)
    assert "explains another model" in done.said and "cell-explain cam" in done.said
    done = call("explain", "faithfulness", seen / "nucleus-ig.explain.zarr", "-m",
                seen / "nucleus.model", "-c", seen / "leak.crops.zarr", code=65)
    assert "explains other crops" in done.said


def test_crops_that_are_gone(judged, seen):
    done = call("explain", "faithfulness", seen / "nucleus-ig.explain.zarr", "-m",
                seen / "nucleus.model", "-c", seen / "gone.crops.zarr", code=66)
    assert "gone.crops.zarr" in done.said


# -- arrays ------------------------------------------------------------------------------


def test_gain_of_a_map_that_knows_and_of_one_that_does_not():
    falls, stays = np.linspace(1, 0, 5)[None], np.ones((1, 5))
    assert Curves(falls, stays, stays, falls).gain()[0] == pytest.approx(0.5)
    assert Curves(falls, stays, falls, stays).gain()[0] == pytest.approx(0)


def test_rank_correlation_knows_order_alone():
    maps = np.random.default_rng(0).random((2, 5, 5))
    np.testing.assert_allclose(rank_correlation(maps, maps**3), 1)
    np.testing.assert_allclose(rank_correlation(maps, 1 - maps), -1)
    assert np.isnan(rank_correlation(maps, np.zeros_like(maps))).all()
    mean, low, high, n = mean_interval(np.array([0.2, 0.4, np.nan]), 0)
    assert mean == pytest.approx(0.3) and low <= mean <= high and n == 2


def test_regions_share_no_pixel():
    nuclei, cells = np.zeros((2, 1, 6, 6), bool)
    nuclei[0, 2:4, 2:4] = cells[0, 1:5, 1:5] = True
    seen = np.ones((6, 6), bool)
    seen[0] = False
    found = regions({"cells": cells, "nuclei": nuclei}, seen)
    assert list(found) == ["nuclei", "cells", "background"]
    assert sum(r.sum() for r in found.values()) == 30
    assert found["cells"].sum() == 12
    where = locate(nuclei.astype(float), found)
    assert where["nuclei"].energy[0] == 1 and where["nuclei"].peak[0]
    assert where["nuclei"].density[0] == pytest.approx(30 / 4)
