"""cell-train sequence and predict on sequences made by hand: what works, what is refused."""

import itertools
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hand_made import PROVENANCE, call, files_of
from stage_stores import SIZE, STAGES, courses, store

from libcell.data import crops, models, tables
from libcell.errors import DataError
from libcell.train import sequence
from libcell.train.sequences import answers, orders
from libcell.train.sequences import courses as courses_module
from libcell.train.sequences.courses import stage_order

ORDER = ("--stages", ",".join(STAGES))
SMALL = ("--epochs", 1, "-j", 1, "--network-options",
         "width=4,hidden=8", "--rotate", 0)


def train(folder, *args, source="a.crops.zarr", out="m.model", code=0):
    return call("train", "sequence", folder / source, *ORDER, *SMALL, *args, "-o", folder / out,
                code=code)


def predict(folder, *args, source="a.crops.zarr", out="p.parquet", code=0):
    return call("train", "predict", folder / "m.model", folder / source, "-j", 1, *args, "-o",
                folder / out, code=code)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a.crops.zarr, every fifth sequence with a gap, and m.model."""
    folder = tmp_path_factory.mktemp("stages")
    store(folder / "a.crops.zarr", courses(24, 0), gaps=5)
    train(folder)
    return folder


def test_a_model_of_sequences(trained):
    card = models.load_card(trained / "m.model")
    assert card["classes"] == list(STAGES) and card["input"]["kind"] == "sequences"
    changes = np.array(card["stages"]["changes"])
    assert (changes > 0).tolist() == (np.eye(4, k=1) > 0).tolist()
    assert sum(card["training"]["sequences"].values()) == 24
    train(trained, out="again.model")
    assert files_of(trained / "again.model") == files_of(trained / "m.model")


def test_every_crop_is_predicted_in_an_order_that_training_has_seen(trained):
    predict(trained, "--decode", "--least-frames", "Bar=2")
    found = tables.read(trained / "p.parquet", "predictions")
    assert found.column("object_id").equals(
        crops.open_crops(trained / "a.crops.zarr").index().column("object_id"))
    chances = np.stack([found[f"p_{s}"] for s in STAGES], 1)
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-9)
    said = np.array([STAGES.index(s) for s in found["predicted"].to_pylist()])
    assert (said == chances.argmax(1)).all()
    track = np.array(found["Metadata_Track"])
    for one in np.unique(track):
        assert set(np.diff(said[track == one])) <= {0, 1}


def test_sequences_whose_frames_are_pictures_of_their_own(trained, tmp_path, monkeypatch):
    """Each frame its own field of view, a few fields a block: the same answer."""
    predict(trained, "--decode", out="one.parquet")
    made = tmp_path / "a.crops.zarr"
    shutil.copytree(trained / "a.crops.zarr", made)
    index = pq.read_table(made / "index.parquet")
    at = index.column_names.index("Metadata_Image")
    names = [f"{i}.{t}" for i, t in zip(index["Metadata_Image"].to_pylist(),
                                        index["Metadata_T"].to_pylist())]
    index = index.set_column(at, index.schema.field(at), pa.array(names))
    pq.write_table(index, made / "index.parquet")
    monkeypatch.setattr(answers, "CROPS", 7)
    call("train", "predict", trained / "m.model", made, "-j", 1, "--decode", "-o",
         tmp_path / "p.parquet")
    chances = {}
    for path in (trained / "one.parquet", tmp_path / "p.parquet"):
        table = pq.read_table(path)
        rows = np.stack([table[f"p_{s}"] for s in STAGES], 1)
        chances[path.stem] = dict(zip(table["object_id"].to_pylist(), rows))
    assert chances["p"].keys() == chances["one"].keys()
    for name, row in chances["p"].items():
        np.testing.assert_allclose(row, chances["one"][name], atol=1e-5)


def test_only_the_changes_that_are_named(trained, tmp_path):
    """Whatever the network thinks: from Before to After, and never back."""
    predict(trained, "--changes", "Before>After", out="c.parquet")
    found = pq.read_table(trained / "c.parquet")
    said = np.array(found["predicted"].to_pylist())
    track = np.array(found["Metadata_Track"])
    for one in np.unique(track):
        own = said[track == one]
        changed = {(a, b) for a, b in itertools.pairwise(own) if a != b}
        assert changed <= {("Before", "After")}


@pytest.mark.parametrize(("args", "said"), [
    (("--changes", "Bar>Late"), "knows no stage 'Late'"),
    (("--changes", "Bar"), "expected FROM>TO"),
    (("--least-frames", "Late=2"), "knows no stage 'Late'"),
    (("--least-frames", "Bar=0"), "expected STAGE=N"),
])
def test_rules_that_are_refused(trained, tmp_path, args, said):
    done = call("train", "predict", trained / "m.model", trained / "a.crops.zarr", "-j", 1, *args,
                "-o", tmp_path / "x.parquet", code=2)
    assert said in done.said and len(done.said.splitlines()) == 1


@pytest.mark.parametrize(("found", "wanted", "order"), [
    (["EarlyMitosis", "Interphase", "LateMitosis"], (), ["Interphase", "EarlyMitosis",
                                                         "LateMitosis"]),
    (["LateMitosis", "EarlyMitosis"], ("livecellminer",), ["EarlyMitosis", "LateMitosis"]),
    (["metaphase", "anaphase", "prophase"], ("Zhong",), ["prophase", "metaphase", "anaphase"]),
    (["b", "a"], ("b", "a"), ["b", "a"]),
    (["b", "a"], (), ["b", "a"]),
])
def test_orders_of_stages_by_name(found, wanted, order):
    assert stage_order(found, wanted) == order


def test_a_stage_of_another_scheme_is_refused():
    with pytest.raises(DataError, match="Bar, which the target has, is no stage of it"):
        stage_order(["Bar", "metaphase"], ("zhong",))


def test_stages_of_a_table(trained, tmp_path):
    index = crops.open_crops(trained / "a.crops.zarr").index()
    told = index.select(["Metadata_Image", "Metadata_T", "Metadata_Label", "Metadata_Stage"])
    told = told.rename_columns([*told.column_names[:3], "stage"])
    pyarrow.csv.write_csv(told, tmp_path / "t.csv")
    predict(trained, "--truth", tmp_path / "t.csv", "--target", "stage", out="t.parquet")
    assert pq.read_table(trained / "t.parquet")["target"].to_pylist() == (
        told["stage"].to_pylist())


@pytest.mark.parametrize("network", ["frames", "transformer"])
def test_other_networks_and_weak(trained, network, tmp_path):
    more = ("--network-options", "backbone=resnet10t", "--network", network, "--weak")
    call("train", "sequence", trained / "a.crops.zarr", *ORDER, "--epochs", 1,
         "-j", 1, *more, "-o", tmp_path / "m.model")
    assert models.load_card(tmp_path / "m.model")["calibration"]["rows"] == 0


@pytest.mark.parametrize(("args", "code", "said"), [
    (("--stages", "Bar,Two,After"), 65, "--stages lacks Before"),
    (("--stages", "Before,Bar,Two,After,Late"), 65, "never is Late"),
    (("--stages", "Bar,Bar"), 2, "stands in it twice"),
    (("--target", "Metadata_Phase"), 65, "no such column"),
    (("--network-options", "wide=3"), 2, "unknown option wide"),
    (("--size", 16), 2, "use --size 32 or more"),
])
def test_what_is_refused(trained, tmp_path, args, code, said):
    done = call("train", "sequence", trained / "a.crops.zarr", *SMALL, *args, "-o",
                tmp_path / "x.model", code=code)
    assert said in done.said and len(done.said.splitlines()) == 1


def test_order_alone_with_gaps_cut_films_and_single_frames(tmp_path):
    """Sequences shorter than the number of stages know the stages that they show; what is learnt
    from their order is close to what full stages teach, since the labels are nearly all right."""
    rng = np.random.default_rng(3)
    cut = [c[rng.integers(0, 6) :][: rng.integers(1, 20)] for c in courses(36, 1)]
    assert min(map(len, cut)) == 1
    store(tmp_path / "a.crops.zarr", cut, gaps=4)
    found = courses_module.material(
        tmp_path / "a.crops.zarr", crops.open_crops(tmp_path / "a.crops.zarr"),
        crops.open_crops(tmp_path / "a.crops.zarr").index(),
        sequence.Options(target="Metadata_Stage", stages=STAGES, group=("Metadata_Plate",)), 0)
    train = found.courses["train"]
    labels = orders.first(tmp_path / "a.crops.zarr", {"window_px": [32, 32], "channels": ["DNA"]},
                          train, len(STAGES))
    pairs = [(labels.of(i)[: len(c)], c.y) for i, c in enumerate(train)]
    said, truth = (np.concatenate(v) for v in zip(*pairs))
    assert (said == truth)[truth >= 0].mean() > 0.95


def write_orders(path, listed, stages="Before > Bar > Two > After"):
    names = dict.fromkeys(listed.column("sequence_id").to_pylist())
    table = pa.table({"sequence_id": list(names), "stages": [stages] * len(names)})
    pyarrow.csv.write_csv(table, path)


def test_orders_from_a_table_alone(trained, tmp_path):
    """The same model as from stages of which only the order is used; nobody can judge it."""
    made = tmp_path / "a.crops.zarr"
    store(made, courses(24, 0), gaps=5, names=(None,) * 4)
    write_orders(tmp_path / "o.csv", crops.open_crops(made).sequences())
    train(tmp_path, "--weak", "--orders", tmp_path / "o.csv")
    card = models.load_card(tmp_path / "m.model")
    assert card["classes"] == list(STAGES) and not card["metrics"]
    train(trained, "--weak", out="weak.model")
    one, two = (models.load_tensors(f / m) for f, m in ((tmp_path, "m.model"),
                                                        (trained, "weak.model")))
    assert all(np.array_equal(one[k], two[k]) for k in two)


@pytest.mark.parametrize(("stages", "said"), [
    (">".join(STAGES * 9), "every stage takes a frame at least"),
    ("Before>>After", "is no order"),
    ("Before>Late", "--stages lacks Late"),
])
def test_orders_that_are_refused(trained, tmp_path, stages, said):
    write_orders(tmp_path / "o.csv", crops.open_crops(trained / "a.crops.zarr").sequences(),
                 stages)
    done = train(trained, "--weak", "--orders", tmp_path / "o.csv", out="x.model", code=65)
    assert said in done.said and len(done.said.splitlines()) == 1


def test_an_empty_store(trained, tmp_path):
    """Nothing to predict is a table without rows; nothing to learn from is one line."""
    empty = tmp_path / "e.crops.zarr"
    crops.create(empty, 0, 1, (SIZE, SIZE), np.dtype(np.uint8))
    for name, kind in (("index", "objects"), ("sequences", "sequences")):
        table = pq.read_table(trained / "a.crops.zarr" / f"{name}.parquet").slice(0, 0)
        tables.write_parts(empty / f"{name}.parquet", [table], table.schema, kind, PROVENANCE)
    crops.seal(empty, n=0, channels=["DNA"], compartment="nuclei", size=(SIZE, SIZE),
               pixel_size_um=None, provenance=PROVENANCE)
    call("train", "predict", trained / "m.model", empty, "-j", 1, "--decode", "-o",
         tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet").num_rows == 0
    done = train(tmp_path, source="e.crops.zarr", code=65)
    assert len(done.said.splitlines()) == 1


def test_sequences_of_one_frame(trained, tmp_path):
    store(tmp_path / "b.crops.zarr", [np.array([i % 4]) for i in range(24)])
    assert "no sequence of two frames" in train(tmp_path, source="b.crops.zarr", code=65).said
    call("train", "predict", trained / "m.model", tmp_path / "b.crops.zarr", "-j", 1, "--decode",
         "--least-frames", "Bar=3", "-o", tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet").num_rows == 24


def test_scores_of_sequences(trained, tmp_path):
    """Stages that last a frame too long, by hand, are off by that frame."""
    predict(trained, out="s.parquet")
    table = pq.read_table(trained / "s.parquet")
    truth = np.array([STAGES.index(s) for s in table["target"].to_pylist()])
    late = np.where((truth == 2) & (np.roll(truth, 1) == 1), 1, truth)
    for name, values in [("predicted", np.array(STAGES)[late].tolist()),
                         *((f"p_{s}", (late == i).astype(float)) for i, s in enumerate(STAGES))]:
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(name), pa.array(values))
    pq.write_table(table, tmp_path / "p.parquet")
    call("train", "score", tmp_path / "p.parquet", "--split", "all", "-o", tmp_path / "score")
    rows = pq.read_table(tmp_path / "score" / "scores.parquet").to_pylist()
    found = {(r["metric"], r["label"]): r["value"] for r in rows}
    assert found["stage_frames_bias", "Bar"] == 1 and found["stage_frames_error", "Bar"] == 1
    assert found["stage_frames_bias", "Two"] == -1
    assert 2 <= found["stage_frames", "Bar"] <= 5
    assert ("stage_frames", "Before") not in found  # the film cuts it
    assert "Stages, frame by frame" in (tmp_path / "score" / "scores.html").read_text()
