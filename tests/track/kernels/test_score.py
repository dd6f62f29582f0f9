"""Figures by hand, and equal to traccuracy's on damaged tracks of the colony."""

import math
import warnings

import networkx as nx
import numpy as np
import pytest
from sequences import bacteria, disks, tracked

from libcell.errors import DataError
from libcell.track.kernels.score import as_dict, match_nodes, score
from libcell.track.kernels.tracks import Tracks, edges


def table(*rows):
    """Tracks from (t, label, track, parent)."""
    return Tracks(*np.array(rows, np.int64).reshape(-1, 4).T)


# one cell for two frames, then its two daughters for three
TRUTH = [(0, 1, 1, 0), (1, 1, 1, 0)] + [(t, k, k, 1) for t in (2, 3, 4) for k in (2, 3)]


def same_labels(truth):
    return np.stack([truth.t, truth.label, truth.label], axis=1)


def test_a_perfect_result():
    truth = table(*TRUTH)
    found = score(truth, truth, same_labels(truth))
    assert (found.edges.tp, found.edges.fn, found.edges.fp) == (7, 0, 0)
    assert found.divisions.f1 == found.divisions_near.f1 == found.complete_tracks == 1
    assert (found.challenge.aogm, found.challenge.tra) == (0, 1)


def test_a_missed_division_and_a_false_track():
    truth = table(*TRUTH)
    result = table(*[(t, k, 1 if k == 2 else k, 0) for t, k, *_ in TRUTH])
    found = score(truth, result, same_labels(truth))
    assert (found.edges.tp, found.edges.fn, found.edges.fp) == (6, 1, 0)
    assert (found.divisions.tp, found.divisions.fn, found.divisions.fp) == (0, 1, 0)
    assert found.challenge.wrong_edges == 1
    assert found.challenge.aogm == 1.5 + 1
    assert found.challenge.lnk == pytest.approx(1 - 2.5 / 10.5)
    assert found.complete_tracks == pytest.approx(1 / 3)


def test_a_division_one_frame_late():
    truth = table(*TRUTH)
    # track 1 goes on as daughter 2 for one frame; 3 is new at frame 3
    late = [
        (t, k, 1 if t < 3 else k + 10, 0 if t < 3 else 1) for t, k, *_ in TRUTH if (t, k) != (2, 3)
    ]
    result = table(*late)
    found = score(truth, result, same_labels(truth))
    assert (found.divisions.tp, found.divisions.fn, found.divisions.fp) == (0, 1, 1)
    assert (found.divisions_near.tp, found.divisions_near.fn, found.divisions_near.fp) == (1, 0, 0)
    assert score(truth, result, same_labels(truth), tolerance=0).divisions_near.tp == 0


def test_a_merged_object_needs_splits():
    frames = [np.array([[1, 1, 2, 2, 3, 3]])]
    matches = match_nodes(frames, [np.array([[5, 5, 5, 5, 5, 5]])])
    truth = table(*[(0, k, k, 0) for k in (1, 2, 3)])
    found = score(truth, table((0, 5, 5, 0)), matches).challenge
    assert (found.non_split, found.fn_nodes, found.fp_nodes, found.aogm) == (2, 0, 0, 10)


def test_exactly_half_is_no_match():
    half = match_nodes([np.array([[1, 1, 1, 1]])], [np.array([[4, 4, 0, 0]])])
    most = match_nodes([np.array([[1, 1, 1, 1]])], [np.array([[4, 4, 4, 0]])])
    assert half.tolist() == []
    assert most.tolist() == [[0, 1, 4]]


def test_empty_tracks():
    nothing = table()
    found = score(nothing, nothing, np.zeros((0, 3), np.int64))
    assert math.isnan(found.challenge.tra)
    assert math.isnan(found.edges.f1)
    truth = table(*TRUTH)
    missed = score(truth, nothing, np.zeros((0, 3), np.int64))
    assert (missed.challenge.tra, missed.edges.recall, missed.complete_tracks) == (0, 0, 0)
    assert as_dict(missed)["challenge.fn_nodes"] == 8


def test_a_gap_is_an_edge_and_a_missing_parent_is_none():
    found = edges(table((0, 1, 1, 0), (3, 1, 1, 0), (1, 5, 5, 99)))
    assert (found.source.tolist(), found.target.tolist(), found.parent.tolist()) == (
        [0],
        [1],
        [False],
    )


def test_faulty_tracks_are_refused():
    with pytest.raises(DataError, match="a track occurs twice in a frame"):
        table((0, 1, 1, 0), (0, 2, 1, 0))
    with pytest.raises(DataError, match="a label occurs twice in a frame"):
        table((0, 1, 1, 0), (0, 1, 2, 0))


def damaged(frames, seed):
    """Result masks: some objects are lost, some invented, some neighbours merged."""
    rng = np.random.default_rng(seed)
    out = []
    for frame in frames:
        frame = frame.astype(np.int64)
        ids = np.unique(frame[frame > 0])
        new = rng.permutation(np.arange(1, ids.size + 1))
        names = dict(zip(ids.tolist(), new.tolist()))
        pair = ids[: 2 * (ids.size > 3)]
        names.update(dict.fromkeys(pair.tolist(), int(new[0])))
        if ids.size > 5:
            names[int(rng.choice(ids[2:]))] = 0
        table = np.zeros(int(ids.max()) + 1, np.int64)
        table[list(names)] = list(names.values())
        frame = table[frame]
        frame[3:9, 3:9] = ids.size + 1
        out.append(frame)
    return out


def traccuracy_figures(truth, result, truth_frames, result_frames):
    from traccuracy import TrackingGraph
    from traccuracy.matchers import CTCMatcher
    from traccuracy.metrics import CTCMetrics

    graphs = [
        TrackingGraph(graph(tracks, frames), segmentation=np.stack(frames), name=name)
        for tracks, frames, name in (
            (truth, truth_frames, "truth"), (result, result_frames, "result"),
        )
    ]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matched = CTCMatcher().compute_mapping(*graphs)
        return CTCMetrics().compute(matched).results


def graph(tracks, frames):
    out = nx.DiGraph()
    for row, (t, label) in enumerate(zip(tracks.t.tolist(), tracks.label.tolist())):
        where = np.argwhere(frames[t] == label)
        box = (*where.min(axis=0).tolist(), *(where.max(axis=0) + 1).tolist())
        y, x = where.mean(axis=0).tolist()
        out.add_node(row, t=t, segmentation_id=label, bbox=box, y=y, x=x)
    links = edges(tracks)
    out.add_edges_from(zip(links.source.tolist(), links.target.tolist()))
    return out


@pytest.mark.data
@pytest.mark.parametrize("seed, intact", [(0, True), (1, False), (2, False)])
def test_as_traccuracy_on_the_bacteria(seed, intact):
    frames, truth = bacteria(last=15)
    frames = [f[300:1000, 200:800].astype(np.int64) for f in frames]
    inside = {(t, k) for t, f in enumerate(frames) for k in np.unique(f).tolist()}
    assert all(key in inside for key in zip(truth.t.tolist(), truth.label.tolist()))
    seen = [np.roll(f, 3, 0) for f in frames] if intact else damaged(frames, seed)
    result = tracked(seen)
    ours = score(truth, result, match_nodes(frames, seen)).challenge
    theirs = traccuracy_figures(truth, result, frames, seen)
    assert ours.aogm > 5
    for name, key in (
        ("tra", "TRA"), ("det", "DET"), ("lnk", "LNK"), ("aogm", "AOGM"), ("fp_nodes", "fp_nodes"),
        ("fn_nodes", "fn_nodes"), ("non_split", "ns_nodes"), ("fp_edges", "fp_edges"),
        ("fn_edges", "fn_edges"), ("wrong_edges", "ws_edges"),
    ):  # fmt: skip
        assert getattr(ours, name) == pytest.approx(theirs[key]), name


def test_disks_with_damage():
    frames, truth = disks(n=6)
    seen = damaged(frames, 0)
    found = score(truth, tracked(seen), match_nodes(frames, seen))
    assert 0.5 < found.challenge.tra < 1
    assert found.challenge.fp_nodes == len(frames)
    assert found.challenge.non_split == len(frames)
