"""Thresholds beside scikit-image and scikit-learn, and what a distribution does not have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu
from sklearn.mixture import GaussianMixture

from libcell.errors import DataError
from libcell.feat.gating.thresholds import mixture, of_controls, otsu


def two(n=400, seed=0, apart=6.0):
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(0, 1, n), random.normal(apart, 1.5, n // 3)])


def test_otsu_is_scikit_images_within_a_bin():
    values = two()
    theirs = threshold_otsu(values, nbins=4096)
    assert abs(otsu(values) - theirs) < np.ptp(values) / 50


def test_otsu_leaves_the_least_variance_within():
    values = np.sort(two(60))
    def within(cut):
        return values[:cut].var() * cut + values[cut:].var() * (len(values) - cut)
    best = min(range(1, len(values)), key=within)
    assert otsu(values) == pytest.approx((values[best - 1] + values[best]) / 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=40))
def test_otsu_parts_any_values_whatever_their_scale(values):
    values = np.array(values, float)
    if np.ptp(values) == 0:
        with pytest.raises(DataError, match="two different values"):
            otsu(values)
        return
    found = otsu(values)
    assert values.min() < found < values.max() and not (values == found).any()
    assert otsu(values * 2 + 5) == pytest.approx(found * 2 + 5)
    assert otsu(np.append(values, values)) == pytest.approx(found)


def test_mixture_is_scikit_learns():
    values = two()
    theirs = GaussianMixture(2, tol=1e-9, max_iter=1000, random_state=0).fit(values[:, None])
    grid = np.linspace(0, 6, 20001)[:, None]
    high = theirs.means_.argmax()
    posterior = theirs.predict_proba(grid)[:, high]
    assert mixture(values) == pytest.approx(grid[np.argmax(posterior > 0.5), 0], abs=2e-3)
    assert mixture(values) == mixture(values)


def test_mixture_that_has_no_threshold():
    with pytest.raises(DataError, match="two different values"):
        mixture(np.ones(9))
    wide = np.concatenate([np.linspace(-1, 1, 1000), np.linspace(-40, 41, 12)])
    with pytest.raises(DataError, match="cannot be parted"):
        mixture(wide)


def test_controls_leave_the_asked_part_outside():
    values = np.arange(1001.0)
    assert of_controls(values, 0.99, ">") == 990
    assert of_controls(values, 0.99, "<") == pytest.approx(10)
    with pytest.raises(DataError, match="no object"):
        of_controls(values[:0], 0.9, ">")
