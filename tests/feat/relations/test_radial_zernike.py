"""Radial Zernike features beside a formula written out, and beside cp_measure."""

import math
import warnings

import numpy as np
import pytest
from centrosome.zernike import minimum_enclosing_circle
from cp_measure.core.measureobjectintensitydistribution import get_radial_zernikes
from relation_scenes import coins
from skimage.segmentation import relabel_sequential

from libcell.feat import families

PREFIX = "RadialDistribution_Zernike"


def measured(labels, image):
    index = families.ObjectIndex.of(labels)
    return families.load("radial_zernike").measure(labels, image, index)


def written_out(dense, image, n, m):
    """Mean over each object's pixels of its value times the polynomial, complex (k,)."""
    centres, radii = minimum_enclosing_circle(dense, np.unique(dense)[1:])
    found = []
    for label, (cy, cx), radius in zip(np.unique(dense)[1:], centres, radii):
        y, x = np.nonzero(dense == label)
        z = ((y - cy) + 1j * (x - cx)) / radius
        r = np.abs(z)
        radial = sum((-1) ** s * math.factorial(n - s) / (
            math.factorial(s) * math.factorial((n + m) // 2 - s) * math.factorial((n - m) // 2 - s))
            * r ** (n - 2 * s) for s in range((n - m) // 2 + 1))
        found.append((image[y, x] * radial * np.exp(1j * m * np.angle(z))).mean())
    return np.array(found)


@pytest.mark.parametrize(("n", "m"), [(0, 0), (1, 1), (4, 2), (7, 3), (9, 1), (9, 9)])
def test_magnitude_and_phase_are_the_formula(n, m):
    labels, images = coins()
    dense = relabel_sequential(labels.astype(np.int64))[0]
    image = images["DNA"].astype(float)
    ours, moment = measured(labels, image), written_out(dense, image, n, m)
    np.testing.assert_allclose(ours[f"{PREFIX}Magnitude_{{channel}}_{n}_{m}"], np.abs(moment),
                               rtol=1e-9, atol=1e-9)
    # as points on a circle, where -pi and pi are one
    theirs = np.arctan2(moment.real, moment.imag if m else 0)
    np.testing.assert_allclose(np.exp(1j * ours[f"{PREFIX}Phase_{{channel}}_{n}_{m}"]),
                               np.exp(1j * theirs), atol=1e-6)


def test_cp_measure_but_for_the_pixels_that_it_loses():
    labels, images = coins()
    dense = relabel_sequential(labels.astype(np.int64))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = get_radial_zernikes(dense, images["DNA"].astype(float))
    ours = measured(labels, images["DNA"])
    assert len(theirs) == len(ours) == 60
    area = np.bincount(dense.ravel())[1:]
    for name, value in theirs.items():
        if "Magnitude" in name:
            full = name.replace("Magnitude_", "Magnitude_{channel}_")
            lost = np.abs(ours[full] - value) * area / images["DNA"].max()
            assert lost.max() < 4, name  # pixels


def test_even_light_has_no_direction():
    labels = np.zeros((20, 20), np.uint32)
    labels[5:10, 5:10], labels[15, 15] = 4, 9
    found = measured(labels, np.full(labels.shape, 7, np.uint8))
    assert found[f"{PREFIX}Magnitude_{{channel}}_0_0"][0] == pytest.approx(7)
    assert found[f"{PREFIX}Magnitude_{{channel}}_1_1"][0] == pytest.approx(0, abs=1e-12)
    assert np.isnan(found[f"{PREFIX}Phase_{{channel}}_1_1"]).all()
    assert np.isnan([v[1] for v in found.values()]).all()  # a pixel's circle has no area
