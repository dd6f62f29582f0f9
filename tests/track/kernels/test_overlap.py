"""Overlaps by brute force, links by hand, and what no label value may change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sequences import bacteria, disks, shuffled

from libcell.errors import DataError, UsageFault
from libcell.track.kernels import overlap
from libcell.track.kernels.frame import describe
from libcell.track.kernels.motion import global_shift
from libcell.track.kernels.overlap import LinkRules, link_frames, overlap_pairs

planes = arrays(np.uint16, (6, 7), elements=st.integers(0, 5))
volumes = arrays(np.int32, (3, 4, 5), elements=st.sampled_from([0, 0, 1, 7, 1 << 25]))


def brute_force(a, b):
    found = {}
    for i in np.unique(a[a > 0]).tolist():
        for j in np.unique(b[b > 0]).tolist():
            shared = int(((a == i) & (b == j)).sum())
            if shared:
                found[i, j] = (shared, int((a == i).sum()), int((b == j).sum()))
    return found


def rows(pairs):
    return {(a, b): (n, p, q) for a, b, n, p, q in zip(*(c.tolist() for c in pairs))}


@given(st.one_of(st.tuples(planes, planes), st.tuples(volumes, volumes)))
def test_pairs_as_by_brute_force(pair):
    assert rows(overlap_pairs(*pair)) == brute_force(*pair)


def test_many_labels_go_the_other_way(monkeypatch):
    (a, b), _ = disks(2)
    expected = rows(overlap_pairs(a, b))
    monkeypatch.setattr(overlap, "DENSE_PAIRS", 0)
    assert rows(overlap_pairs(a, b)) == expected == brute_force(a, b)


@given(planes, planes, st.tuples(*[st.integers(-8, 8)] * 2))
def test_an_offset_moves_the_first_image(a, b, offset):
    big = np.pad(a, 10)
    moved = np.roll(big, offset, (0, 1))[10:-10, 10:-10]
    got = {k: v[0] for k, v in rows(overlap_pairs(a, b, np.array(offset))).items()}
    assert got == {k: v[0] for k, v in brute_force(moved, b).items()}


@given(planes)
def test_a_frame_knows_its_objects(labels):
    frame = describe(labels)
    assert sorted(frame.labels.tolist()) == np.unique(labels[labels > 0]).tolist()
    for label, area, centroid in zip(frame.labels, frame.areas, frame.centroids):
        where = np.argwhere(labels == label)
        assert area == len(where)
        np.testing.assert_allclose(centroid, where.mean(axis=0))
    assert (np.diff([np.flatnonzero(labels == k)[0] for k in frame.labels]) > 0).all()


def boxes(*spans):
    """One row of objects: (label, first column, end), 4 px high."""
    labels = np.zeros((4, 60), np.uint8)
    for label, start, stop in spans:
        labels[:, start:stop] = label
    return labels


def links(a, b, **rules):
    a, b = describe(a), describe(b)
    found = link_frames(a, b, LinkRules(**rules))
    ends = zip(a.labels[found.source].tolist(), b.labels[found.target].tolist())
    return set(zip(ends, found.division.tolist()))


def test_a_division():
    mother, daughters = boxes((5, 10, 30)), boxes((5, 9, 19), (2, 21, 31))
    assert links(mother, daughters) == {((5, 5), True), ((5, 2), True)}


def test_no_more_than_two_daughters():
    found = links(
        boxes((1, 10, 40)), boxes((1, 10, 18), (2, 20, 29), (3, 31, 40)), min_area_ratio=0
    )
    assert len(found) == 2


def test_two_targets_of_too_large_an_area_are_no_division():
    found = links(boxes((1, 10, 30)), boxes((2, 2, 20), (3, 20, 38)))
    assert len(found) == 1
    assert not any(division for _, division in found)


def test_a_fragment_is_no_daughter():
    assert links(boxes((1, 10, 30)), boxes((2, 10, 27), (3, 28, 30))) == {((1, 2), False)}


def test_of_two_sources_of_one_target_the_better_continues():
    assert links(boxes((1, 10, 22), (2, 22, 30)), boxes((9, 10, 30))) == {((1, 9), False)}


def test_pushed_cells_are_assigned_together():
    # cell 1 overlaps both targets and the second more: greedy linking would lose cell 2
    a, b = boxes((1, 10, 20), (2, 20, 30)), boxes((7, 6, 14), (8, 14, 24))
    assert links(a, b, min_inside=1) == {((1, 7), False), ((2, 8), False)}


def test_small_overlap_is_no_link():
    a, b = boxes((1, 10, 20)), boxes((1, 19, 29))
    assert links(a, b, min_overlap=0.05) == {((1, 1), False)}
    assert links(a, b, min_overlap=0.2) == set()


@pytest.mark.parametrize("shift", [(0, 0), (25, -17), (-30, 8)])
def test_global_shift(shift):
    (first, *_), _ = disks(1)
    moved = np.roll(first, shift, (0, 1))
    np.testing.assert_array_equal(global_shift(describe(first), describe(moved)), shift)


def test_empty_frames_have_no_links():
    empty, full = np.zeros((20, 20), np.uint8), np.ones((20, 20), np.uint8)
    for a, b in ((empty, full), (full, empty), (empty, empty)):
        for motion in ("none", "global", "local"):
            assert link_frames(describe(a), describe(b), LinkRules(), motion).source.size == 0
        assert overlap_pairs(a, b).a.size == 0


@pytest.mark.data
def test_label_values_mean_nothing():
    frames, _ = bacteria(first=20, last=22)
    for motion in ("none", "local"):
        plain, mixed = ([describe(f) for f in g] for g in (frames, shuffled(frames)))
        for a, b in ((0, 1), (1, 2)):
            one = link_frames(plain[a], plain[b], LinkRules(), motion)
            two = link_frames(mixed[a], mixed[b], LinkRules(), motion)
            for p, q in zip(one, two):
                np.testing.assert_array_equal(p, q)


def test_faults():
    with pytest.raises(DataError, match="differ in shape"):
        overlap_pairs(np.zeros((4, 4), int), np.zeros((4, 5), int))
    with pytest.raises(DataError, match="integers"):
        overlap_pairs(np.zeros((4, 4)), np.zeros((4, 4)))
    with pytest.raises(DataError, match="negative"):
        describe(np.array([[-1, 0]]))
    with pytest.raises(UsageFault, match="min_overlap"):
        LinkRules(min_overlap=1.5)
    with pytest.raises(UsageFault, match="motion"):
        link_frames(
            describe(np.ones((2, 2), int)), describe(np.ones((2, 2), int)), LinkRules(), "x"
        )
