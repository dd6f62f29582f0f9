"""cell-train compare: one table of several models on the same objects."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hand_made import call, write_table

from libcell.train.kernels.holm import holm

N = 240


def predictions(path, right, seed=0, start=0, split="test", target=None):
    """Objects start.. of two classes in ten wells, `right` of them predicted rightly."""
    rng = np.random.default_rng(seed)
    truth = np.where(np.arange(start, start + N) % 3 == 0, "a", "b") if target is None else target
    hit = rng.random(N) < right
    chance = np.where((truth == "a") == hit, 0.8, 0.2)
    ids = [f"i:t0:nuclei:{k + 1}" for k in range(start, start + N)]
    return write_table(path, "predictions", {
        "object_id": ids, "Metadata_Plate": ["p"] * N,
        "Metadata_Well": [f"A{k // 24 + 1:02d}" for k in range(start, start + N)],
        "Metadata_Site": ["0"] * N, "Metadata_Image": ["i"] * N, "Metadata_T": [0] * N,
        "Metadata_Label": list(range(start + 1, start + N + 1)),
        "Metadata_Compartment": ["nuclei"] * N, "target": truth.tolist(),
        "predicted": np.where(chance > 0.5, "a", "b").tolist(), "split": [split] * N,
        "p_a": chance, "p_b": 1 - chance})


def rows_of(path):
    found = pq.read_table(path).to_pylist()
    return {(r["model"], r["metric"]): r for r in found}


def test_models_in_one_table(tmp_path):
    good = predictions(tmp_path / "good.parquet", 0.95)
    poor = predictions(tmp_path / "poor.parquet", 0.6, seed=1)
    done = call("train", "compare", good, poor, "-o", tmp_path / "c.parquet")
    last = done.records[-1]
    assert last["best"] == "good" and last["n"] == 16
    found = rows_of(tmp_path / "c.parquet")
    for name, path in (("good", good), ("poor", poor)):
        alone = call("train", "score", path).records[-1]
        assert found[name, "balanced_accuracy"]["value"] == pytest.approx(
            alone["balanced_accuracy"]) == pytest.approx(last["balanced_accuracy"][name])
    lead = found["poor", "balanced_accuracy_behind_first"]
    assert lead["low"] > 0 and lead["chance"] < 0.05 and lead["n"] == N
    assert found["good", "accuracy_behind_first"]["value"] == 0
    assert call("train", "compare", good, poor, "--names", "x,y").records[-1]["best"] == "x"


def test_many_models_are_many_tests(tmp_path):
    """Holm's correction over the models beside the first, metric by metric."""
    tables = [predictions(tmp_path / f"{name}.parquet", right, seed) for seed, (name, right) in
              enumerate([("first", 0.9), ("same", 0.86), ("alike", 0.84), ("poor", 0.6)])]
    call("train", "compare", *tables, "-o", tmp_path / "c.parquet")
    found = rows_of(tmp_path / "c.parquet")
    metric = "balanced_accuracy_behind_first"
    plain = [found[n, metric]["chance"] for n in ("same", "alike", "poor")]
    fair = [found[n, metric]["chance_holm"] for n in ("same", "alike", "poor")]
    np.testing.assert_allclose(fair, holm(np.array(plain)))
    assert plain[2] == 0.002 and fair[2] == pytest.approx(0.006)
    assert found["first", metric]["chance"] is None is found["first", metric]["chance_holm"]
    assert found["poor", "balanced_accuracy"]["chance_holm"] is None
    call("train", "compare", tables[0], tables[3], "-o", tmp_path / "two.parquet")
    two = rows_of(tmp_path / "two.parquet")["poor", metric]
    assert two["chance"] == two["chance_holm"] == 0.002, "one test needs no correction"


def test_holm():
    """The example of the 1979 paper's rule by hand: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.04 x 1."""
    given = np.array([0.04, 0.01, np.nan, 0.03, 0.02])
    np.testing.assert_allclose(holm(given), [0.06, 0.04, np.nan, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.5, 0.9])), [1, 1])
    assert holm(np.array([])).shape == (0,)


def test_scores_of_one_group_have_no_intervals_but_baselines(tmp_path):
    predictions(tmp_path / "a.parquet", 0.9)
    table = pq.read_table(tmp_path / "a.parquet")
    one = table.append_column("baseline_forest", table.column("target")).set_column(
        table.column_names.index("Metadata_Well"), "Metadata_Well", [["A01"] * N])
    pq.write_table(one, tmp_path / "b.parquet")
    done = call("train", "score", tmp_path / "b.parquet", "-o", tmp_path / "s")
    assert "one group only" in done.said and done.records[-1]["batch_probe"] is None
    rows = pq.read_table(tmp_path / "s" / "scores.parquet").to_pylist()
    found = {r["metric"]: r for r in rows if r["label"] is None and r["group"] is None}
    assert found["forest_accuracy"]["value"] == 1 and found["accuracy_over_forest"]["value"] < 0
    assert {found[m]["low"] for m in ("accuracy", "forest_accuracy", "accuracy_over_forest")} == {
        None}
    assert "NaN" not in (tmp_path / "s" / "scores.html").read_text().split("</script>")[-2]


def test_only_objects_that_all_held_out(tmp_path):
    predictions(tmp_path / "a.parquet", 0.9)
    predictions(tmp_path / "b.parquet", 0.9, start=120)
    predictions(tmp_path / "t.parquet", 0.9, split="train")
    call("train", "compare", tmp_path / "a.parquet", tmp_path / "b.parquet", "-o",
         tmp_path / "c.parquet")
    assert {r["n"] for r in rows_of(tmp_path / "c.parquet").values()} == {120}
    said = call("train", "compare", tmp_path / "a.parquet", tmp_path / "t.parquet", code=65).said
    assert "no object with a known class is test or new in all of a, t" in said


def test_what_cannot_be_compared(tmp_path):
    one = predictions(tmp_path / "a.parquet", 0.9)
    assert "needs two or more" in call("train", "compare", one, code=2).said
    (tmp_path / "x").mkdir()
    two = predictions(tmp_path / "x" / "a.parquet", 0.8)
    assert "a name of its own" in call("train", "compare", one, two, code=2).said
    odd = predictions(tmp_path / "o.parquet", 0.9, target=np.repeat(["a", "b"], N // 2))
    assert "different classes for the same objects" in call(
        "train", "compare", one, odd, code=65).said
