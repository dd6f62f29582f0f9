"""How much of their space embeddings fill, and classes by their neighbours."""

import numpy as np
import pytest

from libcell.train.kernels.neighbours import nearest_class
from libcell.train.kernels.spread import spread


def test_every_direction_alike_and_one_place():
    rng = np.random.default_rng(0)
    found = spread(rng.normal(size=(4000, 16)))
    assert found["spread"] == pytest.approx(1, abs=0.02)
    assert found["rank"] == pytest.approx(16, abs=0.1)
    one = spread(np.tile(rng.normal(size=16), (50, 1)))
    assert one["spread"] == pytest.approx(0, abs=1e-9) and one["rank"] == 1


def test_rank_counts_directions_whatever_their_length():
    rng = np.random.default_rng(0)
    few = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 32))
    assert 2 < spread(few)["rank"] <= 3.5
    line = np.outer(rng.normal(size=100), rng.normal(size=8)) + 100
    assert spread(line)["rank"] < 1.5
    many = rng.normal(size=(500, 32))
    assert spread(many * 1000) == pytest.approx(spread(many))
    assert spread(np.zeros((5, 4))) == {"spread": 0.0, "rank": 1.0}


def test_the_nearest_decide():
    rng = np.random.default_rng(0)
    middle = rng.normal(size=(3, 8)) * 3
    y = rng.integers(0, 3, 300)
    train, test = (middle[k] + rng.normal(size=(len(k), 8)) for k in (y, np.arange(60) % 3))
    found = nearest_class(train, y, test, 3)
    assert (found == np.arange(60) % 3).mean() > 0.95
    assert (nearest_class(train * 5, y, test / 7, 3) == found).all()


def test_against_a_loop():
    rng = np.random.default_rng(1)
    train, test, y = rng.normal(size=(40, 5)), rng.normal(size=(9, 5)), rng.integers(0, 4, 40)
    for one, seen in zip(test, nearest_class(train, y, test, 4)):
        alike = train @ one / np.linalg.norm(train, axis=1) / np.linalg.norm(one)
        votes = np.zeros(4)
        for i in np.argsort(-alike)[:20]:
            votes[y[i]] += np.exp(alike[i] / 0.07)
        assert seen == votes.argmax()
    assert nearest_class(train[:3], y[:3], test, 4).shape == (9,), "fewer than 20 to ask"
