"""Track fractions, purity and effectiveness are traccuracy's, on damaged tracks too."""

import math
import warnings

import numpy as np
import pytest
from sequences import disks, shuffled, tracked
from test_score import graph

from libcell.track.kernels.follow import followed
from libcell.track.kernels.score import match_nodes, score
from libcell.track.kernels.tracks import Tracks


def cut(tracks, seed):
    """Some tracks end in the middle, their rest being new; some divisions are forgotten."""
    rng = np.random.default_rng(seed)
    track, parent = tracks.track_id.copy(), tracks.parent_track_id.copy()
    for k in rng.choice(np.unique(track), 4, replace=False):
        late = (track == k) & (tracks.t > np.median(tracks.t[track == k]))
        if late.any():
            parent[parent == k] = track.max() + 1
            track[late], parent[late] = track.max() + 1, 0
    parent[parent == rng.choice(parent[parent > 0])] = 0
    return Tracks(tracks.t, tracks.label, track, parent)


@pytest.mark.parametrize("seed", range(3))
def test_as_traccuracy(seed):
    from traccuracy import TrackingGraph
    from traccuracy.matchers import CTCMatcher
    from traccuracy.metrics import DivisionMetrics, TrackOverlapMetrics

    frames, truth = disks(n=8, size=300)
    seen = shuffled(frames, seed)
    result = cut(tracked(seen), seed)
    matches = match_nodes(frames, seen)
    graphs = [TrackingGraph(graph(tracks, masks), segmentation=np.stack(masks), name=name)
              for tracks, masks, name in ((truth, frames, "truth"), (result, seen, "result"))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matched = CTCMatcher().compute_mapping(*graphs)
        theirs = TrackOverlapMetrics().compute(matched).results
        split = DivisionMetrics().compute(matched).results["Frame Buffer 0"]
    ours = followed(truth, result, matches)
    assert ours["track_fractions"] < 1
    for name, value in ours.items():
        assert value == pytest.approx(theirs[name]), name
    divisions = score(truth, result, matches).divisions
    for name, key in (("tp", "True Positive Divisions"), ("fn", "False Negative Divisions"),
                      ("fp", "False Positive Divisions")):
        assert getattr(divisions, name) == split[key], name
    assert divisions.jaccard == pytest.approx(split["Mitotic Branching Correctness"])


def test_nothing_to_follow():
    nothing = Tracks(*np.zeros((4, 0), np.int64))
    found = followed(nothing, nothing, np.zeros((0, 3), np.int64))
    assert all(math.isnan(v) for v in found.values())
