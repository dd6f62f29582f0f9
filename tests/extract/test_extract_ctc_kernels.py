"""Gaps taken apart and joined, and labels changed, on tracks that are drawn."""

import numpy as np
import pytest

from libcell.errors import DataError
from libcell.extract.kernels import ctc_tracks, forest
from libcell.extract.kernels.centroids import centroids
from libcell.extract.kernels.ctc_masks import relabel
from libcell.extract.kernels.ctc_tracks import Rows


def drawn(seed, n=30):
    """Objects t, track, parent of `n` tracks with gaps; ids in no order, some with two daughters.

    A parent has no or two or three daughters, since one alone after a gap is the same cell.
    """
    rng = np.random.default_rng(seed)
    ids = rng.permutation(np.arange(1, 3 * n))[: n].tolist()
    rows, waiting = [], []
    while ids:
        parent, start = waiting.pop(0) if waiting else (0, int(rng.integers(0, 5)))
        track = ids.pop()
        frames = start + np.flatnonzero(rng.uniform(size=8) < 0.7)
        frames = frames if frames.size else np.array([start])
        rows += [(int(t), track, parent) for t in frames]
        brood = int(rng.choice([0, 2, 3]))
        if len(ids) >= brood + len(waiting):
            later = int(frames[-1]) + 1 + rng.integers(0, 3, brood)
            waiting += [(track, int(t)) for t in later]
    return (np.array(c, np.int64) for c in zip(*[rows[i] for i in rng.permutation(len(rows))]))


@pytest.mark.parametrize("seed", range(8))
def test_taken_apart_and_joined_tracks_are_the_same(seed):
    t, track, parent = drawn(seed)
    label, rows = ctc_tracks.as_rows(t, track, parent, "x")
    assert ctc_tracks.parse(rows.text(), "x").text() == rows.text()
    ctc_tracks.check_rows(rows, 0, int(t.max()), "x")
    ctc_tracks.check_masks(rows, t, label, "x", gaps=False)  # no label has a gap
    assert rows.label.size > np.unique(track).size
    joined, mothers = ctc_tracks.as_tracks(rows, join=True)
    place = np.array([np.flatnonzero(rows.label == k)[0] for k in label])
    np.testing.assert_array_equal(joined[place], track)
    np.testing.assert_array_equal(mothers[place], parent)


def test_a_lone_child_without_a_gap_stays_one():
    rows = Rows(*np.array([[1, 0, 2, 0], [2, 3, 5, 1], [3, 7, 8, 2]]).T)
    assert [c.tolist() for c in ctc_tracks.as_tracks(rows, True)] == [[1, 2, 2], [0, 1, 1]]
    assert [c.tolist() for c in ctc_tracks.as_tracks(rows, False)] == [[1, 2, 3], [0, 1, 2]]


def test_with_gaps_the_ends_must_still_be_there():
    rows = Rows(*np.array([[4, 0, 3, 0]]).T)
    four = np.full(2, 4)
    ctc_tracks.check_masks(rows, np.array([0, 3]), four, "x", gaps=True)
    with pytest.raises(DataError, match=r"away in frame 3$"):
        ctc_tracks.check_masks(rows, np.array([0, 2]), four, "x", gaps=True)
    with pytest.raises(DataError, match=r"away in frame 1; after a gap"):
        ctc_tracks.check_masks(rows, np.array([0, 3]), four, "x", gaps=False)


def test_labels_become_tracks():
    labels = np.array([[[0, 70_000, 3], [3, 9, 0]]], np.uint32)
    made, absent, loose = relabel(labels, np.array([70_000, 3, 8]), np.array([2, 65_535, 1]))
    assert made.dtype == np.uint16
    assert made.tolist() == [[[0, 2, 65_535], [65_535, 0, 0]]]
    assert (absent.tolist(), loose.tolist()) == ([8], [9])


def test_centroids():
    labels = np.zeros((3, 5, 6), np.uint32)
    labels[0, 1:3, 2:4], labels[2, 4, 5] = 9, 2
    found, places = centroids(labels)
    assert found.tolist() == [2, 9] and places.tolist() == [[2, 4, 5], [0, 1.5, 2.5]]
    assert centroids(labels * 0)[1].shape == (0, 3)


def test_tracks_of_fields_are_numbered_apart():
    edges = np.array([[0, 2], [1, 3], [3, 4], [3, 5]])
    field, t = np.array([0, 1, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    track, parent = forest.derive(edges, field, t)
    assert track.tolist() == [1, 1, 1, 1, 2, 3] and parent.tolist() == [0, 0, 0, 0, 1, 1]
    assert forest.merges(np.array([[0, 2], [1, 2], [2, 3]]), 4).tolist() == [[0, 2], [1, 2]]
