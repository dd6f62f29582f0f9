"""cell-explain importance reads every model of trees, and finds the column that matters."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from hand_made import call, write_features

from libcell.data import matrix, models
from libcell.explain.kernels import trees
from libcell.schema.validate import validate

TELLS = "Nuclei_Intensity_MeanIntensity_DNA"
TWIN = "Nuclei_Intensity_MedianIntensity_DNA"
QUICK = {"forest": ("--trees", 10), "folds": ("--trees", 10, "--folds", 3),
         "boosted": ("--algorithm", "boosting", "--trees", 20, "--min-samples-leaf", 2),
         "boosted-folds": ("--algorithm", "boosting", "--trees", 20, "--min-samples-leaf", 2,
                           "--folds", 3)}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Ten wells; two columns of intensity tell the class, shape and texture do not."""
    folder = tmp_path_factory.mktemp("importance")
    rng = np.random.default_rng(0)
    code = np.arange(160) % 2
    told = 4 * code + rng.normal(size=160)
    told[5] = np.nan
    write_features(folder / "f.parquet", {
        "Metadata_Class": np.array(["<a>", "b"], object)[code], TELLS: told,
        TWIN: told + 0.01 * rng.normal(size=160),
        "Nuclei_Intensity_MeanIntensity_RNA": rng.normal(size=160),
        "Nuclei_AreaShape_Area": rng.normal(size=160),
        "Nuclei_Texture_Contrast_RNA_3_00_256": rng.normal(size=160)}, rows=16)
    for name, args in QUICK.items():
        call("train", "forest", folder / "f.parquet", "--target", "Metadata_Class", *args,
             "-o", folder / f"{name}.model")
    return folder


def importance(folder, model, out, *args, code=0):
    return call("explain", "importance", folder / "f.parquet", "-m", folder / f"{model}.model",
                "-o", out, "--force", *args, code=code)


@pytest.mark.parametrize("model", QUICK)
def test_every_kind_of_model_shows_its_family_and_channel(work, tmp_path, model):
    importance(work, model, tmp_path / "i.parquet", "--repeats", 3)
    made = {r["group"]: r["importance"] for r in pq.read_table(tmp_path / "i.parquet").to_pylist()}
    assert max(made, key=made.get) in ("family: Intensity", "channel: DNA")
    assert made["channel: DNA"] > 0.25 and abs(made["family: AreaShape"]) < 0.1
    importance(work, model, tmp_path / "j.parquet", "--repeats", 3)
    assert (tmp_path / "i.parquet").read_bytes() == (tmp_path / "j.parquet").read_bytes()


def test_twins_hide_each_other_and_groups_do_not(work, tmp_path):
    importance(work, "boosted", tmp_path / "i.parquet", "--by", "column,family-channel,family")
    rows = pq.read_table(tmp_path / "i.parquet").to_pylist()
    made = {r["group"]: r for r in rows}
    assert made["family-channel: Intensity, DNA"]["columns"] == 2
    single = max(made[f"column: {n}"]["importance"] for n in (TELLS, TWIN))
    assert made["family-channel: Intensity, DNA"]["importance"] >= single
    assert {r["score"] for r in rows} == {"balanced_accuracy"}


@pytest.mark.parametrize("model", ["boosted", "boosted-folds"])
def test_shap_values_add_up_to_the_score(work, tmp_path, model):
    """Against what the trees say themselves: softmax of base plus contributions."""
    root, table = work / f"{model}.model", pq.read_table(work / "f.parquet")
    card = models.load_card(root)
    X = matrix.matrix(table, card["input"]["columns"])
    answers = trees.predictor(root, card, table)(X)
    (rows, found), = trees.contributions(root, card, table, X)
    assert found.shape == (160, 2, 6) and rows.tolist() == list(range(160))
    score = found.sum(axis=2)
    assert (np.array(card["classes"])[score.argmax(axis=1)] == answers).all()
    if model == "boosted":
        said = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
        chances = trees._member(root, {n: i for i, n in enumerate(card["input"]["columns"])})[0]
        assert np.allclose(said, chances.predict_proba(X))


def test_a_bundle_of_shap_values(work, tmp_path):
    importance(work, "boosted-folds", tmp_path / "i.bundle", "--method", "shap", "--objects", 50,
               "--top", 3)
    assert not validate(tmp_path / "i.bundle")
    rows = pq.read_table(tmp_path / "i.bundle" / "importances.parquet").to_pylist()
    assert rows[0]["group"] in (f"column: {TELLS}", f"column: {TWIN}")
    assert rows[0]["importance"] > 3 * rows[2]["importance"]
    swarm = pq.read_table(tmp_path / "i.bundle" / "contributions.parquet")
    assert swarm.num_rows == 150 and set(swarm.column("label").to_pylist()) == {"<a>", "b"}
    page = (tmp_path / "i.bundle" / "importance.html").read_text()
    assert "How single answers come about" in page
    call("explain", "report", tmp_path / "i.bundle", "-o", tmp_path / "r.html")
    assert "mean |SHAP|" in (tmp_path / "r.html").read_text()


def test_a_sample_is_said(work, tmp_path):
    done = importance(work, "forest", tmp_path / "i.parquet", "--split", "all", "--rows", 60)
    assert "a sample of 60 of 160 rows" in done.said


@pytest.mark.parametrize(("model", "args", "code", "said"), [
    ("forest", ("--method", "shap"), 65, "is a random-forest; --method shap is for boosted"),
    ("forest", ("--by", "colour"), 2, "--by colour: expected compartment, family"),
])
def test_what_makes_no_sense(work, tmp_path, model, args, code, said):
    assert said in importance(work, model, tmp_path / "i.parquet", *args, code=code).said


def test_a_damaged_model_is_one_line(work, tmp_path):
    """LightGBM's own loader would take the process along."""
    shutil.copytree(work / "boosted.model", work / "cut.model")
    file = work / "cut.model" / "model.txt"
    file.write_text(file.read_text()[:2000])
    for method in ("shap", "permutation"):
        done = importance(work, "cut", tmp_path / "i.parquet", "--method", method, code=65)
        assert "model.txt: not a" in done.said and "internal error" not in done.said
