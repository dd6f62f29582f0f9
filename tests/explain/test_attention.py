"""cell-explain attention: crops of bags back in their field, stages of sequences over time."""

import re

import numpy as np
import pyarrow.parquet as pq
import pytest
import seen_sets
from hand_made import call, write_images, write_table

from libcell.data import tables
from libcell.explain.attended.stages import matrix, of_tables

N = 12


@pytest.fixture(scope="module")
def bags(tmp_path_factory):
    """Twelve crops in two bags; in each the last crop holds most of the attention."""
    folder = tmp_path_factory.mktemp("attention")
    store = seen_sets.write(folder / "c.crops.zarr", False, n=N)
    names = pq.read_table(store / "index.parquet")["object_id"].to_pylist()
    weight = np.tile([0.05, 0.05, 0.05, 0.05, 0.1, 0.7], 2)
    (folder / "said").mkdir()
    write_table(folder / "said" / "attention.parquet", "bags", {
        "bag_id": ["first"] * 6 + ["<b>second"] * 6, "object_id": names,
        "position": list(range(6)) * 2, "attention": weight})
    keys = {k: [None] * 2 for k in ("Metadata_Plate", "Metadata_Well", "Metadata_Site")}
    write_table(folder / "said" / "predictions.parquet", "predictions", {
        "object_id": ["first", "<b>second"], **keys, "Metadata_Image": ["i0", "i6"],
        "Metadata_T": [0, 0], "Metadata_Label": [1, 1], "Metadata_Compartment": ["nuclei"] * 2,
        "target": ["dark", None], "predicted": ["dark", "bright"], "split": ["test"] * 2,
        "p_dark": [0.9, 0.2], "p_bright": [0.1, 0.8]})
    rng = np.random.default_rng(0)
    write_images(folder / "p.ome.zarr", {
        f"i{i}": rng.integers(0, 900, (1, 1, 1, 64, 64)).astype(np.uint16) for i in range(N)})
    return folder


def attention(folder, *args, out="x.html", code=0):
    done = call("explain", "attention", *args, "-c", folder / "c.crops.zarr", "-o", folder / out,
                "--force", code=code)
    return done, (folder / out).read_text() if not code else ""


def test_the_most_attended_come_first(bags):
    done, page = attention(bags, bags / "said", "--each", 2)
    assert done.records[-1]["schema"] == "report/1" and done.records[-1]["n"] == 2
    named = re.findall(r'title="([^"]+)"', page)
    index = pq.read_table(bags / "c.crops.zarr" / "index.parquet")["object_id"].to_pylist()
    assert named[:2] == [index[5], index[4]] and len(named) == 8
    assert named[2] in index[:4] and named[4] == index[11]
    assert "known dark" in page and "predicted bright (0.80)" in page
    assert "&lt;b&gt;second" in page and "<b>second" not in page
    assert "tenth holds 70% of the attention" in page and "plotly" not in page.lower()


def test_back_in_the_field_of_view(bags):
    _, page = attention(bags, bags / "said", "--images", bags / "p.ome.zarr", "--most", 1)
    assert "i5, frame 0" in page and "i11, frame 0" not in page


def test_instances_that_the_store_lacks(bags, tmp_path):
    table = pq.read_table(bags / "said" / "attention.parquet")
    wrong = write_table(tmp_path / "b.parquet", "bags", {
        "bag_id": ["a"], "object_id": ["nobody"], "position": [0], "attention": [1.0]})
    assert "lacks 1 of the bags' instances, e.g. nobody" in attention(bags, wrong, code=65)[0].said
    bare = table.drop_columns(["attention"])
    tables.write_parts(tmp_path / "n.parquet", [bare], bare.schema, "bags", {})
    assert "has no column attention" in attention(bags, tmp_path / "n.parquet", code=65)[0].said


# -- sequences ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def films(bags):
    """The same crops as two sequences of six frames, the second with a gap."""
    index = pq.read_table(bags / "c.crops.zarr" / "index.parquet")
    names = index["object_id"].to_pylist()
    listed = [*names[:6], *names[6:8], None, *names[8:]]
    write_table(bags / "c.crops.zarr" / "sequences.parquet", "sequences", {
        "sequence_id": ["s1"] * 6 + ["s2"] * 7, "object_id": listed,
        "Metadata_T": [*range(6), *range(7)], "position": [*range(6), *range(7)]})
    stage = np.array([0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1])
    own = {k: index[k] for k in index.column_names if k.startswith("Metadata_")}
    own.pop("Metadata_Class")
    write_table(bags / "p.parquet", "predictions", {
        "object_id": names, **own, "target": np.array(["early", "late"])[stage].tolist(),
        "predicted": np.array(["early", "late"])[stage].tolist(), "split": ["new"] * N,
        "p_early": 0.8 - 0.6 * stage, "p_late": 0.2 + 0.6 * stage})
    return bags


def test_stages_over_time(films):
    done, page = attention(films, films / "p.parquet")
    assert done.records[-1]["n"] == 2
    assert "Stages seen" in page and "Stages known" in page and "How sure: s2" in page


def test_a_gap_stays_a_gap(films):
    classes, courses = of_tables(pq.read_table(films / "p.parquet"), pq.read_table(
        films / "c.crops.zarr" / "sequences.parquet"), "here")
    assert classes == ["early", "late"] and [c.name for c in courses] == ["s1", "s2"]
    assert np.isnan(courses[1].chances[2]).all() and courses[1].predicted[2] == -1
    expected = [[0, 0, 0, 1, 1, 1, np.nan], [0, 0, np.nan, 1, 1, 1, 1]]
    np.testing.assert_array_equal(matrix(courses, "predicted"), expected)


def test_predictions_of_single_crops(tmp_path, films):
    seen_sets.write(tmp_path / "c.crops.zarr", False, n=2)
    done, _ = attention(tmp_path, films / "p.parquet", code=65)
    assert "holds no sequences" in done.said and "cell-crop sequences" in done.said
