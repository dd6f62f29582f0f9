"""cell-track score: on stores, by mask, label and place; equal to py-ctcmetrics' figures."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from hand_made import PROVENANCE, call, write_labels
from hand_tracks import links

from libcell.data import tables, tracks
from libcell.simulate import simulate_timelapse


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film with its labels, its truth (also as a challenge folder) and a bad result."""
    folder = tmp_path_factory.mktemp("film")
    made = simulate_timelapse(5, shape=(220, 220), n_cells=6, frames=14)
    cells = made.nuclei.astype(np.uint32)
    write_labels(folder / "n.labels.ome.zarr", {"01": {"nuclei": cells[:, None]}})
    t, label, track, parent = (
        made.tracks[n] for n in ("t", "label", "track_id", "parent_track_id"))
    store(folder / "true.tracks", list(zip(["01"] * len(t), t, label, track, parent)), cells)
    call("track", "overlap", folder / "n.labels.ome.zarr", "--motion", "none",
         "--min-overlap", 0.75, "--min-inside", 0.9, "-o", folder / "bad.tracks")
    for name, kind in (("true", "gt"), ("bad", "res")):
        call("extract", "to-ctc", folder / f"{name}.tracks", "--labels",
             folder / "n.labels.ome.zarr", "--as", kind, "-o", folder / f"ctc-{name}")
    return folder


def store(path, rows, frames=None):
    """A track store of rows (image, t, label, track, parent), placed as the masks lie."""
    table = links([(i, *(int(v) for v in r)) for i, *r in rows])
    if frames is not None:
        places = np.array([[c.mean() for c in np.nonzero(frames[t] == k)] for _, t, k, *_ in rows])
        for axis, values in zip("yx", places.T):
            table = table.set_column(table.column_names.index(axis), axis,
                                     [values.astype(np.float64)])
    tracks.write(path, table, PROVENANCE)
    return path


def figures(*args, code=0):
    done = call("track", "score", *args, code=code)
    return done.records[-1] if code == 0 else done.said


def test_as_py_ctcmetrics(film):
    from ctc_metrics.scripts.evaluate import evaluate_sequence

    theirs = evaluate_sequence(
        str(film / "ctc-bad" / "01_RES"), str(film / "ctc-true" / "01_GT"),
        metrics=["DET", "TRA", "LNK", "BC"])
    ours = figures(film / "bad.tracks", film / "true.tracks")
    assert 0.5 < ours["LNK"] < 0.99
    for name in ("DET", "TRA", "LNK", "AOGM"):
        assert ours[name] == pytest.approx(theirs[name]), name
    for ctc, name in (("NS", "splits"), ("FN", "missed_objects"), ("FP", "false_objects"),
                      ("ED", "false_links"), ("EA", "missed_links"), ("EC", "wrong_links")):
        assert ours[f"AOGM_{name}"] == theirs[f"AOGM_{ctc}"]
    for tolerance in (0, 1):
        near = figures(film / "bad.tracks", film / "true.tracks", "--tolerance", tolerance)
        assert near["division_f1"] == pytest.approx(theirs[f"BC({tolerance})"], abs=1e-4)
        assert near["mitotic_branching_correctness"] == pytest.approx(
            near["division_f1"] / (2 - near["division_f1"]))


def test_masks_and_labels_say_the_same(film):
    by_label = figures(film / "bad.tracks", film / "true.tracks")
    by_mask = figures(film / "bad.tracks", film / "true.tracks",
                      "--truth-labels", film / "n.labels.ome.zarr")
    by_place = figures(film / "bad.tracks", film / "true.tracks", "--max-distance", 2)
    assert by_label["SEG"] is None and by_mask["SEG"] == 1
    for found in (by_mask, by_place):
        assert {k: v for k, v in found.items() if k != "SEG"} == {
            k: v for k, v in by_label.items() if k != "SEG"}


def test_other_masks(film, tmp_path):
    """Every object is cut by one row and has another number."""
    files = sorted((film / "ctc-bad" / "01_RES").glob("*.tif"))
    frames = np.stack([tifffile.imread(f) for f in files]).astype(np.uint32)
    for frame in frames:
        lost = frame != np.roll(frame, 1, axis=0)
        frame[lost] = 0
        frame[frame > 0] += 40
    write_labels(tmp_path / "m.labels.ome.zarr", {"01": {"cells": frames[:, None]}})
    call("track", "lap", tmp_path / "m.labels.ome.zarr", "-o", tmp_path / "m.tracks")
    pair = (tmp_path / "m.tracks", film / "true.tracks")
    assert "--truth-labels" in figures(*pair, code=65)
    found = figures(*pair, "--labels", tmp_path / "m.labels.ome.zarr",
                    "--truth-labels", film / "n.labels.ome.zarr")
    assert 0.7 < found["SEG"] < 1
    assert found["DET"] > 0.9 and found["LNK"] > 0.9


def test_a_table_over_fields_of_view(tmp_path):
    one = [("a", 0, 1, 1, 0), ("a", 1, 1, 1, 0), ("b", 0, 1, 1, 0), ("b", 1, 1, 1, 0)]
    store(tmp_path / "true.tracks", one)
    store(tmp_path / "found.tracks", [*one[:3], ("b", 1, 1, 2, 0)])
    found = figures(tmp_path / "found.tracks", tmp_path / "true.tracks",
                    "-o", tmp_path / "s.parquet")
    assert (found["links_found"], found["links_missed"]) == (1, 1)
    table = pq.read_table(tmp_path / "s.parquet").to_pylist()
    recall = {r["group"]: r["value"] for r in table if r["metric"] == "link_recall"}
    assert recall == {"a": 1, "b": 0, None: 0.5}
    tables.read(tmp_path / "s.parquet", "scores")


def test_what_does_not_go_together(tmp_path):
    a = store(tmp_path / "a.tracks", [("a", 0, 1, 1, 0)])
    b = store(tmp_path / "b.tracks", [("b", 0, 1, 1, 0)])
    assert "has no tracks of 'a'" in figures(a, b, code=65)
    assert "give one track store" in figures(a, b, b, code=2)
    assert "--truth-labels" in figures(a, a, "--labels", tmp_path, code=2)
    assert figures(a, a)["LNK"] is None
