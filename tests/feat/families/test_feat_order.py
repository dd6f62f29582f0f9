"""Sorting, and order statistics, against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from libcell.feat.families._order import FEW, at, deviation, sort

KINDS = {
    "few levels": lambda r, n: r.integers(0, 9, n).astype(float),
    "counts": lambda r, n: r.integers(0, 65536, n).astype(float),
    "negative counts": lambda r, n: r.integers(-(2**31), 2**31, n).astype(float),
    "large": lambda r, n: r.integers(0, 2**52, n) * 2.0**40,
    "any": lambda r, n: r.normal(0, 1e3, n) * 10.0 ** r.integers(-9, 9, n),
    "equal": lambda r, n: np.full(n, -3.25),
}


def ordered(values):
    found = values.copy()
    count = np.zeros(2**16, np.int64)
    sort(found, len(values), np.empty((2, len(values)), np.uint64), count)
    assert not count.any()
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, FEW - 1, FEW, 300, 5000])
def test_sorting(kind, n):
    values = KINDS[kind](np.random.default_rng(n), n)
    np.testing.assert_array_equal(ordered(values), np.sort(values))


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, st.integers(1, 90),
              elements=st.floats(-1e6, 1e6) | st.integers(-4, 4).map(float)))
def test_any_numbers(values):
    found = ordered(values)
    np.testing.assert_array_equal(found, np.sort(values))
    n = len(found)
    place = n * 0.5  # CellProfiler's: between neighbours in proportion, at most the last
    middle = at(found, n, place)
    assert middle == pytest.approx(np.interp(place, np.arange(n), found), rel=1e-12, abs=1e-9)
    away = np.sort(np.abs(found - middle))
    assert deviation(found, n, middle, place) == pytest.approx(
        np.interp(place, np.arange(n), away), rel=1e-12, abs=1e-9)
