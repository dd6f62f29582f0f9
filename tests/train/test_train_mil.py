"""cell-train mil, predict and score on bags made by hand: what works, what is refused."""

import shutil

import bag_tables
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from bag_tables import CLASSES
from hand_made import call, files_of
from sklearn.metrics import roc_auc_score

from libcell.data import models, tables
from libcell.run.job import Job

KNOWN = ("--target", "Metadata_Class", "--group", "Metadata_Batch")
FEW = ("--epochs", 1, "--passes", 1)
MANY = ("--epochs", 6, "--passes", 15, "--lr", 0.01)


def train(folder, *args, out="m.model", known=KNOWN, code=0):
    return call("train", "mil", folder / "bags.parquet", "--embeddings", folder / "e.parquet",
                *known, *args, "-o", folder / out, code=code)


def predict(folder, *args, model="m.model", out="p.bundle", code=0):
    return call("train", "predict", folder / model, folder / "bags.parquet", "--embeddings",
                folder / "e.parquet", *args, "-o", folder / out, code=code)


def both(bundle):
    return (tables.read(bundle / "predictions.parquet", "predictions"),
            tables.read(bundle / "attention.parquet", "bags"))


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A folder with bags of which one instance in 16 tells the class, two models of them and
    what they say; and which instances tell."""
    folder = tmp_path_factory.mktemp("bags")
    tells = bag_tables.write(folder, each=8, size=16, times=1, batch=0.3)
    for pooling in ("attention", "mean"):
        train(folder, "--pooling", pooling, *MANY, out=f"{pooling}.model")
        predict(folder, model=f"{pooling}.model", out=f"{pooling}.bundle")
    return folder, tells


def right(predicted):
    test = predicted.filter(pc.equal(predicted["split"], "test"))
    return pc.mean(pc.equal(test["target"], test["predicted"])).as_py(), test


def test_attention_beats_the_mean_and_points_at_what_tells(learnt):
    folder, tells = learnt
    predicted, attended = both(folder / "attention.bundle")
    accuracy, test = right(predicted)
    assert accuracy > 0.85 > right(both(folder / "mean.bundle")[0])[0] + 0.1
    held = pc.is_in(attended["bag_id"], test["object_id"].combine_chunks()).to_numpy()
    assert roc_auc_score(tells[held], attended["attention"].to_numpy()[held]) > 0.95
    even = both(folder / "mean.bundle")[1]["attention"].to_numpy()
    np.testing.assert_allclose(even, 1 / 16, atol=1e-6)


def test_rows_are_bags(learnt):
    folder, _ = learnt
    predicted, attended = both(folder / "attention.bundle")
    given = tables.read(folder / "bags.parquet", "bags")
    assert predicted["object_id"].to_pylist() == given["bag_id"].unique().to_pylist()
    assert set(predicted["Metadata_Compartment"].to_pylist()) == {"bag"}
    assert set(predicted["Metadata_Instances"].to_pylist()) == {16}
    chances = np.stack([predicted[f"p_{c}"] for c in CLASSES], 1)
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-9)
    for name in ("bag_id", "object_id", "position"):
        assert attended[name].to_pylist() == given[name].to_pylist()
    sums = attended.group_by("bag_id").aggregate([("attention", "sum")])["attention_sum"]
    np.testing.assert_allclose(sums.to_numpy(), 1, atol=1e-5)


def test_predictions_alone_and_as_a_stream(learnt, cell):
    folder, _ = learnt
    predict(folder, model="attention.model", out="p.parquet")
    assert pq.read_table(folder / "p.parquet").equals(
        pq.read_table(folder / "attention.bundle" / "predictions.parquet"))


def test_a_fold_for_each_batch(tmp_path):
    bag_tables.write(tmp_path, each=2)
    done = train(tmp_path, *FEW, "--leave-one-out")
    assert done.records[0]["folds"] == 4
    card = models.load_card(tmp_path / "m.model")
    assert {g for some in card["split"]["members"].values() for g in some} == {
        "b0", "b1", "b2", "b3"}
    predict(tmp_path)
    predicted, _ = both(tmp_path / "p.bundle")
    assert set(predicted["split"].to_pylist()) == {"test"}
    done = call("train", "score", tmp_path / "p.bundle" / "predictions.parquet", "--group",
                "Metadata_Batch")
    assert done.records[0]["mean_baseline"] and done.records[0]["n"] == 24
    card_says = card["metrics"]["test"]["balanced_accuracy"]
    assert done.records[0]["balanced_accuracy"] == pytest.approx(card_says)


def test_a_run_that_was_stopped_ends_with_the_same_bytes(tmp_path, monkeypatch):
    bag_tables.write(tmp_path, each=2)
    args = ("--epochs", 3, "--passes", 2, "--leave-one-out")
    train(tmp_path, *args, out="whole.model")
    keep, seen = Job.keep, []

    def stopping(job, phase, key):
        keep(job, phase, key)
        seen.append(phase)
        if seen.count("train-fold-1") == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Job, "keep", stopping)
    train(tmp_path, *args, code=130)
    monkeypatch.undo()
    train(tmp_path, *args, "--resume")
    assert files_of(tmp_path / "m.model") == files_of(tmp_path / "whole.model")


@pytest.mark.parametrize("pooling", ["max", "transformer"])
def test_other_poolings_whole_series_and_bags_of_one(tmp_path, pooling):
    bag_tables.write(tmp_path, each=2, size=1)
    train(tmp_path, *FEW, "--pooling", pooling, "--sampling", "whole", "--no-baselines")
    predict(tmp_path)
    predicted, attended = both(tmp_path / "p.bundle")
    assert (attended["attention"].to_numpy() == 1).all()
    assert not [c for c in predicted.column_names if c.startswith("baseline")]


def test_new_bags_of_features(tmp_path):
    """A table of features does as well; bags of another experiment are new."""
    bag_tables.write(tmp_path, each=2)
    bag_tables.write(tmp_path / "new", each=1, batches=2, name="n")
    for path in (tmp_path / "e.parquet", tmp_path / "new" / "ne.parquet"):
        table = tables.read(path, "embeddings")
        names = [c.replace("emb_", "Cells_Texture_F") for c in table.column_names]
        table = tables.stamp(table.rename_columns(names), "features", {})
        pq.write_table(table, path)
    train(tmp_path, *FEW)
    call("train", "predict", tmp_path / "m.model", tmp_path / "new" / "nbags.parquet",
         "--embeddings", tmp_path / "new" / "ne.parquet", "-o", tmp_path / "n.bundle")
    assert set(both(tmp_path / "n.bundle")[0]["split"].to_pylist()) == {"new"}


# -- what is refused ---------------------------------------------------------------------


def changed(path, change):
    """A table rewritten by `change` of its Arrow table."""
    table = pq.read_table(path)
    made = change(table)
    pq.write_table(made.replace_schema_metadata(table.schema.metadata), path)


def with_values(table, name, values):
    place = table.column_names.index(name)
    return table.set_column(place, name, pa.array(values, table.schema.field(name).type))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    bag_tables.write(folder, each=2)
    train(folder, *FEW)
    return folder


@pytest.fixture
def copy(plain, tmp_path):
    shutil.copytree(plain, tmp_path / "c")
    return tmp_path / "c"


def test_empty_and_nearly_empty_tables(copy):
    changed(copy / "bags.parquet", lambda t: t.slice(0, 0))
    assert "holds no bag" in train(copy, out="x.model", code=65).said


def test_instances_that_the_embeddings_lack(copy):
    changed(copy / "e.parquet", lambda t: t.slice(6))
    done = train(copy, out="x.model", code=65)
    assert "6 of 144 instances are not in --embeddings" in done.said
    assert len(done.said.splitlines()) == 1
    done = train(copy, *FEW, "--allow-missing", out="x.model")
    assert "1 bags are left out" in done.said
    predict(copy, code=65)
    predict(copy, "--allow-missing")
    assert both(copy / "p.bundle")[0].num_rows == 23
    changed(copy / "e.parquet", lambda t: t.slice(0, 0))
    assert "of one crop store" in train(copy, "--allow-missing", out="y.model", code=65).said


def test_no_number_and_infinity(copy):
    values = pq.read_table(copy / "e.parquet")["emb_0003"].to_pylist()
    changed(copy / "e.parquet", lambda t: with_values(t, "emb_0003", [None, *values[1:]]))
    changed(copy / "e.parquet", lambda t: with_values(t, "emb_0005", [None] * t.num_rows))
    train(copy, *FEW, out="x.model")
    predict(copy, model="x.model")
    changed(copy / "e.parquet", lambda t: with_values(t, "emb_0003", [np.inf, *values[1:]]))
    assert "infinite value in emb_0003" in train(copy, out="y.model", code=65).said
    for i in range(bag_tables.FEATURES):
        changed(copy / "e.parquet", lambda t, i=i: with_values(
            t, f"emb_{i:04d}", [None, *t[f"emb_{i:04d}"].to_pylist()[1:]]))
    assert "1 of 144 instances" in train(copy, out="y.model", code=65).said


@pytest.mark.parametrize(("column", "value", "said"), [
    ("Metadata_Class", "a", "only one class"),
    ("Metadata_Batch", None, "--group Metadata_Batch: some rows have no value"),
])
def test_one_class_and_no_groups(copy, column, value, said):
    changed(copy / "e.parquet", lambda t: with_values(t, column, [value] * t.num_rows))
    done = train(copy, out="x.model", code=65)
    assert said in done.said and len(done.said.splitlines()) == 1


@pytest.mark.parametrize(("args", "code", "said"), [
    (("--target", "Metadata_Line"), 65, "no such column"),
    (("--target", "Metadata_Label"), 65, "has instances of two"),
    (("--group", "Metadata_Flask"), 65, "no such column"),
    (("--pooling", "sum"), 2, "there is none"),
    (("--pooling-options", "hidden"), 2, "expected name=value"),
    (("--folds", 9), 65, "cannot fill 9 folds"),
])
def test_options_that_do_not_fit(plain, args, code, said):
    done = train(plain, *args, out="x.model", code=code)
    assert said in done.said and len(done.said.splitlines()) == 1


def test_two_bags_of_one_name_and_two_rows_of_one_instance(plain):
    twice = call("train", "mil", plain / "bags.parquet", plain / "bags.parquet", "--embeddings",
                 plain / "e.parquet", *KNOWN, "-o", plain / "x.model", code=65)
    assert "is in another table, too" in twice.said or "given twice" in twice.said
    twice = train(plain, "--embeddings", plain / "e.parquet", out="x.model", code=65)
    assert "stands in two rows" in twice.said


def test_an_instance_in_bags_of_two_parts_is_a_leak(copy):
    changed(copy / "bags.parquet", lambda t: with_values(
        t, "object_id", [*t["object_id"].to_pylist()[:-1], t["object_id"][0].as_py()]))
    for i, name in enumerate(("Metadata_Class", "Metadata_Batch")):
        changed(copy / "bags.parquet", lambda t, i=i, name=name: t.append_column(
            name, pa.array([b.split("/")[i] for b in t["bag_id"].to_pylist()])))
    done = train(copy, *FEW, "--leave-one-out", out="x.model", code=65)
    assert "leaks between the parts" in done.said
    train(copy, *FEW, "--leave-one-out", "--allow-leaks", out="x.model")


def test_predict_says_what_belongs_to_which_model(plain):
    done = call("train", "predict", plain / "m.model", plain / "bags.parquet", "-o",
                plain / "x.parquet", code=2)
    assert "say --embeddings" in done.said
    call("train", "forest", plain / "e.parquet", *KNOWN, "--trees", 2, "-o", plain / "f.model")
    done = call("train", "predict", plain / "f.model", plain / "e.parquet", "-o",
                plain / "x.bundle", code=2)
    assert "are for models of bags" in done.said


def test_presets_of_several_values(plain, cell):
    done = cell("train", "mil", "b.parquet", "--embeddings", "e.parquet", "--target", "x",
                "--preset", "clanet", "--dump-config", "-o", "x.model")
    assert 'pooling_options = ["width=0", "dropout=0"]' in done.stdout
