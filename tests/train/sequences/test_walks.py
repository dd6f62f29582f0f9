"""Stages from their order alone, on made-up features: what an alignment finds, what gaps do."""

import numpy as np
import pytest

from libcell.train.sequences import walks

STAGES = 4
# a first stage that drifts through most of a film, and others that come at once
PLACES = np.array([[0.0, 0.0, 0.0], [3.0, 3.0, 0.0], [0.0, 3.0, 3.0], [4.0, 0.0, 3.0]])


def films(n, seed, lengths=((8, 25), (1, 4), (2, 5), (3, 12))):
    """Rows of features and of each film; its stages; film cuts leave out some at either end."""
    rng = np.random.default_rng(seed)
    looks, rows, truth = [], [], []
    for _ in range(n):
        stages = np.repeat(np.arange(STAGES), [rng.integers(*r) for r in lengths])
        drift = np.linspace(0, 2.5, len(stages))[:, None] * (stages == 0)[:, None]
        start, stop = rng.integers(0, 10), len(stages) - rng.integers(0, 8)
        look = PLACES[stages] + drift + rng.normal(0, 0.15, (len(stages), 3))
        rows.append(np.arange(stop - start) + sum(map(len, looks)))
        looks.append(look[start:stop])
        truth.append(stages[start:stop])
    return np.concatenate(looks), rows, truth


def orders(truth):
    return [t[np.flatnonzero(np.diff(t, prepend=-1))] for t in truth]


@pytest.mark.parametrize("seed", range(3))
def test_stages_are_found_though_one_takes_most_of_a_film(seed):
    features, rows, truth = films(40, seed)
    found = walks.align(features, rows, orders(truth), STAGES)
    assert [o.tolist() for o in orders(found.labels)] == [o.tolist() for o in orders(truth)]
    right = np.concatenate(found.labels) == np.concatenate(truth)
    assert right.mean() > 0.97
    assert (np.concatenate([np.full(len(t), 0) for t in truth]) == np.concatenate(truth)
            ).mean() > 0.5  # what one stage alone would have
    for chances in found.chances:
        np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-9)


def test_missing_frames():
    features, rows, truth = films(40, 5)
    rng = np.random.default_rng(0)
    gappy = [np.where((rng.random(len(r)) < 0.1) & (np.arange(len(r)) > 0), -1, r) for r in rows]
    found = walks.align(features, gappy, orders(truth), STAGES)
    right = np.concatenate(found.labels) == np.concatenate(truth)
    assert right.mean() > 0.93


def test_one_film_of_as_many_frames_as_stages():
    found = walks.align(np.zeros((4, 2)), [np.arange(4)], [np.arange(4)], STAGES)
    assert found.labels[0].tolist() == [0, 1, 2, 3]
