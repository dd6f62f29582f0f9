"""cell-explain open: from a name back to the pixels."""

import importlib.util

import numpy as np
import pytest
from hand_made import call, write_images, write_labels, write_table
from PIL import Image

NAME = "A/01/0:t1:nuclei:7"
KEYS = {"Metadata_Plate": [None], "Metadata_Well": [None], "Metadata_Site": [None],
        "Metadata_Image": ["A/01/0"], "Metadata_T": [1], "Metadata_Label": [7],
        "Metadata_Compartment": ["nuclei"]}


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A film of two frames and two fields; object 7 is in frame 1 of the first, at (20, 30)."""
    folder = tmp_path_factory.mktemp("open")
    pixels = np.zeros((2, 2, 1, 64, 80), np.uint16)
    pixels[1, 0, 0, 20:30, 30:44] = 900
    labels = np.zeros((2, 1, 64, 80), np.uint32)
    labels[1, 0, 20:30, 30:44] = 7
    write_images(folder / "p.ome.zarr", {"A/01/0": pixels, "A/02/0": pixels}, ("DNA", "RNA"))
    write_labels(folder / "n.labels.ome.zarr", {"A/01/0": {"nuclei": labels},
                                                "A/02/0": {"nuclei": labels}})
    write_table(folder / "p.parquet", "predictions", {
        "object_id": [NAME], **KEYS, "target": ["dead"], "predicted": ["alive"],
        "split": ["test"], "p_alive": [0.7], "p_dead": [0.3]})
    write_table(folder / "o.parquet", "objects", {
        "object_id": [NAME], **KEYS, "y": [25.0], "x": [37.0], "y0": [20], "x0": [30], "y1": [30],
        "x1": [44], "area_px": [140], "touches_border": [False]})
    return folder


def opened(field, *args, name=NAME, code=0):
    return call("explain", "open", name, *args, "--images", field / "p.ome.zarr", code=code)


def test_a_picture_with_the_outline(field):
    out = field / "x.png"
    done = opened(field, field / "p.parquet", "--labels", field / "n.labels.ome.zarr", "-o", out)
    assert done.records[-1]["box"] == [20, 30, 30, 44]
    picture = np.asarray(Image.open(out).convert("RGB"))
    orange = (picture == (230, 159, 0)).all(-1)
    rows, columns = np.flatnonzero(orange.any(1)), np.flatnonzero(orange.any(0))
    scale = 640 / 80
    assert columns[0] - 8 == pytest.approx(30 * scale - 3, abs=2)
    assert rows[-1] - rows[0] == pytest.approx(10 * scale + 5, abs=3)
    near = picture[22:662, 656 + 8 :]
    assert (near == 255).all(-1).sum() > 1000  # the outline, enlarged


def test_a_box_where_there_are_no_labels(field):
    assert opened(field, field / "o.parquet").records[-1]["box"] == [20, 30, 30, 44]
    said = opened(field, field / "p.parquet", code=65).said
    assert "does not tell where" in said and "--labels" in said


def test_labels_alone_will_do(field):
    done = opened(field, field / "n.labels.ome.zarr", "-c", "RNA")
    assert done.records[-1]["path"] is None and done.records[-1]["box"] == [20, 30, 30, 44]


def test_napari_is_named_where_it_is(field, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "napari")
    done = opened(field, field / "n.labels.ome.zarr")
    command = done.records[-1]["napari"]
    assert command in done.said and command.startswith("napari ")
    assert command.endswith("n.labels.ome.zarr/A/01/0/labels/nuclei")


@pytest.mark.parametrize(("name", "code", "words"), [
    ("7", 2, "is no object_id"),
    ("A/01/0:t1:nuclei:8", 65, "label 8 is not in frame 1"),
    ("A/01/0:t9:nuclei:7", 65, "has 2 frames"),
    ("A/01/0:t1:cells:7", 65, "holds no cells; it has nuclei"),
    ("A/09/0:t1:nuclei:7", 65, "holds no field of view 'A/09/0'"),
])
def test_names_of_nothing(field, name, code, words):
    assert words in opened(field, field / "n.labels.ome.zarr", name=name, code=code).said


def test_a_table_that_does_not_know_it(field):
    said = opened(field, field / "p.parquet", name="A/01/0:t1:nuclei:9", code=65).said
    assert f"does not know A/01/0:t1:nuclei:9; it begins with {NAME}" in said
