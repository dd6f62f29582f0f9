"""cell-train and cell-explain importance on tables as they come: classes, gaps, new data."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_made import call, files_of, write_features, write_table

from libcell.data import models, tables

N = 80


def features(path, target, columns=None, wells=10):
    """A table in which Area tells `target` (one value per row) apart and Noise does not."""
    rng = np.random.default_rng(0)
    n = wells * 8
    _, code = np.unique(np.array([str(v) for v in target]), return_inverse=True)
    own = {
        "Metadata_Class": list(target),
        "Nuclei_AreaShape_Area": 10.0 * code + rng.normal(0, 1, n),
        "Nuclei_Texture_Noise": rng.normal(0, 1, n),
        "Nuclei_Intensity_MeanIntensity_DNA": rng.normal(0, 1, n),
    }
    return write_features(path, own | (columns or {}), wells=wells)


def by_well(*classes, wells=10):
    """Classes in turn, one per well."""
    return [classes[w % len(classes)] for w in range(wells) for _ in range(8)]


def train(folder, *args, table="f.parquet", out="c.model", code=0):
    return call("train", "forest", folder / table, "--target", "Metadata_Class", "--trees", 20,
                "-o", folder / out, *args, code=code)


def predict(folder, *args, table="f.parquet", out="p.parquet", code=0):
    return call("train", "predict", folder / table, "-m", folder / "c.model", "-o", folder / out,
                *args, code=code)


def score(folder, *args, table="p.parquet", out="score", code=0):
    return call("train", "score", folder / table, "-o", folder / out, *args, code=code)


def importance(folder, *args, table="f.parquet", out="i.parquet", code=0):
    return call("explain", "importance", folder / table, "-m", folder / "c.model", "--repeats", 3,
                "-o", folder / out, *args, code=code)


@pytest.mark.parametrize("classes", [("1", "-1"), (1, -1), (0.5, 10.0), (True, False),
                                     ("a b", "<x>"), ("p|q", "ü")])
def test_classes_of_every_kind(tmp_path, classes):
    features(tmp_path / "f.parquet", by_well(*classes))
    done = train(tmp_path)
    assert done.records[-1]["balanced_accuracy"] == 1
    predict(tmp_path)
    found = pq.read_table(tmp_path / "p.parquet")
    assert found.column("predicted").to_pylist() == found.column("target").to_pylist()
    card = models.load_card(tmp_path / "c.model")
    assert sorted(card["classes"]) == card["classes"] == sorted(
        set(found.column("target").to_pylist()))
    assert [n for n in found.column_names if n.startswith("p_")] == [
        f"p_{c}" for c in card["classes"]]
    done = score(tmp_path)
    assert done.records[-1]["balanced_accuracy"] == 1 and done.records[-1]["split"] == "test"
    importance(tmp_path)
    rows = {r["group"]: r["importance"]
            for r in pq.read_table(tmp_path / "i.parquet").to_pylist()}
    assert rows["family: AreaShape"] > 0.2 > abs(rows["family: Texture"])
    call("explain", "report", tmp_path / "f.parquet", tmp_path / "c.model",
         tmp_path / "p.parquet", tmp_path / "score" / "scores.parquet", tmp_path / "i.parquet",
         "-o", tmp_path / "r.html")


def test_wells_are_held_out_whole(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    train(tmp_path)
    predict(tmp_path)
    found = pq.read_table(tmp_path / "p.parquet").to_pylist()
    parts = {}
    for row in found:
        parts.setdefault(row["Metadata_Well"], set()).add(row["split"])
    assert all(len(p) == 1 for p in parts.values())
    assert {p for some in parts.values() for p in some} == {"train", "validation", "test"}


@pytest.mark.parametrize(("target", "wells", "said"), [
    (by_well("a"), 10, "only one class"),
    (["a"] * 8 + ["b"] * 72, 10, "one group only"),
    (by_well("a", "b", wells=2), 2, "group"),
    ([None] * N, 10, "no row has a value"),
])
def test_what_cannot_be_learnt(tmp_path, target, wells, said):
    features(tmp_path / "f.parquet", target, wells=wells)
    done = train(tmp_path, code=65)
    assert said in done.said and len(done.said.splitlines()) == 1
    assert not (tmp_path / "c.model").exists()


def test_features_that_are_not_there(tmp_path):
    """NaN is a value; a column of nothing else is left out; infinity is refused by name."""
    hole = np.where(np.arange(N) % 7 == 0, np.nan, np.arange(N) * 1.0)
    features(tmp_path / "f.parquet", by_well("a", "b"), {
        "Nuclei_Texture_Holes": hole, "Nuclei_Texture_Nothing": np.full(N, np.nan),
        "Nuclei_Texture_Same": np.ones(N), "Nuclei_Texture_Null": [None] * N,
        "Nuclei_Remark_Text": ["fine"] * N})
    train(tmp_path)
    names = models.load_card(tmp_path / "c.model")["input"]["columns"]
    assert "Nuclei_Texture_Holes" in names
    assert not {"Nuclei_Texture_Nothing", "Nuclei_Texture_Same", "Nuclei_Texture_Null",
                "Nuclei_Remark_Text"} & set(names)
    predict(tmp_path)
    assert pq.read_table(tmp_path / "p.parquet").num_rows == N
    bad = np.arange(N) * 1.0
    bad[5] = np.inf
    features(tmp_path / "g.parquet", by_well("a", "b"), {"Nuclei_Texture_Holes": bad})
    assert "Nuclei_Texture_Holes" in train(tmp_path, table="g.parquet", out="g.model",
                                           code=65).said
    done = predict(tmp_path, table="g.parquet", out="q.parquet", code=65)
    assert "Nuclei_Texture_Holes" in done.said


def test_rows_without_a_class_are_not_learnt_but_predicted(tmp_path):
    target = [None if i % 8 == 3 else v for i, v in enumerate(by_well("a", "b"))]
    features(tmp_path / "f.parquet", target)
    train(tmp_path)
    predict(tmp_path)
    found = pq.read_table(tmp_path / "p.parquet")
    assert found.num_rows == N and found.column("target").null_count == 10
    assert found.column("predicted").null_count == 0
    score(tmp_path)


def test_a_target_of_any_name_is_no_feature(tmp_path):
    dose = [1.0 if c == "a" else 2.0 for c in by_well("a", "b")]
    features(tmp_path / "f.parquet", by_well("a", "b"), {"Nuclei_Layout_Dose": dose})
    call("train", "forest", tmp_path / "f.parquet", "--target", "Nuclei_Layout_Dose", "--trees",
         5, "-o", tmp_path / "c.model")
    card = models.load_card(tmp_path / "c.model")
    assert card["classes"] == ["1", "2"]
    assert "Nuclei_Layout_Dose" not in card["input"]["columns"]
    predict(tmp_path)
    assert pq.read_table(tmp_path / "p.parquet").column("target").null_count == 0
    done = predict(tmp_path, "--target", "Metadata_Nope", out="q.parquet", code=65)
    assert "'Metadata_Nope': no such column" in done.said


def test_a_table_that_lacks_columns(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    train(tmp_path)
    table = pq.read_table(tmp_path / "f.parquet").drop_columns(["Nuclei_AreaShape_Area"])
    pq.write_table(table, tmp_path / "g.parquet")
    for method in (predict, importance):
        done = method(tmp_path, table="g.parquet", out="x.parquet", code=65)
        assert "needs 1 columns that the table lacks, e.g. Nuclei_AreaShape_Area" in done.said


def test_new_data_of_other_wells_and_fewer_classes(tmp_path):
    """A model goes to a plate that it never saw, with one class missing and without wells."""
    features(tmp_path / "f.parquet", by_well("a", "b", "c", wells=12), wells=12)
    train(tmp_path)
    new = features(tmp_path / "g.parquet", by_well("a", "c"))
    table = pq.read_table(new)
    at = table.column_names.index("Metadata_Plate")
    moved = table.set_column(at, "Metadata_Plate", [["other"] * N])
    pq.write_table(moved, tmp_path / "new.parquet")
    blank = moved.set_column(table.column_names.index("Metadata_Well"),
                             "Metadata_Well", pa.nulls(N, pa.string()))
    pq.write_table(blank, tmp_path / "blank.parquet")
    for name in ("new", "blank"):
        predict(tmp_path, table=f"{name}.parquet", out=f"{name}_p.parquet")
        assert set(pq.read_table(tmp_path / f"{name}_p.parquet").column("split").to_pylist()) == {
            "new"}
        done = importance(tmp_path, table=f"{name}.parquet", out=f"{name}_i.parquet")
        assert "no row is of the model's test part" in done.said
        assert score(tmp_path, table=f"{name}_p.parquet", out=f"{name}_s").records[-1][
            "split"] == "new"
    text = importance(tmp_path, "--split", "test", table="new.parquet", out="x.parquet",
                      code=65).said
    assert "no row is of it" in text


def test_importance_without_the_classes(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    train(tmp_path)
    features(tmp_path / "g.parquet", by_well("x", "y"))
    done = importance(tmp_path, table="g.parquet", out="x.parquet", code=65)
    assert "a, b" in done.said and "--classes" not in done.said


def test_scores_without_targets(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    train(tmp_path)
    table = pq.read_table(tmp_path / "f.parquet").drop_columns(["Metadata_Class"])
    pq.write_table(table, tmp_path / "g.parquet")
    predict(tmp_path, table="g.parquet")
    assert pq.read_table(tmp_path / "p.parquet").column("target").null_count == N
    assert "no row of test has a known class" in score(tmp_path, code=65).said


def test_scores_of_classes_that_the_model_does_not_know(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b", "c"))
    train(tmp_path, "--classes", "a,b")
    assert models.load_card(tmp_path / "c.model")["classes"] == ["a", "b"]
    predict(tmp_path)
    done = score(tmp_path, "--split", "all")
    assert 0.5 < done.records[-1]["accuracy"] <= 56 / 80
    rows = pq.read_table(tmp_path / "score" / "scores.parquet").to_pylist()
    wrong = [r for r in rows if r["metric"] == "confusion" and r["label"] == "c"]
    assert sum(r["value"] for r in wrong) == 24
    assert "never is 'x'" in train(tmp_path, "--classes", "a,x", out="x.model", code=65).said


def test_an_empty_table(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    train(tmp_path)
    empty = pq.read_table(tmp_path / "f.parquet").slice(0, 0)
    pq.write_table(empty, tmp_path / "e.parquet")
    predict(tmp_path, table="e.parquet")
    found = tables.read(tmp_path / "p.parquet", "predictions")
    assert found.num_rows == 0 and "p_a" in found.column_names
    assert score(tmp_path, code=65).said.count("\n") == 1
    assert train(tmp_path, table="e.parquet", out="e.model", code=65).said.count("\n") == 1
    done = importance(tmp_path, table="e.parquet", out="e_i.parquet", code=65)
    assert done.said.count("\n") == 1


def test_groups_are_held_out_by_name(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    train(tmp_path, "--hold-out", "p/A01,p/A02")
    split = models.load_card(tmp_path / "c.model")["split"]
    assert split["groups"]["test"] == ["p/A01", "p/A02"]
    assert len(split["groups"]["train"]) == 6 and len(split["groups"]["validation"]) == 2
    said = train(tmp_path, "--hold-out", "A01", out="d.model", code=65).said
    assert "there is no group A01; there are p/A01" in said
    odd = ["c"] * 8 + by_well("a", "b", wells=9)
    features(tmp_path / "g.parquet", odd)
    assert "1 of 3 classes" in train(tmp_path, "--hold-out", "p/A01", table="g.parquet",
                                     out="d.model", code=65).said


@pytest.mark.parametrize("args", [("--fractions", "0.5,0.5"), ("--fractions", "1,1,1"),
                                  ("--max-features", "2.5"), ("--max-features", "log10"),
                                  ("--families", "Nope"), ("--compartments", "Cells")])
def test_options_that_do_not_work(tmp_path, args):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    done = train(tmp_path, *args, code=2)
    assert len(done.said.splitlines()) == 1


def test_columns_are_chosen(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    train(tmp_path, "--families", "AreaShape,Texture", "--per-class", 12)
    card = models.load_card(tmp_path / "c.model")
    assert card["input"]["columns"] == ["Nuclei_AreaShape_Area", "Nuclei_Texture_Noise"]


def test_workers_leave_no_trace_and_seeds_do(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    for out, args in (("one", ("-j", 1)), ("two", ("-j", 2)), ("seed", ("--seed", 7))):
        train(tmp_path, *args, out=f"{out}/c.model")
    one, two, seed = (files_of(tmp_path / n) for n in ("one", "two", "seed"))
    assert one == two != seed
    card = json.loads(one["c.model/model.json"])
    assert str(tmp_path) not in json.dumps(card) and "workers" not in json.dumps(card)
    assert card["seed"] == 0 and card["training_data"].startswith("sha256:")


def test_predictions_in_blocks_and_resumed(tmp_path, monkeypatch):
    from libcell.train import predict as method

    features(tmp_path / "f.parquet", by_well("a", "b"))
    train(tmp_path)
    predict(tmp_path, out="whole/p.parquet")
    monkeypatch.setattr(method, "ROWS", 13)
    real, seen = method.predict_rows, []

    class Killed(BaseException):
        pass

    def dying(**args):
        seen.append(1)
        if len(seen) == 4:
            raise Killed
        return real(**args)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(method, "predict_rows", dying)
        predict(tmp_path)
    predict(tmp_path, "--resume", "-j", 2)
    assert (tmp_path / "p.parquet").read_bytes() == (tmp_path / "whole" / "p.parquet").read_bytes()


def test_embeddings_are_learnt_too(tmp_path):
    rng = np.random.default_rng(0)
    target = by_well("a", "b")
    keys = pq.read_table(features(tmp_path / "f.parquet", target))
    own = {n: keys.column(n) for n in keys.column_names
           if n.startswith("Metadata_") or n == "object_id"}
    shift = np.array([t == "b" for t in target]) * 5.0
    for i in range(3):
        own[f"emb_{i:04d}"] = shift * (i == 1) + rng.normal(0, 1, N)
    write_table(tmp_path / "e.parquet", "embeddings", own)
    train(tmp_path, table="e.parquet")
    assert models.load_card(tmp_path / "c.model")["input"]["kind"] == "embeddings"
    predict(tmp_path, table="e.parquet")
    importance(tmp_path, table="e.parquet")
    done = predict(tmp_path, table="f.parquet", out="x.parquet", code=65)
    assert "embeddings" in done.said


def test_tables_joined_from_two_plates(tmp_path):
    features(tmp_path / "f.parquet", by_well("a", "b"))
    other = pq.read_table(tmp_path / "f.parquet")
    ids = [f"Q/{i}" for i in other.column("object_id").to_pylist()]
    moved = other.set_column(0, "object_id", [ids]).set_column(1, "Metadata_Plate", [["q"] * N])
    pq.write_table(moved, tmp_path / "g.parquet")
    call("train", "forest", tmp_path / "f.parquet", tmp_path / "g.parquet", "--target",
         "Metadata_Class", "--trees", 5, "-o", tmp_path / "c.model")
    card = models.load_card(tmp_path / "c.model")
    assert card["split"]["by"] == ["Metadata_Plate", "Metadata_Well"]
    assert sum(card["split"]["rows"].values()) == 2 * N
