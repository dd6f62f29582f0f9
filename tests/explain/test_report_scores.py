"""What a report says of segmentation scores."""

import json

import numpy as np
import pyarrow.parquet as pq
from hand_made import call, write_labels

from libcell.explain.gather import scores


def labels(seed, lost=0.0):
    rng = np.random.default_rng(seed)
    made = np.kron(np.arange(1, 26).reshape(5, 5), np.ones((6, 6), int)).astype(np.uint32)
    made[rng.random(made.shape) < lost] = 0
    return made[None, None]


def test_figures_of_objects_and_the_worst_images(tmp_path):
    images = {f"A/{i + 1:02d}/0": i / 12 for i in range(8)}
    write_labels(tmp_path / "t.labels.ome.zarr", {g: {"cells": labels(0)} for g in images})
    write_labels(tmp_path / "p.labels.ome.zarr",
                 {g: {"cells": labels(1, lost)} for g, lost in images.items()})
    done = call("segment", "score", tmp_path / "p.labels.ome.zarr",
                tmp_path / "t.labels.ome.zarr", "-o", tmp_path / "x.parquet")
    call("explain", "report", tmp_path / "x.parquet", "-o", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "How good the objects are" in page and "How good it is" not in page
    table = pq.read_table(tmp_path / "x.parquet")
    figures, worst = scores.sections([("", table)])
    said = {row[0]: row[1:] for row in figures.rows}
    last = done.records[-1]
    assert said["AP at IoU 0.5"][0] == f"{last['AP50']:.3f}"
    assert said["panoptic quality (PQ)"][0] == f"{last['PQ']:.3f}"
    assert said["SEG (Cell Tracking Challenge)"][0] == f"{last['SEG']:.3f}"
    means = [r["value"] for r in table.to_pylist() if r["metric"] == "PQ" and r["group"]]
    assert said["panoptic quality (PQ)"][1] == f"{np.mean(means):.3f}"
    assert said["true objects"] == ["200", ""]
    assert [row[0] for row in worst.rows][:2] == ["A/08/0", "A/07/0"] and len(worst.rows) == 5
    for row in figures.rows + worst.rows:
        assert all(text in page for text in row if text), json.dumps(row)


def test_no_scores_no_section():
    assert scores.sections([]) == []
