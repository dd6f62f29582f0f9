"""Real nuclei in folders of classes, through a network, to a report that is opened and used."""

import contextlib
import csv
import io
import shlex
import subprocess
from pathlib import Path

import browser
import pyarrow.parquet as pq
import pytest
from hand_made import call

from libcell.cli import app

RECIPE = Path(__file__).parent.parent.parent / "examples" / "mitocheck_report"
CLASSES = ("Anaphase", "Apoptosis", "Interphase")
EACH = 24


@pytest.fixture(scope="module")
def work(shared, tmp_path_factory):
    """A report of 72 nuclei, a network of two epochs, and all that explains it."""
    folder = tmp_path_factory.mktemp("mitocheck")
    source = shared("mitocheck_nuclei")
    with (source / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    chosen = [r for c in CLASSES for r in [r for r in rows if r["class"] == c][:: 3][:EACH]]
    for row in chosen:
        target = folder / "raw" / row["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to((source / row["file"]).resolve())
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(chosen)
    crops, model, view, said = (folder / n for n in (
        "n.crops.zarr", "n.model", "e.parquet", "p.parquet"))
    call("extract", "classes", folder / "raw", "--index", folder / "index.csv", "-o", crops)
    call("train", "cnn", crops, "--target", "Metadata_Class", "--group", "Metadata_Plate",
         "--backbone", "lcnet_050", "--epochs", 2, "--no-baselines", "-o", model)
    call("train", "predict", crops, "-m", model, "-o", said)
    call("train", "score", said, "--group", "Metadata_Plate", "--draws", 50, "-o", folder / "score")
    call("feat", "embed", crops, "-m", model, "-o", view)
    call("explain", "embed", view, "--join", said, "--colour", "target", "-o",
         folder / "plane.bundle")
    call("explain", "cam", model, crops, "--split", "test", "--most", 2, "--pictures", 0,
         "-o", folder / "x.explain.zarr")
    call("explain", "report", crops, model, said, folder / "score", view, folder / "plane.bundle",
         folder / "x.explain.zarr", "-o", folder / "r.html")
    return folder


def test_the_recipe_asks_for_what_there_is(tmp_path):
    """Every command line of examples/mitocheck_report, its options read and nothing done."""
    (tmp_path / "index.csv").write_text("file,class\n")
    done = subprocess.run(
        ["make", "-n", f"RAW={tmp_path}", f"OUT={tmp_path}/out"], cwd=RECIPE, check=True,
        capture_output=True, text=True)
    lines = [shlex.split(line) for line in done.stdout.replace("\\\n", "").splitlines()]
    asked = [line for line in lines if line[0].startswith("cell-")]
    assert len(asked) == 13
    for command, *args in asked:
        with contextlib.redirect_stdout(io.StringIO()):
            assert app.run(command.removeprefix("cell-"), "", [*args, "--dump-config"]) == 0, args


@pytest.mark.data
def test_the_report_tells_everything(work):
    text = (work / "r.html").read_text()
    for title in ("Data", "Cells", "What was held out", "Is anything on both sides",
                  "How good it is", "Class by class", "What is confused with what",
                  "Objects on a plane", "How far classes lie apart", "Where the network looks",
                  "How it was made"):
        assert f"<h2>{title}</h2>" in text, title
    assert len(text) < 10_000_000
    for command in ("extract classes", "train cnn", "train predict", "train score", "feat embed",
                    "explain embed", "explain cam"):
        assert f"cell-{command}" in text


@pytest.mark.data
def test_in_a_browser(work):
    heard = []
    with browser.started() as chromium, browser.opened(chromium, work / "r.html", heard) as page:
        shown = page.locator("#confusion-examples img")
        assert shown.count() and shown.first.evaluate("i => i.naturalWidth") >= 32
        browser.drawn(page, "plane")
        page.locator("#plane .by").select_option(label="target")
        page.locator("#plane .value").select_option(label="Anaphase")
        page.locator("#plane .take").click()
        chosen = set(page.locator("#plane textarea").input_value().split())
        truth = pq.read_table(work / "p.parquet", columns=["object_id", "target"]).to_pylist()
        assert chosen == {r["object_id"] for r in truth if r["target"] == "Anaphase"}
        assert page.locator("#plane .examples img").count() == min(len(chosen), 24)
    assert heard == []
