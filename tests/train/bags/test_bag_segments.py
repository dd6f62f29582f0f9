"""CLANet's segment sampling, beside a plain reading of its rule."""

import itertools

import numpy as np
import pytest

from libcell.train.bags import segments
from libcell.train.bags.segments import LONGEST, draw_gap, snippet, usual_gap

TIMES = np.array([0.0, 4, 8, 13, 20, 24, 30])


def rng(seed=0):
    return np.random.default_rng(seed)


def test_usual_gap():
    assert usual_gap(np.array([0.0, 2, 6])) == 3
    assert usual_gap(np.array([0.0, 0, 2, 6])) == 3  # two images of one moment
    assert usual_gap(np.array([0.0, 24, 48])) == LONGEST
    assert usual_gap(np.array([0.0, 0.25])) == 1
    assert usual_gap(np.array([5.0])) == 1


def test_gaps_are_normal_about_the_usual_one_and_whole_at_first():
    assert {draw_gap(3.3, i, rng()) for i in range(segments.WHOLE)} == {3.3}
    random = rng()
    drawn = np.array([draw_gap(3.0, 9, random) for _ in range(20_000)])
    gaps = np.arange(1, 9)
    law = np.exp(-((gaps - 3) ** 2) / 2 / np.std(gaps) ** 2)
    share = np.array([(drawn == g).mean() for g in gaps])
    np.testing.assert_allclose(share, law / law.sum(), atol=0.01)


@pytest.mark.parametrize("gap", [1.0, 4.0, 5.0])
def test_a_gap_that_is_no_longer_than_usual_leaves_the_bag_whole(gap):
    seen, weight = snippet(TIMES, gap, 5.0, rng())
    assert seen.tolist() == list(range(7)) and weight == 1


def test_an_image_alone_is_seen():
    assert snippet(np.array([3.0]), 8, 1.0, rng()) == (0, 1.0)


def weight_of(times, n, gap, usual):
    """The published formula, term by term."""
    total, count = 0.0, len(times)
    for one, following in itertools.pairwise(times):
        if following - one <= gap:
            total += (following - one) / usual - 1
    if count == 1:
        return count / n
    return count / n + min(max(total / ((gap / usual - 1) * (count - 1)), 0), 1)


@pytest.mark.parametrize("gap", [6.0, 7.0, 8.0])
def test_snippets(gap):
    """Segments' borders by walking along the time; weights by the published formula."""
    border, number, parts = gap, 0, []
    for t in TIMES:
        while t > border:
            border, number = border + gap, number + 1
        parts.append(number)
    counts, several = np.bincount(parts), set()
    for seed in range(300):
        seen, weight = snippet(TIMES, gap, 5.0, rng(seed))
        assert len(seen) and (np.diff(seen) > 0).all()
        found = np.bincount(np.array(parts)[seen], minlength=len(counts))
        assert all(f >= 1 for f, n in zip(found, counts) if n > 1) and (found <= counts).all()
        assert weight == pytest.approx(weight_of(TIMES[seen], len(TIMES), gap, 5.0))
        several.add(tuple(seen.tolist()))
    assert len(several) > 20
    assert {len(s) for s in several} == set(range(min(map(len, several)), 8))


def test_two_images_far_apart_are_drawn_until_one_is_seen():
    found = {tuple(snippet(np.array([0.0, 20.0]), 8, 4.0, rng(s))[0].tolist()) for s in range(50)}
    assert found == {(0,), (1,), (0, 1)}
