"""Whole sequences: simulated disks are followed without a fault, the colony nearly so."""

import numpy as np
import pytest
from sequences import bacteria, disks, shuffled, tracked

from libcell.errors import DataError
from libcell.track.kernels.builder import TrackBuilder, track_frames
from libcell.track.kernels.frame import describe
from libcell.track.kernels.overlap import Links
from libcell.track.kernels.score import match_nodes, score


@pytest.mark.parametrize("seed", range(3))
def test_dividing_disks(seed):
    frames, truth = disks(seed=seed)
    mixed = shuffled(frames, seed)
    found = score(truth, tracked(mixed), match_nodes(frames, mixed))
    assert found.divisions.tp > 10
    assert (found.edges.f1, found.divisions.f1, found.complete_tracks) == (1, 1, 1)
    assert found.challenge.tra == 1


@pytest.mark.parametrize("motion", ["global", "local"])
def test_a_drifting_stage_needs_a_motion(motion):
    frames, truth = disks(n=8, size=520, drift=(14.0, 14.0))
    mixed = shuffled(frames)
    matches = match_nodes(frames, mixed)
    assert score(truth, tracked(mixed), matches).edges.f1 < 0.9
    assert score(truth, tracked(mixed, motion=motion), matches).edges.f1 > 0.98


def test_volumes():
    frames, truth = disks(n=5, size=200)
    mixed = [np.stack([f] * 3) for f in shuffled(frames)]
    solid = [np.stack([f] * 3) for f in frames]
    found = score(truth, tracked(mixed, motion="local"), match_nodes(solid, mixed))
    assert found.challenge.tra == 1
    assert set(next(track_frames(mixed))) >= {"z", "y", "x"}


@pytest.mark.data
@pytest.mark.parametrize(
    "motion, lnk, division_f1",
    [("none", 0.87, 0.69), ("global", 0.92, 0.81), ("local", 0.95, 0.88)],
)
def test_bacteria(motion, lnk, division_f1):
    frames, truth = bacteria()
    mixed = shuffled(frames)
    found = score(truth, tracked(mixed, motion=motion), match_nodes(frames, mixed))
    assert found.challenge.lnk > lnk
    assert found.divisions.f1 > division_f1
    assert found.divisions.fp <= 2
    assert found.challenge.det == 1


def test_rows():
    a, b = np.zeros((2, 6, 9), np.uint8)
    a[1:5, 1:8] = 4
    b[1:5, 1:4] = 4
    b[1:5, 5:8] = 9
    first, second, third = track_frames([a, b, b])
    assert first["track_id"].tolist() == [1]
    assert np.isnan(first["score"]).all()
    assert (first["y"].tolist(), first["x"].tolist()) == ([2.5], [4.0])
    assert second["label"].tolist() == [4, 9]
    assert second["track_id"].tolist() == [2, 3]
    assert second["parent_track_id"].tolist() == third["parent_track_id"].tolist() == [1, 1]
    assert second["score"] == pytest.approx([24 / 28] * 2)
    assert third["t"].tolist() == [2, 2]
    assert third["score"].tolist() == [1, 1]


def test_empty_frames_are_data():
    full = np.ones((5, 5), np.uint8)
    rows = list(track_frames([full * 0, full, full * 0, full]))
    assert [r["track_id"].tolist() for r in rows] == [[], [1], [], [2]]
    assert all(r.keys() == rows[0].keys() for r in rows)
    assert all(r[k].dtype == rows[0][k].dtype for r in rows for k in r)


def test_one_frame_and_none():
    assert list(track_frames([])) == []
    (row,) = track_frames([np.ones((5, 5), np.uint8)])
    assert row["track_id"].tolist() == [1]


def test_frames_come_one_by_one():
    asked = []

    def source():
        for t in range(4):
            asked.append(t)
            yield np.ones((5, 5), np.uint8)

    tracks = track_frames(source())
    next(tracks)
    assert asked == [0]


def test_another_size_is_an_error():
    with pytest.raises(ValueError, match=r"frame 1 has shape \(5, 6\), the ones before \(5, 5\)"):
        list(track_frames([np.ones((5, 5), int), np.ones((5, 6), int)]))


def test_the_builder_refuses_impossible_links():
    frame = describe(np.array([[1, 0, 2]]))
    two = np.array([0, 0])
    for source, target, division, reason in (
        (two, np.array([0, 1]), False, "not marked"),
        (np.array([0, 1]), two, False, "two sources"),
        (np.array([7, 1]), np.array([0, 1]), False, "do not have"),
    ):
        builder = TrackBuilder()
        builder.add(0, frame, None)
        links = Links(source, target, np.ones(2), np.full(2, division))
        with pytest.raises(DataError, match=reason):
            builder.add(1, frame, links)
    with pytest.raises(DataError, match="time order"):
        builder.add(0, frame, None)
