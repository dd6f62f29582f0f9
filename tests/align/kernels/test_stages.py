"""The order of stages repaired, and time counted from one of them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcell.align.kernels import stage_matrix, stages
from libcell.simulate.cycle import STAGES, moment


def sure(course, k=6, p=0.9):
    return np.where(np.eye(k, dtype=bool)[course], p, (1 - p) / (k - 1))


def cheapest_by_trying(likely):
    """Every course there is, for few frames and stages."""
    frames, k = likely.shape
    costs = -np.log(np.clip(likely, stages.LEAST, 1))
    best = (np.inf, ())
    for number in range(k**frames):
        course = [number // k**i % k for i in range(frames)]
        price = sum(costs[t, s] for t, s in enumerate(course))
        steps = [(b - a) % k for a, b in pairwise(course)]
        price += sum(stages.SKIP * (s - 1) for s in steps if s)
        best = min(best, (price, tuple(course)))
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_the_course_is_the_likeliest_there_is(seed):
    likely = np.random.default_rng(seed).dirichlet([0.3] * 3, 5)
    course = stages.in_order(likely)
    price, _ = cheapest_by_trying(likely)
    costs = -np.log(np.clip(likely, stages.LEAST, 1))
    steps = np.diff(course) % 3
    ours = costs[np.arange(5), course].sum() + stages.SKIP * (steps[steps > 0] - 1).sum()
    assert ours == pytest.approx(price)


def test_a_lone_wrong_frame_is_put_right_and_a_true_return_stays():
    true = np.array([0] * 6 + [1, 1, 2, 3, 3, 4, 4, 5, 5] + [0] * 6)
    seen = true.copy()
    seen[3], seen[9], seen[18] = 4, 1, 3
    np.testing.assert_array_equal(stages.in_order(sure(seen)), true)
    np.testing.assert_array_equal(stages.in_order(sure(true)), true)


def test_a_stage_that_fell_between_two_frames_is_no_fault():
    true = np.array([0, 0, 0, 1, 1, 3, 3, 4, 4, 5, 0, 0])
    np.testing.assert_array_equal(stages.in_order(sure(true, p=0.98)), true)


def simulated(cycle, born=True):
    """Stages of one simulated cell, frame by frame, from birth to division."""
    return np.array([STAGES.index(moment(age, cycle, born).stage) for age in range(cycle)])


def test_simulated_cycles_with_noise():
    rng = np.random.default_rng(0)
    wrong_before = wrong_after = total = 0
    for _ in range(40):
        true = simulated(int(rng.integers(22, 40)))
        seen = np.where(rng.random(true.size) < 0.12, rng.integers(0, 6, true.size), true)
        found = stages.in_order(sure(seen))
        wrong_before += (seen != true).sum()
        wrong_after += (found != true).sum()
        total += true.size
    assert wrong_before > 0.08 * total and wrong_after < 0.4 * wrong_before


def test_stages_that_were_seen_wholly_begin_together():
    courses = [np.array([0] * a + [1] * b + [3] * c + [4] * 2 + [0] * 5)
               for a, b, c in ((4, 2, 3), (6, 4, 5), (3, 3, 1))]
    frames = [np.arange(len(c)) + 10 * i for i, c in enumerate(courses)]
    lengths = stages.usual_lengths(list(zip(courses, frames)))
    assert lengths == {1: 3.0, 3: 3.0, 4: 2.0}
    times = [stages.aligned_time(c, t, 4, lengths) for c, t in zip(courses, frames)]
    for course, time in zip(courses, times):
        assert time[np.flatnonzero(course == 4)[0]] == 0
        assert time[np.flatnonzero(course == 3)[0]] == -3
        assert time[np.flatnonzero(course == 1)[0]] == -6
        assert (np.diff(time) > 0).all()
        np.testing.assert_array_equal(np.diff(time[course == 0][:3]), 1)  # the ends keep their pace
    plain = stages.aligned_time(courses[0], frames[0], 4, {})
    np.testing.assert_array_equal(plain, frames[0] - frames[0][9])


def test_a_track_that_is_not_seen_to_enter_the_stage_has_no_time():
    for course in ([0, 0, 1], [4, 4, 5, 0]):  # the second begins in it: nobody saw when it began
        assert stages.aligned_time(np.array(course), np.arange(len(course)), 4, {}) is None


def test_the_matrix_shows_what_was_seen_and_no_more():
    tracks = [(np.array([-2.0, -1.0, 0.0, 1.0]), np.array([0, 0, 1, 1])),
              (np.array([-1.0, 0.0, 2.0]), np.array([0, 1, 2]))]
    rows = stage_matrix.matrix(tracks, -2, 2)
    assert rows.tolist() == [[0, 0, 1, 1, -1], [-1, 0, 1, 1, 2]]
