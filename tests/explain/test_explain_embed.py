"""cell-explain embed: groups stay apart on every plane, and what cannot be laid is said."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_made import call, write_features, write_table

from libcell.explain import planes
from libcell.schema.validate import validate

GROUPS = ("a", "b", "<i>c")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """120 embeddings of six dimensions: three groups, two batches that do not matter."""
    path = tmp_path_factory.mktemp("embed") / "e.parquet"
    rng = np.random.default_rng(0)
    code = np.arange(120) % 3
    keys = pq.read_table(write_features(path, {}, 12, 10)).to_pydict()
    values = rng.normal(size=(120, 6)) + 8 * np.eye(6)[code]
    return write_table(path, "embeddings", keys | {
        "Metadata_Class": [GROUPS[c] for c in code],
        "Metadata_Batch": ["p" if i // 3 % 2 else "q" for i in range(120)],
        "Metadata_Dose": rng.random(120),
        **{f"emb_{i:04d}": values[:, i] for i in range(6)}})


def embed(table, out, *args, code=0):
    return call("explain", "embed", table, "-o", out, "--force", *args, code=code)


def test_ways_are_the_files_of_a_folder():
    assert planes.names() == ["pca", "tsne", "umap"]


@pytest.mark.parametrize("method", ["pca", "tsne", pytest.param("umap", marks=pytest.mark.slow)])
def test_groups_lie_apart_and_the_same_seed_gives_the_same_bytes(table, tmp_path, method):
    if method == "umap":
        pytest.importorskip("umap")
    done = embed(table, tmp_path / "p.parquet", "--method", method, "--colour", "Metadata_Class",
                 "--batch", "Metadata_Batch")
    said = done.records[-1]
    assert said["knn_purity"] > 0.95 and said["knn_purity_plane"] > 0.95
    assert said["knn_purity_chance"] == pytest.approx(1 / 3)
    assert said["batch_entropy"] > 0.9 and said["silhouette_plane"] > 0.5
    made = pq.read_table(tmp_path / "p.parquet")
    assert made.num_rows == 120 and "emb_0000" not in made.column_names
    assert made.column("Metadata_Class").to_pylist()[:3] == list(GROUPS)
    assert not validate(tmp_path / "p.parquet")
    embed(table, tmp_path / "q.parquet", "--method", method, "--colour", "Metadata_Class",
          "--batch", "Metadata_Batch")
    assert (tmp_path / "q.parquet").read_bytes() == (tmp_path / "p.parquet").read_bytes()


def test_a_bundle_has_figures_and_a_page(table, tmp_path):
    embed(table, tmp_path / "p.bundle", "--colour", "Metadata_Class,Metadata_Dose")
    assert not validate(tmp_path / "p.bundle")
    scores = pq.read_table(tmp_path / "p.bundle" / "scores.parquet").to_pylist()
    assert {r["label"] for r in scores if r["metric"] == "silhouette"} == {None, *GROUPS}
    assert {r["Metadata_Column"] for r in scores} == {"Metadata_Class"}
    page = (tmp_path / "p.bundle" / "plane.html").read_text()
    assert "<i>c" not in page and "neighbours of the same class" in page
    again = embed(table, tmp_path / "r.bundle", "--colour", "Metadata_Class,Metadata_Dose")
    assert again.code == 0
    assert (tmp_path / "r.bundle" / "plane.html").read_text() == page
    call("explain", "report", tmp_path / "p.bundle", "-o", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "Objects on a plane" in text and "How far classes lie apart" in text


def test_features_weigh_the_same(tmp_path):
    """One column in other units must not be the whole picture."""
    rng = np.random.default_rng(0)
    code = np.repeat([0, 1], 40)
    path = write_features(tmp_path / "f.parquet", {
        "Metadata_Class": [GROUPS[c] for c in code],
        "Nuclei_AreaShape_Area": 1e6 * rng.normal(size=80),
        "Nuclei_Intensity_MeanIntensity_DNA": code + 0.01 * rng.normal(size=80),
        "Nuclei_Intensity_StdIntensity_DNA": code + 0.01 * rng.normal(size=80)})
    found = [embed(path, tmp_path / "p.parquet", "--colour", "Metadata_Class", *more).records[-1]
             for more in ((), ("--scale", "none"), ("--families", "Intensity"))]
    assert found[0]["knn_purity"] == 1 and found[2]["silhouette"] > 0.9
    assert found[1]["knn_purity"] < 0.7


def test_columns_of_predictions_join(table, tmp_path):
    keys = pq.read_table(table).slice(0, 60).to_pydict()
    keys = {k: v for k, v in keys.items() if not k.startswith("emb_")}
    write_table(tmp_path / "q.parquet", "predictions", keys | {
        "target": keys["Metadata_Class"], "predicted": ["a"] * 60, "split": ["test"] * 60,
        "p_a": [1.0] * 60})
    embed(table, tmp_path / "p.parquet", "--join", tmp_path / "q.parquet", "--colour", "target")
    made = pq.read_table(tmp_path / "p.parquet")
    assert made.column("target").null_count == 60 and made.column("predicted").null_count == 60
    assert "p_a" not in [n for n in made.column_names if n.startswith("emb")]


def test_a_sample_is_said(table, tmp_path):
    done = embed(table, tmp_path / "p.parquet", "--rows", 50)
    assert done.records[-1]["n"] == 50 and "a sample of 50 of 120 rows" in done.said


def changed(table, tmp_path, at, value, rows=120):
    found = pq.read_table(table).slice(0, rows)
    name = "emb_0003"
    values = found.column(name).to_numpy().copy()
    values[at] = value
    place = found.column_names.index(name)
    pq.write_table(found.set_column(place, name, pa.array(values)), tmp_path / "bad.parquet")
    return tmp_path / "bad.parquet"


def test_nan_is_said_with_its_column(table, tmp_path):
    bad = changed(table, tmp_path, 7, np.nan)
    done = embed(bad, tmp_path / "p.parquet", code=65)
    assert "1 of 120 rows hold NaN" in done.said and "emb_0003" in done.said
    done = embed(bad, tmp_path / "p.parquet", "--missing", "rows")
    assert done.records[-1]["n"] == 119 and "1 of 120 rows have gaps" in done.said
    done = embed(bad, tmp_path / "p.parquet", "--missing", "columns")
    assert done.records[-1]["n"] == 120


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_too_few_points(table, tmp_path, rows):
    done = embed(changed(table, tmp_path, [], 0, rows), tmp_path / "p.parquet", code=65)
    assert f"{rows} rows: a plane needs 3" in done.said
    assert not (tmp_path / "p.parquet").exists()


@pytest.mark.parametrize(("args", "code", "said"), [
    (("--colour", "Metadata_Nothing"), 65, "no column 'Metadata_Nothing'; there are"),
    (("--batch", "x"), 65, "no column 'x'"),
    (("--method", "x"), 2, "--method x: expected pca, tsne, umap"),
    (("--method", "tsne", "--perplexity", 500), 2, "120 rows need a smaller one"),
    (("--method", "umap", "--neighbours", 500), 2, "120 rows have 2 to 119"),
])
def test_what_makes_no_sense(table, tmp_path, args, code, said):
    if "umap" in args:
        pytest.importorskip("umap")
    assert said in embed(table, tmp_path / "p.parquet", *args, code=code).said


def test_without_umap(table, tmp_path, monkeypatch):
    from libcell.explain.planes import umap

    monkeypatch.setattr(umap, "find_spec", lambda name: None)
    done = embed(table, tmp_path / "p.parquet", "--method", "umap", code=69)
    assert "pip install 'libcell[umap]'" in done.said
