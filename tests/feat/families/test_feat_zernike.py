"""Zernike features against centrosome's polynomials, and what they must be by themselves."""

import numpy as np
import pytest
from centrosome import zernike
from measured_scenes import coins, measured, odd_shapes
from skimage.segmentation import relabel_sequential

from libcell.feat import families

INSIDE = 1 - 1e-12  # the circle grows by rounding, so that no pixel on it is lost


def features(labels):
    return measured(labels, None, ["zernike"])


def centrosomes(labels):
    """centrosome's own steps; (30,n)."""
    dense = relabel_sequential(labels.astype(np.int64))[0]
    wanted = zernike.get_zernike_indexes(10)
    number = np.arange(1, dense.max() + 1)
    centers, radii = zernike.minimum_enclosing_circle(dense, number)
    inside = dense > 0
    of = dense[inside] - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        y, x = ((p - centers[of, k]) / radii[of] * INSIDE
                for k, p in enumerate(np.nonzero(inside)))
        made = zernike.construct_zernike_polynomials(x, y, wanted)
        sums = [np.bincount(of, p.real) + 1j * np.bincount(of, p.imag) for p in made.T]
        return np.abs(sums) / (np.pi * radii**2)


@pytest.mark.parametrize("scene", [coins()[0], odd_shapes()], ids=["coins", "odd"])
def test_they_are_centrosomes(scene):
    theirs, ours = centrosomes(scene), features(scene)
    assert list(ours) == [f"AreaShape_Zernike_{n}_{m}" for n, m in zernike.get_zernike_indexes(10)]
    for row, (name, values) in zip(theirs, ours.items()):
        np.testing.assert_allclose(values, row, rtol=1e-5, atol=1e-9, err_msg=name)


def test_centrosome_differs_only_by_pixels_on_the_circle():
    """Those it loses to rounding, each with a weight of at most 1."""
    labels = coins()[0]
    dense = relabel_sequential(labels.astype(np.int64))[0]
    index = families.ObjectIndex.of(labels)
    y, x = (getattr(index, a) - index.each.spread(getattr(index.hulls, a) + getattr(index, f"{a}0"))
            for a in "yx")
    on_circle = index.each.sum(np.hypot(y, x) > index.each.spread(index.hulls.radius) - 1e-9)
    theirs = zernike.zernike(zernike.get_zernike_indexes(10), dense,
                             np.arange(1, dense.max() + 1)).T
    lost = np.abs(theirs - list(features(labels).values())) * np.pi * index.hulls.radius**2
    assert (lost <= on_circle + 1e-6).all() and (lost > 0.5).any()


def test_a_pixel_has_none():
    assert all(np.isnan(v).all() for v in features(np.pad(np.ones((1, 1), np.uint32), 2)).values())


def test_a_disc_has_what_a_disc_has():
    """Its zeroth moment is its area over the circle's; the others vanish the better it is one."""
    y, x = np.mgrid[-100:101, -100:101]
    disc = (y**2 + x**2 <= 100**2).astype(np.uint32)
    found = features(disc)
    assert found["AreaShape_Zernike_0_0"] == pytest.approx(1, abs=0.01)
    assert all(v < 0.01 for k, v in found.items() if not k.endswith("_0_0"))


def test_size_does_not_matter():
    """Ten times the size: what is left is the staircase of the pixels."""
    one, ten = (features(np.kron(coins()[0][:90, :90], np.ones((k, k), np.uint32)))
                for k in (4, 40))
    for name, values in one.items():
        np.testing.assert_allclose(ten[name], values, atol=0.02, err_msg=name)
