"""Folds: every row answered by the model that never saw its group; boosting; leaks refused."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_made import call, files_of
from test_train_cnn import store
from test_train_methods import N, by_well, features, predict, score, train

from libcell.data import folds, models
from libcell.nn.forest_boosted import from_text
from libcell.schema.validate import validate
from libcell.train.kernels.split_audit import audit_time

QUICK = ("--algorithm", "boosting", "--trees", 30, "--min-samples-leaf", 2, "--leaves", 4,
         "--learning-rate", 0.3)


@pytest.mark.parametrize("args", [(), QUICK])
def test_each_row_is_tested_by_the_fold_that_never_saw_it(tmp_path, args):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    done = train(tmp_path, "--folds", 4, *args)
    assert done.records[-1]["folds"] == 4 and done.records[-1]["n"] == N
    assert validate(tmp_path / "c.model") == []
    card = models.load_card(tmp_path / "c.model")
    members = card["split"]["members"]
    assert sorted(g for some in members.values() for g in some) == card["split"]["groups"]["test"]
    predict(tmp_path)
    found = pq.read_table(tmp_path / "p.parquet")
    assert set(found["split"].to_pylist()) == {"test"}
    proba = np.column_stack([found["p_a"], found["p_b"]])
    for name, groups in members.items():
        inner = models.load_card(tmp_path / "c.model" / name)
        assert inner["split"]["groups"]["test"] == groups
        assert not set(groups) & set(inner["split"]["groups"]["train"])
        call("train", "predict", tmp_path / "f.parquet", "-m", tmp_path / "c.model" / name, "-o",
             tmp_path / f"{name}.parquet")
        own = pq.read_table(tmp_path / f"{name}.parquet")
        rows = np.isin([f"p/{w}" for w in found["Metadata_Well"].to_pylist()], groups)
        assert rows.any()
        np.testing.assert_array_equal(
            proba[rows], np.column_stack([own["p_a"], own["p_b"]])[rows])
    said = score(tmp_path).records[-1]
    assert said["n"] == N
    assert said["balanced_accuracy"] == card["metrics"]["test"]["balanced_accuracy"]


def test_all_folds_answer_for_new_groups(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    train(tmp_path, "--leave-one-out")
    card = models.load_card(tmp_path / "c.model")
    assert {n: len(g) for n, g in card["split"]["members"].items()} == {
        f"fold-{k}": 1 for k in range(10)}
    table = pq.read_table(tmp_path / "f.parquet")
    at = table.column_names.index("Metadata_Plate")
    pq.write_table(table.set_column(at, "Metadata_Plate", [["new"] * N]), tmp_path / "g.parquet")
    predict(tmp_path, table="g.parquet")
    found = pq.read_table(tmp_path / "p.parquet")
    each = []
    for k in range(10):
        call("train", "predict", tmp_path / "g.parquet", "-m", tmp_path / "c.model" / f"fold-{k}",
             "-o", tmp_path / f"{k}.parquet")
        each.append(np.array(pq.read_table(tmp_path / f"{k}.parquet")["p_a"]))
    np.testing.assert_allclose(found["p_a"], np.mean(each, axis=0), atol=1e-12)
    assert set(found["split"].to_pylist()) == {"new"}


def test_a_table_without_groups_is_new_to_all():
    card = {"split": {"by": ["Metadata_Well"], "members": {"fold-0": ["A"], "fold-1": ["B"]}}}
    said = folds.gather(card, pa.table({"object_id": ["x", "y"]}), lambda member, places: {
        "chances": np.full((len(places), 2), {"fold-0": 0.2, "fold-1": 0.6}[member])})
    np.testing.assert_allclose(said["chances"], 0.4)


def test_folds_that_were_finished_are_not_grown_again(tmp_path, monkeypatch):
    from libcell.train.trees import growing

    features(tmp_path / "f.parquet", by_well("a", "b"))
    train(tmp_path, "--folds", 3, out="whole/c.model")
    real, seen = growing.grow, []

    class Killed(BaseException):
        pass

    def dying(*args):
        seen.append(1)
        if len(seen) == 3:
            raise Killed
        return real(*args)

    monkeypatch.setattr(growing, "grow", dying)
    with pytest.raises(Killed):
        train(tmp_path, "--folds", 3)
    train(tmp_path, "--folds", 3, "--resume")
    assert len(seen) == 4
    assert files_of(tmp_path / "c.model") == files_of(tmp_path / "whole" / "c.model")


def test_boosted_trees_are_text_and_seeds_count(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    for out, args in (("one", ("-j", 1)), ("two", ("-j", 2))):
        train(tmp_path, *QUICK, *args, out=f"{out}/c.model")
    one, two = (files_of(tmp_path / n) for n in ("one", "two"))
    assert one == two and sorted(one) == ["c.model/model.json", "c.model/model.txt"]
    card = json.loads(one["c.model/model.json"])
    assert card["architecture"] == "boosting" and 0 < card["training"]["trees"] <= 30
    assert card["metrics"]["test"]["balanced_accuracy"] == 1
    text = one["c.model/model.txt"].decode()
    assert from_text(text).n_features == len(card["input"]["columns"])
    (tmp_path / "one" / "c.model" / "model.txt").write_text(text[:-len(text) // 2])
    said = call("train", "predict", tmp_path / "f.parquet", "-m", tmp_path / "one" / "c.model",
                "-o", tmp_path / "p.parquet", code=65).said
    assert "model.txt: not a whole boosted model" in said


def test_the_published_recipe(tmp_path):
    area = np.arange(N) * 1.0
    features(tmp_path / "f.parquet", ["a"] * 24 + ["b"] * 56, {
        "Nuclei_Texture_One": area, "Nuclei_Texture_Two": -3 * area + 1})
    train(tmp_path, "--preset", "nucleocentric", "--trees", 7)
    card = models.load_card(tmp_path / "c.model")
    assert card["training"]["trees"] == 7
    assert "Nuclei_Texture_Two" not in card["input"]["columns"]
    assert card["split"]["rows"]["validation"] == 0
    rare = [int(g[-2:]) <= 3 for g in card["split"]["groups"]["train"]]
    few = min(rare.count(True), rare.count(False))
    assert card["training"]["rows"] == 2 * 8 * few  # as many rows of each class


def test_leaks_are_refused_unless_told(tmp_path):
    rng = np.random.default_rng(0)
    more = {f"Nuclei_Texture_F{i}": rng.normal(size=N) for i in range(4)}
    torn = ["train" if i % 2 else "test" for i in range(N)]
    features(tmp_path / "f.parquet", by_well("a", "b"), more | {"Metadata_Part": torn})
    said = train(tmp_path, "--split", "Metadata_Part", code=65).said
    assert "10 leaks" in said and "--allow-leaks" in said and said.count("\n") == 1
    done = train(tmp_path, "--split", "Metadata_Part", "--allow-leaks")
    assert "group p/A01 is in test and train" in done.said
    table = pq.read_table(tmp_path / "f.parquet").to_pydict()
    for name, column in table.items():  # the last row once more, in another well
        if name.startswith("Nuclei_"):
            column[0] = column[-1]
    table["Metadata_Part"] = ["test" if i < 16 else "train" for i in range(N)]
    pq.write_table(pa.table(table, schema=pq.read_schema(tmp_path / "f.parquet")),
                   tmp_path / "g.parquet")
    said = train(tmp_path, "--split", "Metadata_Part", table="g.parquet", out="g.model",
                 code=65).said
    assert "1 leaks" in said and "duplicate rows" in said


def test_neighbours_in_time():
    movie = np.array(["m", "m", "m", "n", "n", "m"])
    t = np.array([0, 1, 1, 0, 1, 3])
    yx = np.array([[5.0, 5], [6, 5], [40, 5], [5, 5], [5, 6], [5, 5]])
    split = np.array(["train", "test", "test", "train", "train", "test"])
    (leak,) = audit_time(movie, t, yx, split, reach_px=4)
    assert (leak.kind, leak.what, leak.rows) == ("neighbours in time", "m", (0, 1))
    assert audit_time(movie, t, yx, split, reach_px=0.5) == []


@pytest.mark.parametrize(("args", "code", "said"), [
    (("--folds", 3, "--leave-one-out"), 2, "one of them"),
    (("--folds", 11), 65, "cannot fill 11 folds"),
    (("--folds", 3, "--fold", 3), 2, "--fold 3: there are 3 folds"),
    (("--split", "Metadata_Class", "--folds", 3), 2, "--split: expected without"),
    (("--group", "Metadata_Donor"), 65, "'Metadata_Donor': no such column"),
    (("--algorithm", "bagging"), 2, "--algorithm"),
])
def test_options_that_do_not_fit(tmp_path, args, code, said):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    assert said in train(tmp_path, *args, code=code).said


def test_a_network_per_fold(tmp_path):
    store(tmp_path / "a.crops.zarr", n=120, plates=3)
    done = call("train", "cnn", tmp_path / "a.crops.zarr", "--target", "Metadata_Class",
                "--leave-one-out", "--backbone", "lcnet_050", "--epochs", 1, "--batch", 20,
                "--size", 24, "-o", tmp_path / "c.model")
    assert done.records[-1]["folds"] == 3
    call("train", "predict", tmp_path / "c.model", tmp_path / "a.crops.zarr", "-o",
         tmp_path / "p.parquet")
    found = call("train", "score", tmp_path / "p.parquet").records[-1]
    card = models.load_card(tmp_path / "c.model")
    assert found["n"] == 120 and found["split"] == "test"
    assert found["balanced_accuracy"] == pytest.approx(
        card["metrics"]["test"]["balanced_accuracy"], abs=1e-9)
    assert "forest_baseline" in found and "untrained_baseline" in found
