"""The best set of hypotheses: against the integer programme, over gaps and windows."""

import numpy as np
import pytest

from libcell.errors import DataError
from libcell.track.solver import packing
from libcell.track.solver.hypotheses import EMPTY, NONE, Hypotheses, join, links
from libcell.track.solver.windows import Window, chosen


def drawn(rng, sources, targets, n, divisions=0.4):
    """Hypotheses from objects 0.. to objects after them, some of them divisions."""
    source = rng.integers(0, sources, n)
    target = sources + rng.integers(0, targets, (n, 2))
    single = (rng.random(n) > divisions) | (target[:, 0] == target[:, 1])
    target[single, 1] = NONE
    return Hypotheses(source, target, rng.normal(0.5, 0.5, n) * (1 + ~single))


def require_packing(found):
    used = found.target[found.target != NONE]
    assert np.unique(used).size == used.size
    assert np.unique(found.source).size == len(found)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("divisions", [0.0, 0.1, 0.6])
def test_as_good_as_the_programme(seed, divisions):
    rng = np.random.default_rng(seed)
    given = drawn(rng, *rng.integers(3, 40, 2), int(rng.integers(1, 150)), divisions)
    taken = packing.best(given)
    require_packing(given.take(taken))
    positive = given.take(given.gain > 0)
    slots, _ = packing._slots(positive)
    exact = positive.gain[packing.programme(slots, positive.gain)].sum()
    assert given.gain[taken].sum() == pytest.approx(exact)


def test_a_division_that_pays_and_one_that_does_not():
    one, two = links(np.array([0, 1]), np.array([2, 3]), np.array([5.0, 4.0])), None
    two = Hypotheses(np.array([0]), np.array([[2, 3]]), np.array([9.5]))
    assert packing.best(join([one, two])).tolist() == [False, False, True]
    less = Hypotheses(two.source, two.target, np.array([8.5]))
    assert packing.best(join([one, less])).tolist() == [True, True, False]


def test_nothing_and_what_gains_nothing():
    assert packing.best(EMPTY).tolist() == []
    assert packing.best(links(np.array([0]), np.array([1]), np.array([0.0]))).tolist() == [False]


def test_faulty_hypotheses_are_refused():
    with pytest.raises(DataError, match="not after its source"):
        links(np.array([4]), np.array([2]), np.array([1.0]))
    with pytest.raises(DataError, match="expected"):
        Hypotheses(np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2))


def movie(seed, frames=30, n=8):
    """Hypotheses into each frame, links over a gap among them."""
    rng = np.random.default_rng(seed)
    for t in range(frames):
        parts = []
        for back in (1, 2):
            if t >= back:
                found = drawn(rng, n, n, 30 // back, 0.2 * (back == 1))
                to = np.where(found.target == NONE, NONE, found.target - n + t * n)
                parts.append(Hypotheses(found.source + (t - back) * n, to, found.gain / back))
        yield join(parts)


@pytest.mark.parametrize("seed", range(5))
def test_windows_are_nearly_exact(seed):
    whole = list(chosen(movie(seed), None))
    parts = list(chosen(movie(seed), Window(8, 4)))
    assert len(whole) == len(parts) == 30
    for found in (join(whole), join(parts)):
        require_packing(found)
    best, near = (sum(s.gain.sum() for s in found) for found in (whole, parts))
    assert 0.99 * best <= near <= best + 1e-9


def test_windows_hold_no_more_than_they_say():
    asked = []

    def source():
        for step in movie(0):
            asked.append(1)
            yield step

    found = chosen(source(), Window(8, 4))
    next(found)
    assert len(asked) == 8
    for _ in range(4):
        next(found)
    assert len(asked) == 12


@pytest.mark.parametrize("seed", range(3))
def test_large_islands_are_solved_in_two_steps(seed, monkeypatch):
    given = drawn(np.random.default_rng(seed), 200, 220, 1200, 0.4)
    whole = packing.best(given)
    monkeypatch.setattr(packing, "SMALL", 0)
    parts = packing.best(given)
    require_packing(given.take(parts))
    assert given.gain[parts].sum() == pytest.approx(given.gain[whole].sum())


def test_what_needs_no_search_is_nearly_as_good():
    given = drawn(np.random.default_rng(0), 200, 220, 1200, 0.02)
    near = given.take(packing.good(given))
    require_packing(near)
    best = given.gain[packing.best(given)].sum()
    assert 0.97 * best < near.gain.sum() <= best + 1e-9


# -- merges -------------------------------------------------------------------------------


def merged(rng, given, n):
    """The hypotheses, and `n` merges of two of their sources to one target."""
    sources, targets = int(given.source.max()) + 1, int(given.target.max()) + 1
    pair = np.sort(rng.integers(0, sources, (n, 2)), axis=1)
    pair = pair[pair[:, 0] < pair[:, 1]]
    to = rng.integers(sources, targets, len(pair))
    one = links(pair[:, 0], to, rng.normal(1.0, 0.5, len(pair)))
    return join([given, Hypotheses(one.source, one.target, one.gain, pair[:, 1])])


@pytest.mark.parametrize("seed", range(15))
def test_merges_are_as_good_as_the_programme(seed):
    rng = np.random.default_rng(seed)
    given = merged(rng, drawn(rng, *rng.integers(3, 30, 2), 100, 0.3), 40)
    for solve in (packing.best, packing.exact):
        taken = given.take(solve(given))
        used = taken.target[taken.target != NONE]
        gone = np.concatenate([taken.source, taken.others[taken.merge]])
        assert np.unique(used).size == used.size and np.unique(gone).size == gone.size
    best, exact = (given.gain[solve(given)].sum() for solve in (packing.best, packing.exact))
    assert best == pytest.approx(exact)


def test_what_merged_serves_no_other_window():
    def film():
        yield EMPTY
        yield Hypotheses(np.array([0]), np.array([[2, NONE]]), np.array([5.0]), np.array([1]))
        yield links(np.array([1, 2]), np.array([3, 4]), np.array([4.0, 4.0]))

    taken = join(chosen(film(), Window(2, 1)))
    assert sorted(zip(taken.source.tolist(), taken.others.tolist())) == [(0, 1), (2, -1)]


@pytest.mark.parametrize("seed", range(3))
def test_windows_of_the_programme(seed):
    fast, slow = (join(chosen(movie(seed), Window(8, 4), s)).gain.sum()
                  for s in (packing.best, packing.exact))
    assert fast == pytest.approx(slow)


def test_to_merge_and_divide_at_once_is_refused():
    with pytest.raises(DataError, match="merge and divide"):
        Hypotheses(np.array([0]), np.array([[2, 3]]), np.array([1.0]), np.array([1]))
