"""cell-feat gate as a user runs it: rules, replay, refusals, and a mixed culture of known truth."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pyarrow as pa
import pytest
from hand_made import call, write_features, write_images, write_labels, write_table

from libcell.data import tables
from libcell.feat.gating import rules
from libcell.schema.validate import validate
from libcell.simulate import CellClass, simulate_field

EDU, BRDU = (f"Nuclei_Intensity_MeanIntensity_{s}" for s in ("EdU", "BrdU"))
ON = (0.9, 0.05)
ASTRO = CellClass("astro", nucleus_px=9.5, cell_ratio=1.9, levels={"EdU": ON, "Mito": (0.05, 1.5)})
NEURON = CellClass("neuron", nucleus_px=7.5, levels={"BrdU": ON})
NEITHER = CellClass("neither", nucleus_px=8.5)
CHANNELS = ("DNA", "Mito", "EdU", "BrdU")
MIXTURES = {"astro": {"astro": 1.0}, "neuron": {"neuron": 1.0},
            "mixed": {"astro": 0.45, "neuron": 0.45, "neither": 0.1}}


def gate(folder, *args, out="x.bundle", table="f.parquet", code=0):
    return call("feat", "gate", folder / table, "-o", folder / out, *args, code=code)


def stains(folder, edu, brdu, name="f.parquet", **more):
    n = len(edu)
    return write_features(folder / name, {EDU: np.array(edu, float), BRDU: np.array(brdu, float),
                                          **more}, wells=n // 2, rows=2)


def classes_of(folder, out="x.bundle"):
    table = tables.read(folder / out / "features.parquet", "features")
    return table.column("Metadata_Class").to_pylist()


# -- rules -------------------------------------------------------------------------------------


def test_one_class_passes_and_none_or_both_are_undefined(tmp_path):
    stains(tmp_path, [700, 10, 700, 10, 600, np.nan], [10, 400, 400, 10, 10, 400])
    done = gate(tmp_path, "--gate", f"astro={EDU}>600", "--gate", f"neuron={BRDU}>300")
    assert classes_of(tmp_path) == ["astro", "neuron", "undefined", "undefined", "undefined",
                                    "neuron"]
    record = done.records[-1]
    assert record["schema"] == "bundle/1" and record["n"] == 6
    assert record["classes"] == {"astro": 1, "neuron": 2, "undefined": 3}
    assert validate(tmp_path / "x.bundle") == []
    rows = tables.read(tmp_path / "x.bundle" / "gates.parquet", "gates").to_pylist()
    assert rows == [
        {"gate": "astro", "feature": EDU, "operator": ">", "threshold": 600.0, "method": "manual",
         "group": None},
        {"gate": "neuron", "feature": BRDU, "operator": ">", "threshold": 300.0,
         "method": "manual", "group": None}]


def test_those_of_no_class_may_be_left_out(tmp_path):
    stains(tmp_path, [700, 10, 700, 10], [10, 400, 400, 10])
    done = gate(tmp_path, "--gate", f"astro={EDU}>600", "--gate", f"neuron={BRDU}>300", "--defined")
    assert classes_of(tmp_path) == ["astro", "neuron"]
    assert done.records[-1]["n"] == 2 and done.records[-1]["classes"]["undefined"] == 2
    assert validate(tmp_path / "x.bundle") == []


def test_several_gates_of_a_class_must_all_pass_and_where_is_for_every_class(tmp_path):
    area = "Nuclei_AreaShape_Area"
    stains(tmp_path, [700, 700, 700, 10], [10, 10, 400, 400],
           **{area: np.array([200, 100, 200, 200])})
    gate(tmp_path, "--gate", f"astro={EDU}>600", "--gate", f"astro={BRDU}<300",
         "--gate", f"neuron={BRDU}>300", "--gate", f"neuron={EDU}<600", "--where", f"{area}>160")
    assert classes_of(tmp_path) == ["astro", "undefined", "undefined", "neuron"]
    gates = tables.read(tmp_path / "x.bundle" / "gates.parquet", "gates")
    assert [g["gate"] for g in gates.to_pylist() if g["feature"] == area] == ["astro", "neuron"]


def test_thresholds_of_each_plate_are_replayed_on_it_and_on_no_other(tmp_path):
    low = np.r_[np.full(10, 10.0), np.full(10, 20.0)] + np.arange(20) / 10
    stains(tmp_path, np.r_[low, low * 10], np.zeros(40), Metadata_Plate=["P1"] * 20 + ["P2"] * 20)
    gate(tmp_path, "--gate", f"bright={EDU}>otsu", "--by", "Metadata_Plate")
    found = tables.read(tmp_path / "x.bundle" / "gates.parquet", "gates").to_pylist()
    assert [g["group"] for g in found] == ["P1", "P2"]
    assert found[1]["threshold"] == pytest.approx(10 * found[0]["threshold"])
    assert classes_of(tmp_path) == (["undefined"] * 10 + ["bright"] * 10) * 2
    gate(tmp_path, "--gates", tmp_path / "x.bundle", "--by", "Metadata_Plate", out="y.bundle")
    assert classes_of(tmp_path, "y.bundle") == classes_of(tmp_path)
    stains(tmp_path, low, np.zeros(20), "other.parquet", Metadata_Plate=["P3"] * 20)
    said = gate(tmp_path, "--gates", tmp_path / "x.bundle" / "gates.parquet", "--by",
                "Metadata_Plate", table="other.parquet", out="z.bundle", code=65).said
    assert "no gates for group P3; they are for P1, P2" in said


def test_gates_alone_are_a_table_that_can_be_replayed(tmp_path):
    stains(tmp_path, [1, 2, 8, 9], [0, 0, 0, 0])
    gate(tmp_path, "--gate", f"bright={EDU}>otsu", out="g.parquet")
    assert validate(tmp_path / "g.parquet") == []
    gate(tmp_path, "--gates", tmp_path / "g.parquet", "--name", "Metadata_Truth")
    table = tables.read(tmp_path / "x.bundle" / "features.parquet", "features")
    assert table.column("Metadata_Truth").to_pylist() == ["undefined"] * 2 + ["bright"] * 2


def test_of_control_wells(tmp_path):
    """The threshold leaves 1 % of the objects of the wells without the stain outside."""
    values = np.arange(200.0)
    compound = ["DMSO"] * 100 + ["EdU"] * 100
    stains(tmp_path, values, np.zeros(200), Metadata_Compound=compound)
    gate(tmp_path, "--gate", f"on={EDU}>controls:DMSO", "--controls", "Metadata_Compound")
    found = tables.read(tmp_path / "x.bundle" / "gates.parquet", "gates").to_pylist()
    assert found[0]["threshold"] == pytest.approx(98.01) and found[0]["method"] == "controls"
    assert classes_of(tmp_path).count("on") == 101


def test_a_logarithmic_scale(tmp_path):
    values = np.r_[np.geomspace(1, 3, 50), np.geomspace(100, 3000, 50)]
    stains(tmp_path, values, np.zeros(100))
    for how in ("otsu", "mixture"):
        gate(tmp_path, "--gate", f"on={EDU}>{how}", "--log", "--force")
        assert classes_of(tmp_path) == ["undefined"] * 50 + ["on"] * 50


def test_the_picture_shows_every_distribution_and_threshold(tmp_path):
    stains(tmp_path, np.r_[np.arange(50.0), 500 + np.arange(50.0)], np.arange(100.0),
           Metadata_Plate=["a<b"] * 100)
    gate(tmp_path, "--gate", f"x & y={EDU}>otsu", "--gate", f"neuron={BRDU}>mixture",
         "--by", "Metadata_Plate")
    text = (tmp_path / "x.bundle" / "gates.svg").read_text()
    drawn = ElementTree.fromstring(text)
    said = " ".join(t.text or "" for t in drawn.iter() if t.tag.endswith("text"))
    assert EDU in said and BRDU in said and "a<b, 100 objects" in said
    assert "x & y: > 274.5 (otsu), 50%" in said


@pytest.mark.parametrize("values", [[5.0] * 4, [0.0, -1, -2, -3], [1e-9, 1, 1e9, np.nan]])
@pytest.mark.parametrize("log", [(), ("--log",)])
def test_a_picture_of_anything(tmp_path, values, log):
    stains(tmp_path, values, [0, 0, 0, 0])
    for k, threshold in enumerate(("5", "-3", "0", "1e12")):
        gate(tmp_path, "--gate", f"a={EDU}>{threshold}", *log, out=f"{k}.bundle")
        text = (tmp_path / f"{k}.bundle" / "gates.svg").read_text()
        assert ElementTree.fromstring(text) is not None and "nan" not in text.lower()


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "code", "says"), [
    ((), 2, "no gate; give one or more"),
    (("--gate", "astro"), 2, "expected CLASS=COLUMN>600"),
    (("--gate", f"astro={EDU}>most"), 2, "expected CLASS=COLUMN>600"),
    (("--gate", f"astro={EDU}>nan"), 2, "expected CLASS=COLUMN>600"),
    (("--gate", f"undefined={EDU}>3"), 2, "objects of no class"),
    (("--gate", f"a={EDU}>otsu", "--gates", "g.parquet"), 2, "leave out --gate"),
    (("--gate", f"a={EDU}>otsu", "--name", "Class"), 2, "must be called Metadata_"),
    (("--gate", f"a={EDU}>controls:DMSO"), 2, "needs --controls"),
    (("--gate", f"a={EDU}>otsu:DMSO"), 2, "no other method takes one"),
    (("--gate", f"a={EDU}>controls:X", "--controls", "Metadata_Well"), 65, "no row is X; there is"),
    (("--gate", "a=Nuclei_Intensity_MeanIntensity_Edu>otsu"), 65, f"there is {EDU}"),
    (("--gate", f"a={BRDU}>otsu"), 65, f"{BRDU}: a threshold needs two different values"),
    (("--gate", f"a={EDU}>otsu", "--by", "Metadata_Batch"), 65, "no such column"),
])
def test_what_is_refused_in_one_line(tmp_path, given, code, says):
    stains(tmp_path, [1, 2, 8, 9], [0, 0, 0, 0])
    write_table(tmp_path / "g.parquet", "gates", rules.to_table(
        [rules.Gate("a", EDU, ">", 1.0, "manual", None)]))
    given = [str(tmp_path / g) if g == "g.parquet" else g for g in given]
    said = gate(tmp_path, *given, code=code).said
    assert says in said and len(said.splitlines()) == 1
    assert not (tmp_path / "x.bundle").exists()


def test_a_table_without_rows(tmp_path):
    write_features(tmp_path / "f.parquet", {EDU: pa.array([], pa.float64())}, wells=0)
    assert "nothing to find thresholds on" in gate(
        tmp_path, "--gate", f"a={EDU}>otsu", code=65).said
    gate(tmp_path, "--gate", f"a={EDU}>3", out="y.bundle", code=65)
    write_table(tmp_path / "g.parquet", "gates", rules.to_table(
        [rules.Gate("a", EDU, ">", 1.0, "manual", None)]))
    gate(tmp_path, "--gates", tmp_path / "g.parquet")
    assert classes_of(tmp_path) == []


# -- a mixed culture ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def culture(tmp_path_factory):
    """Two wells of each class alone and six of both, simulated; measured. Returns the folder and
    the true class by object_id."""
    folder = tmp_path_factory.mktemp("culture")
    images, labels, wells, truth = {}, {}, {}, {}
    for i, kind in enumerate(["astro"] * 2 + ["neuron"] * 2 + ["mixed"] * 6):
        group = f"A/{i + 1:02d}/0"
        field = simulate_field(7, (224, 224), 26, (ASTRO, NEURON, NEITHER), channels=CHANNELS,
                               mixture=MIXTURES[kind], key=(group,))
        images[group] = field.image[None, :, None]
        labels[group] = {"nuclei": field.nuclei[None, None]}
        wells[group] = {"Metadata_Plate": "P", "Metadata_Well": f"A{i + 1:02d}",
                        "Metadata_Site": "0", "Metadata_Culture": kind}
        truth |= {f"{group}:t0:nuclei:{k}": c for k, c in field.classes.items()}
    write_images(folder / "p.ome.zarr", images, CHANNELS, wells=wells)
    write_labels(folder / "n.labels.ome.zarr", labels, wells=wells)
    call("feat", "measure", folder / "n.labels.ome.zarr", "--images", folder / "p.ome.zarr",
         "--families", "shape,intensity", "-o", folder / "f.parquet")
    return folder, truth


@pytest.mark.parametrize("how", ["otsu", "mixture", "controls"])
def test_gates_find_the_classes_of_a_mixed_culture(culture, tmp_path, how):
    folder, truth = culture
    other = {"astro": "neuron", "neuron": "astro"}
    gates = [a for kind, stain in (("astro", EDU), ("neuron", BRDU)) for a in (
        "--gate", f"{kind}={stain}>{how}" + (f":{other[kind]}" if how == "controls" else ""))]
    call("feat", "gate", folder / "f.parquet", *gates, "--log", "--controls", "Metadata_Culture",
         "-o", tmp_path / "x.bundle")
    table = tables.read(tmp_path / "x.bundle" / "features.parquet", "features")
    found = table.column("Metadata_Class").to_pylist()
    known = [truth[i] for i in table.column("object_id").to_pylist()]
    known = ["undefined" if k == "neither" else k for k in known]
    right = np.mean([f == k for f, k in zip(found, known)])
    assert right > (0.95 if how == "controls" else 0.97), f"{how}: {right:.3f}"


def test_gate_crop_forest(culture, tmp_path):
    """The forest sees DNA and mitochondria alone, and finds the classes that the gates told."""
    folder, truth = culture
    call("feat", "gate", folder / "f.parquet", "--log", "--gate", f"astro={EDU}>otsu",
         "--gate", f"neuron={BRDU}>otsu", "-o", tmp_path / "x.bundle")
    call("crop", "cells", folder / "n.labels.ome.zarr", "--images", folder / "p.ome.zarr",
         "--size", 48, "-o", tmp_path / "c.crops.zarr")
    features = tmp_path / "x.bundle" / "features.parquet"
    crops = tables.read(tmp_path / "c.crops.zarr" / "index.parquet", "objects")
    table = tables.read(features, "features")
    assert table.column("object_id").to_pylist() == crops.column("object_id").to_pylist()
    done = call("train", "forest", features, "--target", "Metadata_Class",
                "--classes", "astro,neuron", "--channels", "DNA,Mito", "--trees", 60,
                "-o", tmp_path / "c.model")
    assert done.records[-1]["balanced_accuracy"] > 0.9
    call("train", "predict", features, "-m", tmp_path / "c.model", "-o", tmp_path / "p.parquet")
    predicted = tables.read(tmp_path / "p.parquet", "predictions").to_pylist()
    held = [p for p in predicted if p["split"] == "test" and truth[p["object_id"]] != "neither"]
    assert np.mean([p["predicted"] == truth[p["object_id"]] for p in held]) > 0.9
