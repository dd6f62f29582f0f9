import json

import numpy as np
import pytest
import tifffile
from pycocotools import mask as coco

from libcell.errors import OutputExists, UsageFault
from libcell.simulate import simulate_lines, write_annotated
from libcell.simulate.__main__ import main
from libcell.simulate.annotated import outline

SMALL = {"shape": (96, 96), "n_cells": 6}


def names(document):
    return {i["file_name"] for i in document["images"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    lines = simulate_lines(3, lines=2, batches=3, positions=1, frames=2, **SMALL)
    root = write_annotated(tmp_path_factory.mktemp("annotated") / "d", lines)
    return lines, root, {s: json.loads((root / f"livecell_coco_{s}.json").read_text())
                         for s in ("train", "val", "test")}


def test_rows_of_wells_are_parts_of_the_split(made):
    _, root, documents = made
    assert names(documents["train"]) == {
        f"{line}_Phase_A1_1_00d0{h}h00m_1.tif" for line in ("round", "spindle") for h in (0, 6)}
    assert all("_B1_" in n for n in names(documents["val"]))
    assert all("_C1_" in n for n in names(documents["test"]))
    assert {p.name for p in (root / "images").iterdir()} == set().union(
        *map(names, documents.values()))


def test_outlines_are_the_cells(made):
    """Drawn by pycocotools, an outline gives the pixels that it was taken from, within its rim."""
    lines, root, documents = made
    document = documents["test"]
    image = next(i for i in document["images"] if i["file_name"].startswith("spindle"))
    flask = next(f for f in lines.flasks() if (f.line, f.batch) == ("spindle", 3))
    field = next(lines.series(flask))
    np.testing.assert_array_equal(tifffile.imread(root / "images" / image["file_name"]),
                                  field.image[0])
    own = [a for a in document["annotations"] if a["image_id"] == image["id"]]
    assert len(own) == field.cells.max()
    for label, one in enumerate(own, start=1):
        true = field.cells == label
        packed = coco.frPyObjects(one["segmentation"], *true.shape)
        drawn = coco.decode(coco.merge(packed)).astype(bool)
        assert (drawn & true).sum() / (drawn | true).sum() > 0.9
        assert one["area"] == true.sum()
        x, y, width, height = one["bbox"]
        assert true[y:y + height, x:x + width].sum() == one["area"]


def test_an_outline_runs_half_a_pixel_around_a_square():
    points = outline(np.ones((3, 4), bool), 10, 20)
    assert points.min(axis=0).tolist() == [20, 10] and points.max(axis=0).tolist() == [24, 13]


def test_one_batch_cannot_be_split(tmp_path):
    with pytest.raises(UsageFault, match="one batch"):
        write_annotated(tmp_path / "d", simulate_lines(0, batches=1, **SMALL))
    assert not (tmp_path / "d").exists()


def test_two_batches_have_no_validation_part(tmp_path):
    args = ["livecell", "-o", str(tmp_path / "d"), "--lines", "1", "--batches", "2", "--positions",
            "1", "--frames", "1", "--size", "96", "--cells", "3"]
    assert main(args) == 0
    assert {p.stem[-5:] for p in (tmp_path / "d").glob("*.json")} == {"train", "_test"}
    assert main(args) == OutputExists.exit_code
