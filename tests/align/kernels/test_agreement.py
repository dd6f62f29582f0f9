"""A clear peak that rests on one bright spot is chance; one that all of a picture bears is none."""

import numpy as np
import pytest

from libcell.align.kernels.agreement import LEAST_AGREEMENT, agreement
from libcell.align.kernels.translation import find_shift


def field(places, shape=(160, 200), noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = 20 + rng.normal(0, noise, shape) if noise else np.full(shape, 20.0)
    for cy, cx in places:
        image += 900 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 60)
    return image


def test_one_for_a_lone_tile_and_the_root_of_their_number_for_all():
    one = np.zeros((100, 100))
    one[30:39, 40:49] = 1
    assert agreement(one, one, (0, 0)) == pytest.approx(1)
    sign = np.random.default_rng(0).choice([-1.0, 1.0], (100, 100))
    assert agreement(sign, sign, (0, 0)) == pytest.approx(10)
    assert agreement(sign, -sign, (0, 0)) == pytest.approx(-10)
    assert abs(agreement(sign, np.roll(sign, 31, 1), (0, 0))) < LEAST_AGREEMENT
    assert agreement(one, np.zeros((100, 100)), (0, 0)) == 0
    assert agreement(sign, sign, (200, 0)) == 0


def test_two_lone_cells_are_no_match_unless_they_are_known_to_be_one():
    one, two = field([(60, 80)], noise=3), field([(75, 60)], noise=3, seed=1)
    found = find_shift(one, two)
    assert not found.matched and found.quality > 3 and "by chance" in found.reason
    known = find_shift(one, two, related=True)
    assert known.matched and (known.dy, known.dx) == pytest.approx((-15, 20), abs=0.1)


def test_many_cells_in_both_rounds_are_a_match():
    places = np.random.default_rng(2).uniform(20, 140, (14, 2))
    found = find_shift(field(places, noise=3), field(places - (6, 9), noise=3, seed=1))
    assert found.matched and (found.dy, found.dx) == pytest.approx((6, 9), abs=0.1)
