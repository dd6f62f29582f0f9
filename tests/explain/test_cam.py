"""cell-explain cam: stores of maps that conform, of every kind of model, and what is refused."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import seen_sets
import zarr
from hand_made import call, files_of, write_features
from PIL import Image

from libcell.data import models
from libcell.nn import classifier
from libcell.schema.validate import validate


def cam(seen, *args, model="nucleus", crops="nucleus", out="x", code=0):
    return call("explain", "cam", seen / f"{model}.model", seen / f"{crops}.crops.zarr", *args,
                "-o", seen / f"{out}.explain.zarr", "--force", code=code)


def index(seen, out="x"):
    return pq.read_table(seen / f"{out}.explain.zarr" / "index.parquet").to_pylist()


def maps(seen, out="x"):
    return np.asarray(zarr.open_group(str(seen / f"{out}.explain.zarr"))["maps"]).astype(float)


@pytest.fixture(scope="module")
def made(seen):
    """`x`: Grad-CAM of the predicted class of every crop."""
    cam(seen, "--pictures", 3)
    return seen


def untrained(seen, name, edge=seen_sets.EDGE, **network):
    """A model like the one that looks at the nucleus, but for its network, which learnt nothing,
    and the `edge` that crops are scaled to."""
    card = models.load_card(seen / "nucleus.model")
    card["network"] = card["network"] | network | {"size_px": [edge, edge]}
    card["input"]["size_px"] = [edge, edge]
    made = classifier.build(card["network"], len(card["classes"]))
    tensors = {k: v.numpy() for k, v in made.state_dict().items()}
    shutil.rmtree(seen / f"{name}.model", ignore_errors=True)
    models.save(seen / f"{name}.model", tensors, card)
    return seen / f"{name}.model"


def test_a_store_that_conforms(made):
    assert validate(made / "x.explain.zarr") == []
    rows = index(made)
    crops = pq.read_table(made / "nucleus.crops.zarr" / "index.parquet")
    assert [r["object_id"] for r in rows] == crops["object_id"].to_pylist()
    assert [r["crop"] for r in rows] == list(range(len(rows)))
    assert {r["method"] for r in rows} == {"gradcam"} and {r["layer"] for r in rows} == {"layer2"}
    assert all(r["explained"] == r["predicted"] and r["probability"] >= 0.5 for r in rows)
    found = maps(made)
    assert found.shape == (len(rows), seen_sets.EDGE, seen_sets.EDGE)
    peak = np.array([r["peak"] for r in rows])
    np.testing.assert_allclose(found.max((1, 2)), peak > 0, atol=1e-3)
    assert found.min() == 0


def test_pictures_of_each_class(made):
    files = sorted((made / "x.explain.zarr" / "pictures").iterdir())
    assert [f.stem for f in files] == sorted(seen_sets.CLASSES)
    with Image.open(files[0]) as picture:
        assert picture.width > 3 * 2 * 112


def test_the_same_again_whatever_the_batch_of_others(made):
    cam(made, "--pictures", 3, "-j", 2, out="again")
    assert files_of(made / "x.explain.zarr") == files_of(made / "again.explain.zarr")
    name = index(made)[5]["object_id"]
    cam(made, "--object", name, out="one")
    assert [r["object_id"] for r in index(made, "one")] == [name]
    np.testing.assert_allclose(maps(made, "one")[0], maps(made)[5], atol=2e-3)


def test_classes_by_name_come_for_every_crop(made):
    cam(made, "--target", "bright,dark", "--most", 3, out="two")
    rows = index(made, "two")
    assert [r["explained"] for r in rows] == ["bright", "dark"] * 6
    assert all(a["crop"] == b["crop"] and a["probability"] + b["probability"] == pytest.approx(1)
               for a, b in zip(rows[::2], rows[1::2]))


def test_true_classes(made):
    cam(made, "--target", "true", "--split", "test", out="true")
    rows = index(made, "true")
    assert rows and all(r["explained"] == r["target"] for r in rows)


def test_channels_add_up_to_the_whole(made):
    for out, more in (("whole", ()), ("parts", ("--by-channel",))):
        cam(made, "--method", "ig", "--method-options", "steps=8", "--most", 2, *more, out=out)
    whole, parts = index(made, "whole"), index(made, "parts")
    assert [r["channel"] for r in parts[:2]] == ["DNA", "Actin"]
    told = maps(made, "parts") * np.array([r["peak"] for r in parts])[:, None, None]
    total = maps(made, "whole") * np.array([r["peak"] for r in whole])[:, None, None]
    np.testing.assert_allclose(told[::2] + told[1::2], total, atol=2e-3 * np.abs(total).max())
    about = json.loads((made / "parts.explain.zarr" / "zarr.json").read_text())["attributes"]
    assert about["options"] == {"steps": 8, "absent": "mean"}


def test_rollout_of_a_transformer(made):
    untrained(made, "vit", 64, backbone="test_vit")
    cam(made, "--method", "rollout", "--most", 2, model="vit", out="vit")
    assert (maps(made, "vit").max((1, 2)) > 0.9).all()


def test_neurons_of_a_connectome(made):
    untrained(made, "worm", head={"name": "elegans", "options": {"width": 8, "heads": 2}})
    cam(made, "--most", 4, "--target", "true", model="worm", out="worm")
    table = pq.read_table(made / "worm.explain.zarr" / "neurons.parquet").to_pylist()
    assert len(table) == 2 * 279 and {r["n"] for r in table} == {4}
    assert all(r["selectivity"] >= 0 for r in table if r["activity"] is not None)
    assert {r["role"] for r in table} == {"sensory", "inter", "motor"}
    drawn = (made / "worm.explain.zarr" / "neurons.svg").read_text()
    assert drawn.count("<circle") == 2 * 279 and "AVAL" in drawn


def test_a_plan_says_what_would_be_written(made):
    done = cam(made, "--dry-run", "--target", "bright,dark", out="plan")
    assert done.records[0]["maps"] == 2 * len(index(made)) and done.records[0]["layer"] == "layer2"
    assert not (made / "plan.explain.zarr").exists()


# -- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(("args", "code", "words"), [
    (("--target", "round"), 2, "knows no such class; it knows bright, dark"),
    (("--target", "true,dark"), 2, "true stands alone"),
    (("--method", "magic"), 2, "there is none; there are gradcam, gradcam++, ig, layercam"),
    (("--layer", "layer9"), 2, "its stages are "),
    (("--by-channel",), 2, "use --method ig or occlusion"),
    (("--method", "rollout"), 2, "use gradcam or layercam"),
    (("--method", "ig", "--method-options", "stride=2"), 2, "unknown option stride; it has steps"),
    (("--object", "nobody"), 65, "holds no object 'nobody'"),
    (("--split", "new"), 65, "use --split all"),
])
def test_questions_without_an_answer(made, args, code, words):
    done = cam(made, *args, out="no", code=code)
    assert words in done.said and len(done.said.splitlines()) == 1
    assert not (made / "no.explain.zarr").exists()


def test_a_forest_has_no_gradients(made, tmp_path):
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1], 40)
    table = write_features(tmp_path / "f.parquet", {
        "Nuclei_AreaShape_Area": kind + rng.random(80),
        "Metadata_Class": np.array(["a", "b"])[kind].tolist()})
    call("train", "forest", table, "--target", "Metadata_Class", "--trees", 4, "-o",
         tmp_path / "f.model")
    done = call("explain", "cam", tmp_path / "f.model", made / "nucleus.crops.zarr", "-o",
                tmp_path / "x.explain.zarr", code=65)
    assert "has no gradients" in done.said and "use cell-explain importance" in done.said


def test_crops_that_are_gone_or_lack_a_channel(made, tmp_path):
    assert "not found" in cam(made, crops="gone", out="no", code=66).said
    path = seen_sets.write(tmp_path / "c.crops.zarr", False, n=4)
    about = json.loads((path / "zarr.json").read_text())
    about["attributes"]["channels"] = ["DNA", "Other"]
    (path / "zarr.json").write_text(json.dumps(about))
    done = call("explain", "cam", made / "nucleus.model", path, "-o", tmp_path / "x.explain.zarr",
                code=65)
    assert "channel 'Actin' not found" in done.said
