"""Cells grown from nuclei, against scipy's distances and CellProfiler's own propagation."""

import numpy as np
import pytest
from centrosome.propagate import propagate
from scipy import ndimage

from libcell.segment.kernels import growing


@pytest.fixture(scope="module")
def nuclei():
    """Squares (1,Y,X) of 7 px, some of which touch or overlap."""
    rng = np.random.default_rng(0)
    labels = np.zeros((1, 150, 170), np.uint32)
    for k in range(1, 26):
        y, x = rng.integers(5, 145), rng.integers(5, 165)
        labels[0, y - 3 : y + 4, x - 3 : x + 4] = k
    return labels


@pytest.fixture(scope="module")
def image():
    pixels = ndimage.gaussian_filter(np.random.default_rng(1).random((150, 170)), 3)
    return ((pixels - pixels.min()) / np.ptp(pixels)).astype(np.float32)


@pytest.mark.parametrize("limit", [0, 1, 2.5, 12])
def test_nearest_is_scipys_but_for_the_rule_of_ties(nuclei, limit):
    found = growing.nearest(nuclei, limit)
    distance, place = ndimage.distance_transform_edt(nuclei == 0, return_indices=True)
    expected = np.where(distance <= limit, nuclei[tuple(place)], 0)
    assert np.array_equal(found > 0, expected > 0)
    assert (found != expected).mean() < 0.01
    for label in np.unique(found[found != expected]):
        own = ndimage.distance_transform_edt(nuclei != label)
        assert np.allclose(own[(found == label) & (found != expected)],
                           distance[(found == label) & (found != expected)])


def test_nearest_in_a_stack_of_thick_planes():
    labels = np.zeros((5, 9, 9), np.uint32)
    labels[2, 4, 4] = 6
    found = growing.nearest(labels, 4, (3.0, 1.0, 1.0))
    distance = ndimage.distance_transform_edt(labels == 0, sampling=(3, 1, 1))
    assert np.array_equal(found == 6, distance <= 4)


def test_of_two_equally_near_the_lower_label_wins():
    labels = np.array([[[9, 0, 0, 0, 4]]], np.uint32)
    assert growing.nearest(labels, 5)[0, 0].tolist() == [9, 9, 4, 4, 4]


@pytest.mark.parametrize("weight", [0.0, 0.05, 1.0, 50.0])
def test_spread_is_cellprofilers_propagation(nuclei, image, weight):
    allowed = ndimage.distance_transform_edt(nuclei[0] == 0) <= 20
    found, certain = growing.spread(nuclei[0], image, allowed, weight, np.zeros_like(allowed))
    expected, _ = propagate(image.astype(float), nuclei[0].astype(np.int32), allowed, weight)
    assert certain.all()
    assert (found != expected).mean() < (0.001 if weight else 0.02)  # ties, by another rule


def test_spread_in_a_window_is_that_of_the_whole_where_it_is_certain(nuclei, image):
    allowed = ndimage.distance_transform_edt(nuclei[0] == 0) <= 20
    whole, _ = growing.spread(nuclei[0], image, allowed, 0.05, np.zeros_like(allowed))
    window = (slice(20, 120), slice(30, 140))
    cut = np.ones((100, 110), bool)
    cut[3:-3, 3:-3] = False
    found, certain = growing.spread(nuclei[0][window], image[window], allowed[window], 0.05, cut)
    assert np.array_equal(found[certain], whole[window][certain])
    assert 0.3 < certain.mean() < 1, "the test would prove nothing"
