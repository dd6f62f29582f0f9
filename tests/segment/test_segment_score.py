"""cell-segment score: against references written from the definitions, and on stores."""

import json

import numpy as np
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import tifffile
from hand_made import call, files_of, write_images, write_labels
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from libcell.segment import score
from libcell.segment.kernels import matching

CUTS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


# -- the definitions, object by object ---------------------------------------------------


def objects(labels):
    return [labels == v for v in np.unique(labels) if v]


def reference(truth, found):
    """All figures from pairs of masks; matching by linear assignment as its users solve it."""
    ours, theirs = objects(truth), objects(found)
    shared = np.array([[(a & b).sum() for b in theirs] for a in ours]).reshape(
        len(ours), len(theirs))
    union = np.array([[(a | b).sum() for b in theirs] for a in ours]).reshape(shared.shape)
    iou = shared / np.maximum(union, 1)
    made = {}
    for cut in CUTS:
        cost = -(iou >= cut).astype(float) - iou / (2 * max(1, min(iou.shape)))
        rows, columns = linear_sum_assignment(cost)
        tp = int((iou[rows, columns] >= cut).sum())
        made[f"AP{round(100 * cut)}"] = ratio(tp, len(ours) + len(theirs) - tp)
        if cut == 0.5:
            made |= {"TP_50": tp, "FP_50": len(theirs) - tp, "FN_50": len(ours) - tp,
                     "precision_50": ratio(tp, len(theirs)), "recall_50": ratio(tp, len(ours)),
                     "F1_50": ratio(2 * tp, len(ours) + len(theirs))}
    sure = iou > 0.5
    tp = sure.sum()
    made["PQ"] = ratio(iou[sure].sum(), tp + (len(theirs) - tp) / 2 + (len(ours) - tp) / 2)
    made["SEG"] = ratio(sum(iou[i, j] for i, a in enumerate(ours) for j in range(len(theirs))
                            if shared[i, j] > a.sum() / 2), len(ours))
    made["over_segmented"] = in_pieces(ours, theirs)
    made["under_segmented"] = in_pieces(theirs, ours)
    return made


def in_pieces(wholes, others):
    number = 0
    for whole in wholes:
        inside = [(whole & o).sum() for o in others
                  if (whole & o).sum() > o.sum() / 2 and (whole & o).sum() >= whole.sum() / 10]
        number += len(inside) > 1 and sum(inside) > whole.sum() / 2
    return number


def ratio(part, whole):
    return part / whole if whole else None


def ours(truth, found):
    counts = matching.count(matching.overlaps(truth, found))
    return matching.figures(counts) | matching.tallies(counts)


def same(found, expected):
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name


@st.composite
def masks(draw):
    """Two small label images of few labels, so that exact halves and ties are common."""
    shape = draw(st.sampled_from([(4, 5), (3, 3, 4), (1, 12), (7, 9)]))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    top = draw(st.integers(1, 9))
    truth = rng.integers(0, top + 1, shape)
    truth = np.repeat(truth, draw(st.integers(1, 3)), axis=0)
    noise = rng.random(truth.shape) < draw(st.sampled_from([0, 0.1, 0.4]))
    found = np.where(noise, rng.integers(0, 12, truth.shape), truth * 3)
    return truth.astype(np.uint32), found.astype(np.uint32)


@settings(max_examples=200, deadline=None)
@given(masks())
def test_all_figures_are_those_of_the_definitions(pair):
    same(ours(*pair), reference(*pair))


def test_exactly_half_is_a_match_but_only_once():
    """One object cut into equal halves, one pair merged: each half has an IoU of exactly 0.5."""
    truth = np.array([[1, 1, 0, 4, 5]], np.uint32)
    found = np.array([[7, 8, 0, 9, 9]], np.uint32)
    made = ours(truth, found)
    same(made, reference(truth, found))
    assert (made["TP_50"], made["FP_50"], made["FN_50"]) == (2, 1, 1)
    assert made["PQ"] == 0.0, "a panoptic match is above 0.5"
    assert (made["over_segmented"], made["under_segmented"]) == (1, 1)
    assert made["SEG"] == pytest.approx((0 + 0.5 + 0.5) / 3), "more than half of 4 and of 5"


@pytest.mark.parametrize(("part", "whole"), [(11, 20), (3, 5), (13, 20), (7, 10), (19, 20)])
def test_an_iou_at_the_threshold_reaches_it(part, whole):
    truth = np.ones((1, whole), np.uint32)
    found = np.where(np.arange(whole) < part, 3, 0)[None].astype(np.uint32)
    made = ours(truth, found)
    assert made[f"AP{100 * part // whole}"] == 1.0
    assert sum(made[f"AP{p}"] for p in matching.PERCENT if 100 * part < p * whole) == 0


def test_a_speck_is_a_false_positive_and_no_piece():
    truth = np.ones((1, 40), np.uint32)
    found = np.full((1, 40), 2, np.uint32)
    found[0, :3] = 5
    made = ours(truth, found)
    assert (made["over_segmented"], made["FP_50"], made["TP_50"]) == (0, 1, 1)
    found[0, :4] = 5
    assert ours(truth, found)["over_segmented"] == 1


def test_nothing_and_nothing_to_find():
    none, some = np.zeros((5, 5), np.uint32), np.eye(5, dtype=np.uint32)
    both = ours(none, none)
    assert all(both[k] is None for k in score.SAID)
    missed = ours(some, none)
    assert (missed["AP50"], missed["SEG"], missed["recall_50"]) == (0, 0, 0)
    assert missed["precision_50"] is None
    invented = ours(none, some)
    assert (invented["AP50"], invented["PQ"], invented["precision_50"]) == (0, 0, 0)
    assert invented["SEG"] is None and invented["recall_50"] is None


def test_large_labels_and_windows_do_not_matter():
    rng = np.random.default_rng(0)
    truth, found = (np.kron(rng.integers(0, 30, (9, 8)), np.ones((5, 6))).astype(np.uint32)
                    for _ in range(2))
    truth[truth > 0] += np.uint32(2**32 - 40)
    whole = matching.overlaps(truth, found)
    parts = [matching.overlaps(truth[y : y + 7, x : x + 11], found[y : y + 7, x : x + 11])
             for y in range(0, 45, 7) for x in range(0, 48, 11)]
    for a, b in zip(matching.merge(parts), whole):
        np.testing.assert_array_equal(a, b)
    assert matching.count(whole).truth == np.unique(truth[truth > 0]).size


# -- stores ------------------------------------------------------------------------------


def stack(seed, shape=(2, 1, 40, 50)):
    """Squares of 6 px that may touch, with other labels in each frame."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(1, 400, (*shape[:2], 7, 9)) * (rng.random((*shape[:2], 7, 9)) < 0.5)
    made = np.kron(coarse, np.ones((1, 1, 6, 6), int))[:, :, : shape[2], : shape[3]]
    return made.astype(np.uint32)


def shaken(truth, seed):
    """Each object loses its own share of pixels, up to six tenths."""
    rng = np.random.default_rng(seed)
    lost = rng.random(truth.shape) < 0.6 * rng.random(400)[truth]
    return np.where(lost, 0, truth * 2).astype(np.uint32)


def judge(folder, *args, out="x.parquet", code=0):
    return call("segment", "score", folder / "p.labels.ome.zarr", "--truth",
                folder / "t.labels.ome.zarr", "-o", folder / out, *args, code=code)


def stores(folder, truth, found):
    write_labels(folder / "t.labels.ome.zarr", {g: {"cells": a} for g, a in truth.items()})
    write_labels(folder / "p.labels.ome.zarr", {g: {"nuclei": a} for g, a in found.items()})


@pytest.mark.parametrize("window", [2048, 16])
def test_stores_frames_planes_and_an_empty_image(tmp_path, monkeypatch, window):
    monkeypatch.setattr(score, "WINDOW", window)
    empty = np.zeros((1, 1, 20, 20), np.uint32)
    truth = {"A/01/0": stack(1), "A/02/0": stack(2, (1, 3, 30, 20)), "B/01/0": empty}
    found = {g: shaken(a, 3) for g, a in truth.items()}
    stores(tmp_path, truth, found)
    said = judge(tmp_path).records[-1]
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.schema.metadata[b"schema"] == b"scores/1"
    rows = {(r["group"], r["Metadata_T"], r["metric"]): r["value"] for r in table.to_pylist()}
    every = [(g, t, reference(a[t], found[g][t])) for g, a in truth.items() for t in range(len(a))]
    for group, t, expected in every:
        same({k: rows[group, t, k] for k in expected}, expected)
    tp, fp, fn = (sum(e[k] for *_, e in every) for k in ("TP_50", "FP_50", "FN_50"))
    assert said["AP50"] == pytest.approx(tp / (tp + fp + fn)) == rows[None, None, "AP50"]
    assert (said["TP_50"], said["FP_50"], said["FN_50"]) == (tp, fp, fn)
    mean = np.mean([e["AP50"] for *_, e in every if e["AP50"] is not None])
    assert rows[None, None, "AP50_image_mean"] == pytest.approx(mean)
    assert 0 < said["AP75"] < said["AP50"] and 0 < said["PQ"] < 1 and 0 < said["SEG"] < 1


def test_a_store_against_itself_is_perfect(tmp_path):
    stores(tmp_path, {"": stack(1)}, {"": stack(1)})
    said = judge(tmp_path).records[-1]
    assert all(said[k] == 1.0 for k in score.SAID)
    assert said["over_segmented"] == said["under_segmented"] == 0


def test_workers_and_pipes_change_nothing(tmp_path, cell):
    truth = {f"A/0{i}/0": stack(i) for i in range(1, 4)}
    stores(tmp_path, truth, {g: shaken(a, 1) for g, a in truth.items()})
    judge(tmp_path)
    judge(tmp_path, "-j", 2, out="y.parquet")
    assert (tmp_path / "x.parquet").read_bytes() == (tmp_path / "y.parquet").read_bytes()
    done = cell("segment", "score", "-", "--truth", "t.labels.ome.zarr", "-o", "z.parquet",
                cwd=tmp_path, input="p.labels.ome.zarr\n")
    assert '"AP50"' in done.stdout
    assert files_of(tmp_path / "z.parquet")["z.parquet"] == (tmp_path / "x.parquet").read_bytes()


def test_as_one_types_it(tmp_path, cell):
    """Two stores and no output: the record is the result, and nothing is written."""
    stores(tmp_path, {"": stack(1)}, {"": shaken(stack(1), 1)})
    before = {p.name for p in tmp_path.iterdir()}
    done = cell("segment", "score", "p.labels.ome.zarr", "t.labels.ome.zarr", cwd=tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == before
    last = json.loads(done.stdout.splitlines()[-1])
    kept = judge(tmp_path).records[-1]
    assert last.pop("path") is None and kept.pop("path") == str(tmp_path / "x.parquet")
    assert last == kept and {"AP50", "AP75", "F1_50", "PQ", "SEG"} < set(last)
    piped = cell("segment", "score", "-", "t.labels.ome.zarr", "-o", "y.parquet", cwd=tmp_path,
                 input="p.labels.ome.zarr\n")
    assert json.loads(piped.stdout.splitlines()[-1])["AP"] == last["AP"]
    assert (tmp_path / "x.parquet").read_bytes() == (tmp_path / "y.parquet").read_bytes()


def test_the_table_itself_on_stdout(tmp_path, cell):
    import subprocess
    import sys

    stores(tmp_path, {"": stack(1)}, {"": shaken(stack(1), 1)})
    done = subprocess.run([sys.executable, "-m", "cell_segment", "score", "p.labels.ome.zarr",
                           "--truth", "t.labels.ome.zarr", "-o", "-"], cwd=tmp_path,
                          capture_output=True, check=True)
    judge(tmp_path)
    streamed = pyarrow.ipc.open_stream(done.stdout).read_all()
    assert streamed.to_pylist() == pq.read_table(tmp_path / "x.parquet").to_pylist()


# -- refusals ----------------------------------------------------------------------------


def refused(folder, *args, code=65):
    said = judge(folder, *args, code=code).said
    assert not (folder / "x.parquet").exists()
    assert len(said.splitlines()) == 1, said
    return said


def test_other_fields_of_view(tmp_path):
    stores(tmp_path, {"a": stack(1), "b": stack(1)}, {"a": stack(1), "c": stack(1)})
    said = refused(tmp_path)
    assert "'c' is only in INPUT; 'b' is only here" in said and "t.labels.ome.zarr" in said


def test_other_sizes(tmp_path):
    stores(tmp_path, {"a": stack(1)}, {"a": stack(1)[:1]})
    assert "1 x 1 x 40 x 50 (T,Z,Y,X)" in refused(tmp_path)


def test_compartments_are_not_guessed(tmp_path):
    write_labels(tmp_path / "t.labels.ome.zarr", {"": {"cells": stack(1), "nuclei": stack(2)}})
    write_labels(tmp_path / "p.labels.ome.zarr", {"": {"nuclei": stack(2)}})
    assert "has cells, nuclei; say which (--truth-compartment)" in refused(tmp_path)
    assert "'x'" in refused(tmp_path, "--truth-compartment", "x")
    assert judge(tmp_path, "--compartment", "nuclei").records[-1]["AP"] == 1.0


def test_truth_that_is_absent_or_no_labels(tmp_path):
    stores(tmp_path, {"": stack(1)}, {"": stack(1)})
    base = ("segment", "score", tmp_path / "p.labels.ome.zarr", "-o", tmp_path / "x.parquet")
    assert "not found" in call(*base, "--truth", tmp_path / "none", code=66).said
    write_images(tmp_path / "i.ome.zarr", {"": stack(1)[:, None].astype(np.uint16)})
    assert "labels" in call(*base, "--truth", tmp_path / "i.ome.zarr", code=65).said


# -- real masks --------------------------------------------------------------------------


def test_manual_nuclei_against_a_rough_segmentation(shared):
    """Eroded, joined and dropped nuclei of real shapes; one of the cut-outs is empty."""
    from scipy import ndimage

    files = sorted((shared("dsb2018_nuclei") / "labels").glob("*.tif"))[:4]
    assert len(files) == 4
    for file in files:
        truth = tifffile.imread(file).astype(np.uint32)[:200, :200]
        found, _ = ndimage.label(ndimage.binary_erosion(truth > 0, iterations=2))
        made = ours(truth, found.astype(np.uint32))
        same(made, reference(truth, found))
        assert made["AP50"] is None or made["AP50"] > made["AP90"]
