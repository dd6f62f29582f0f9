"""The report: one file that needs nothing else, the same bytes for the same inputs, nothing of
the data's able to run in it, and a page whatever subset of inputs it is given."""

import itertools
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_made import call, write_features, write_images, write_labels, write_table

from libcell.explain.gather import held_out
from libcell.explain.page import figures

EVIL = "<script>alert(1)</script>"
MARKUP = '<a href="http://evil.example">x</a>'
PARTS = ("p.ome.zarr", "n.labels.ome.zarr", "c.crops.zarr", "t.tracks", "f.parquet", "c.model",
         "p.parquet", "score/scores.parquet", "i.parquet")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """All that a report can be made of: ten wells of two classes with evil names."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    images, masks = {}, {}
    for w in range(10):
        mask = np.zeros((1, 1, 40, 56), np.uint32)
        for i in range(8):
            y, x = 4 + 18 * (i // 4), 2 + 13 * (i % 4)
            mask[0, 0, y : y + 8 + w % 2 * 2, x : x + 9] = i + 1
        images[f"A/{w + 1:02d}/0"] = rng.integers(0, 999, (1, 2, 1, 40, 56)).astype(np.uint16)
        masks[f"A/{w + 1:02d}/0"] = {"nuclei": mask}
    write_images(folder / "p.ome.zarr", images, ("DNA", EVIL))
    write_labels(folder / "n.labels.ome.zarr", masks)
    write_features(folder / "f.parquet", {
        "Metadata_Class": [(EVIL, MARKUP)[w % 2] for w in range(10) for _ in range(8)],
        "Nuclei_AreaShape_Area": np.repeat(np.arange(10) % 2, 8) + rng.normal(0, 0.8, 80),
        "Nuclei_Intensity_MeanIntensity_DNA": rng.normal(0, 1, 80)})
    call("crop", "cells", folder / "n.labels.ome.zarr", "--images", folder / "p.ome.zarr",
         "--size", 16, "-o", folder / "c.crops.zarr")
    call("track", "overlap", folder / "n.labels.ome.zarr", "-o", folder / "t.tracks")
    call("train", "forest", folder / "f.parquet", "--target", "Metadata_Class", "--trees", 10,
         "-o", folder / "c.model")
    call("train", "predict", folder / "f.parquet", "-m", folder / "c.model",
         "-o", folder / "p.parquet")
    call("train", "score", folder / "p.parquet", "-o", folder / "score")
    call("explain", "importance", folder / "f.parquet", "-m", folder / "c.model",
         "--repeats", 2, "-o", folder / "i.parquet")
    return folder


def report(folder, names, *args, out="r.html", code=0):
    call("explain", "report", *(folder / n for n in names), "-o", folder / out, *args, "--force",
         code=code)
    return folder / out


@pytest.fixture(scope="module")
def page(work):
    return report(work, PARTS)


class Reader(HTMLParser):
    """Tags with their attributes outside of scripts and styles, text, and the scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.text, self.scripts = [], [], []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = tag if tag in ("script", "style") else self._inside

    def handle_endtag(self, tag):
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data):
        (self.scripts if self._inside == "script" else self.text).append(data)


def test_nothing_comes_from_elsewhere(page):
    text = page.read_text()
    found = Reader(text)
    for tag, attributes in found.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base"), tag
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value[:60])
        assert not any(n.startswith("on") for n in attributes), attributes
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style and "url(" not in style[1] and "@import" not in style[1]
    ours = found.scripts[-1].split("const EXAMPLES")[1]
    assert not re.search(r"fetch\(|XMLHttpRequest|importScripts|import\(", ours)


def test_names_from_data_are_text(page):
    text = page.read_text()
    assert EVIL not in text and MARKUP not in text
    found = Reader(text)
    assert sum(tag == "script" for tag, _ in found.tags) == 2
    assert EVIL in "".join(found.text)
    keys = [a["data-key"] for t, a in found.tags if t == "button"]
    assert any(EVIL in k for k in keys) and any(MARKUP in k for k in keys)


def test_a_chart_writes_names_as_they_are():
    """Plotly reads <a> and <b> in its texts; a class may be called that."""
    drawn = figures.confusion(np.eye(2), [EVIL, MARKUP], [EVIL, MARKUP])
    trace = drawn["data"][0]
    assert "<" not in "".join([*trace["x"], *trace["y"]])
    assert trace["customdata"][0][1] == f"{EVIL}|{MARKUP}"
    swarm = figures.swarm([(MARKUP, np.arange(3.0), np.array([0.1, -0.2, 0.3]))])
    for chart in (figures.importance([MARKUP], [1], [0], "s"), swarm,
                  figures.distribution({MARKUP: np.arange(9.0)}, MARKUP)):
        assert MARKUP not in str({**chart, "layout": {**chart["layout"], "template": None}})


def test_same_inputs_same_bytes(work, page):
    assert report(work, PARTS, out="again.html").read_bytes() == page.read_bytes()
    assert str(work) not in page.read_text()


def test_size(page):
    assert page.stat().st_size < 8_000_000


def test_sections(page):
    text = page.read_text()
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    for title in ("Data", "Objects per well", "Cells", "Tracks", "How good it is",
                  "What is confused with what", "What the model looks at", "What was held out",
                  "How it was made"):
        assert title in titles, title
    assert text.count("<details>") == len(PARTS)


@pytest.mark.parametrize("names", [
    *((n,) for n in PARTS),
    *itertools.islice(itertools.combinations(reversed(PARTS), 2), 0, None, 4),
    tuple(reversed(PARTS)),
], ids=lambda names: "+".join(n.split(".")[0] + n[-3:] for n in names))
def test_any_subset_in_any_order(work, names):
    made = report(work, names, out="subset.html").read_text()
    assert made.count("<details>") == len(names)


def test_order_of_inputs_changes_the_provenance_alone(work, page):
    other = report(work, tuple(reversed(PARTS)), out="reversed.html").read_text()
    before = page.read_text().split("How it was made</h2>")[0]
    assert other.split("How it was made</h2>")[0] == before


def test_a_model_of_other_columns_and_predictions_alone(work, tmp_path):
    table = pq.read_table(work / "f.parquet")
    pq.write_table(table.drop_columns(["Nuclei_AreaShape_Area"]), tmp_path / "f.parquet")
    shutil.copytree(work / "c.model", tmp_path / "c.model")
    made = report(tmp_path, ("f.parquet", "c.model")).read_text()
    assert "MeanIntensity" in made
    shutil.copy(work / "p.parquet", tmp_path)
    alone = report(tmp_path, ("p.parquet",)).read_text()
    assert "features each" not in alone and ">80<" in alone


def test_empty_tables(work, tmp_path):
    for name in ("f.parquet", "p.parquet", "score/scores.parquet", "i.parquet"):
        table = pq.read_table(work / name)
        pq.write_table(table.slice(0, 0), tmp_path / Path(name).name)
        report(tmp_path, (Path(name).name,), out=f"{Path(name).stem}.html")
    report(tmp_path, ("f.parquet", "p.parquet", "scores.parquet", "i.parquet"))
    mask = np.zeros((1, 1, 20, 20), np.uint32)
    write_images(tmp_path / "p.ome.zarr", {"": np.zeros((1, 1, 1, 20, 20), np.uint8)})
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": mask}})
    call("crop", "cells", tmp_path / "n.labels.ome.zarr", "--images", tmp_path / "p.ome.zarr",
         "-o", tmp_path / "c.crops.zarr")
    call("track", "overlap", tmp_path / "n.labels.ome.zarr", "-o", tmp_path / "t.tracks")
    report(tmp_path, ("c.crops.zarr", "t.tracks", "p.ome.zarr"), out="s.html")


@pytest.mark.parametrize("wells", [["A-01", "?"], ["ab", None], ["", "A01"], [None, None]])
def test_wells_of_other_kinds(tmp_path, wells):
    write_features(tmp_path / "f.parquet", {"Nuclei_AreaShape_Area": np.ones(2)}, 1, 2)
    table = pq.read_table(tmp_path / "f.parquet")
    at = table.column_names.index("Metadata_Well")
    field = table.schema.field("Metadata_Well")
    changed = table.set_column(at, field, pa.chunked_array([pa.array(wells, pa.string())]))
    pq.write_table(changed, tmp_path / "f.parquet")
    report(tmp_path, ("f.parquet",))


def test_plates_are_shown_apart(tmp_path):
    write_features(tmp_path / "f.parquet", {"Nuclei_AreaShape_Area": np.ones(16)}, 2, 8)
    table = pq.read_table(tmp_path / "f.parquet")
    at = table.column_names.index("Metadata_Plate")
    field = table.schema.field("Metadata_Plate")
    wells = table.column_names.index("Metadata_Well")
    two = table.set_column(at, field, [["p"] * 8 + ["q"] * 8]).set_column(
        wells, table.schema.field("Metadata_Well"), [["A1"] * 16])
    pq.write_table(two, tmp_path / "f.parquet")
    made = report(tmp_path, ("f.parquet",)).read_text()
    assert "Objects per well: p" in made and "Objects per well: q" in made
    assert "A1: 8 objects" in made and "16 objects" not in made


def test_predictions_of_another_program(tmp_path):
    """Splits unknown, classes that no prediction names, targets of some rows only."""
    keys = pq.read_table(write_features(tmp_path / "f.parquet", {}, 1, 4)).to_pydict()
    write_table(tmp_path / "p.parquet", "predictions", keys | {
        "target": ["a", "b", None, "z"], "predicted": ["a", "a", "b", "b"],
        "split": ["z", "new", "new", "train"], "p_a": [1.0, 1, 0, 0], "p_b": [0.0, 0, 1, 1]})
    report(tmp_path, ("p.parquet",))


@pytest.mark.parametrize("names", [("f.parquet", "f.parquet"), ("c.model", "c.model"),
                                   ("c.crops.zarr", "c.crops.zarr")])
def test_one_of_each(work, tmp_path, names):
    copies = []
    for i, name in enumerate(names):
        target = tmp_path / f"{i}.{name}"
        (shutil.copytree if (work / name).is_dir() else shutil.copy)(work / name, target)
        copies.append(target.name)
    done = call("explain", "report", *(tmp_path / c for c in copies), "-o", tmp_path / "r.html",
                code=65)
    assert "a report takes one" in done.said  # of features, or of the same thing


def test_several_models_stand_beside_each_other(work, tmp_path):
    for name, trees in (("few", 2), ("many", 12)):
        call("train", "forest", work / "f.parquet", "--target", "Metadata_Class", "--trees", trees,
             "-o", tmp_path / f"{name}.model")
        call("train", "predict", work / "f.parquet", "-m", tmp_path / f"{name}.model",
             "-o", tmp_path / f"{name}.parquet")
        call("train", "score", tmp_path / f"{name}.parquet", "--draws", 20,
             "-o", tmp_path / f"score-{name}")
    parts = [f"{n}{s}" for n in ("many", "few") for s in (".model", ".parquet")]
    made = report(tmp_path, [*parts, "score-few", "score-many"]).read_text()
    titles = re.findall(r"<h2>(.*?)</h2>", made)
    for title in ("Models side by side", "What was held out: few", "How good it is: score-many",
                  "What is confused with what: few", "Class by class: score-few"):
        assert title in titles, title


def test_folds_and_what_is_on_two_sides(work, tmp_path):
    """Folds by well: a plate is in all of them, and the page says so."""
    call("train", "forest", work / "f.parquet", "--target", "Metadata_Class", "--trees", 3,
         "--folds", 2, "-o", tmp_path / "f.model")
    shutil.copy(work / "f.parquet", tmp_path)
    table = pq.read_table(tmp_path / "f.parquet")
    names = pa.array([f"p{i // 40}" for i in range(80)])
    assert held_out._audit("", table.set_column(
        table.column_names.index("Metadata_Plate"), "Metadata_Plate", names),
        {"by": ["Metadata_Well"], "groups": {"train": ["A01", "A09"], "test": ["A02", "A10"]}}
    ).rows[0][:3] == ["plate", "2", "2"]
    made = report(tmp_path, ("f.parquet", "f.model")).read_text()
    assert "tested by" in made and "fold-1" in made


def test_crops_of_other_cells(work, tmp_path):
    """The page says that there are no pictures, and so does the command."""
    table = pq.read_table(work / "p.parquet")
    ids = pa.array([f"gone:{i}" for i in range(table.num_rows)])
    pq.write_table(table.set_column(0, "object_id", ids), tmp_path / "p.parquet")
    done = call("explain", "report", tmp_path / "p.parquet", work / "c.crops.zarr",
                "-o", tmp_path / "r.html")
    assert "none of its 80 objects has a crop in the store" in done.said
    text = (tmp_path / "r.html").read_text()
    assert "has no crop of them" in text and "give the store that they come from" in text


def test_planes_of_another_program(tmp_path):
    """Rows without a position are left out; a table of nothing else makes no section."""
    keys = pq.read_table(write_features(tmp_path / "f.parquet", {}, 1, 4)).to_pydict()
    places = ([0.0, float("nan"), 1.0, 1.0], [float("nan")] * 4)
    for x, shown in zip(places, ("3 objects on a plane", "")):
        path = write_table(tmp_path / "p.parquet", "planes", keys | {
            "plane_1": x, "plane_2": [1.0, 1.0, 1.0, 2.0]})
        made = report(tmp_path, (path.name,)).read_text()
        assert shown in made and ("Objects on a plane" in made) == bool(shown)


def test_a_colour_that_does_not_exist(work, tmp_path):
    done = call("explain", "report", work / "p.parquet", "--colour", "x", "-o", tmp_path / "r.html",
                code=65)
    assert "--colour x: no table of planes was given" in done.said


def test_a_bundle_of_scores_is_read(work, tmp_path):
    made = report(work, ("score",), out="bundle.html").read_text()
    assert "How good it is" in made


def test_what_is_no_output_of_ours(tmp_path):
    (tmp_path / "x").mkdir()
    pq.write_table(pq.read_table(write_features(tmp_path / "f.parquet", {}, 1, 1)
                                 ).replace_schema_metadata(None), tmp_path / "g.parquet")
    for name, said in (("x", "x"), ("g.parquet", "without schema")):
        done = call("explain", "report", tmp_path / name, "-o", tmp_path / "r.html", code=65)
        assert said in done.said and "internal error" not in done.said
