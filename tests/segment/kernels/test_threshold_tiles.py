"""Tiled and whole results are the same, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threshold_tiling import blobs, ridges, tiled, window_of

from libcell.segment.kernels import threshold as t
from libcell.segment.kernels.threshold import ThresholdParams

SMALL = {"max_radius_px": 10, "max_hole_area_px": 12, "min_area_px": 5}


@pytest.mark.parametrize("tile", [32, 37, 64, 100])
@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("kind", ["sparse", "dense", "ridges", "noise", "steps"])
def test_tiles_agree_2d(kind, split, tile):
    shape = (171, 203)
    image = {
        "sparse": lambda: blobs(shape, [4, 7, 12], 0.08, 1),
        "dense": lambda: blobs(shape, [4, 7, 12], 0.6, 2),
        "ridges": lambda: ridges(shape, 3),
        "noise": lambda: np.random.default_rng(4).normal(size=shape),
        "steps": lambda: np.kron(
            np.random.default_rng(5).random((11, 11)) > 0.4, np.ones((17, 17))
        ),
    }[kind]()
    params = ThresholdParams(split=split, min_contrast=0, **SMALL)
    whole = t.segment(image, params)
    assert whole.max() > 0
    labels, _ = tiled(image, params, tile)
    np.testing.assert_array_equal(labels, whole)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "adaptive", "window_px": 21},
        {"method": "li", "sigma_px": 0},
        {"method": "triangle", "sigma_px": 2.5},
        {"method": 60, "clear_border": True, "max_area_px": 200},
        {"bright": False, "max_hole_area_px": 60},
        {"min_distance_px": 12, "split_neck": 0.5},
        {"max_hole_area_px": 0, "split_neck": 1.0},
    ],
)
def test_tiles_agree_for_every_option(change):
    image = blobs((150, 130), [3, 6, 9], 0.4, 7)
    params = ThresholdParams(**(SMALL | change))
    labels, _ = tiled(image, params, 45)
    np.testing.assert_array_equal(labels, t.segment(image, params))


@pytest.mark.parametrize("spacing", [None, (2.5, 1, 1), (0.3, 0.1, 0.11)])
def test_tiles_agree_3d(spacing):
    image = blobs((30, 60, 66), [3, 5, 7], 0.25, 8)
    params = ThresholdParams(spacing=spacing, **(SMALL | {"max_radius_px": 6}))
    whole = t.segment(image, params)
    assert whole.max() > 5
    for tile in (17, 32):
        labels, _ = tiled(image, params, tile, halo=[10, 14, 14])
        np.testing.assert_array_equal(labels, whole)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    tile=st.integers(16, 64),
    halo=st.integers(1, 60),
    density=st.sampled_from([0.05, 0.4, 1.0]),
    radius=st.sampled_from([3, 8, 25]),
)
def test_no_halo_gives_a_wrong_answer(seed, tile, halo, density, radius):
    image = blobs((90, 97), [2, 5, 11], density, seed)
    params = ThresholdParams(max_radius_px=radius, max_hole_area_px=20)
    labels, _ = tiled(image, params, tile, halo=[halo, halo])
    np.testing.assert_array_equal(labels, t.segment(image, params))


def test_the_first_halo_suffices_for_ordinary_cells():
    image = blobs((400, 400), [6, 8, 10], 0.1, 9)
    params = ThresholdParams(max_radius_px=12, max_hole_area_px=20)
    _, retries = tiled(image, params, 100)
    assert retries == 0


def test_wide_plateaus_need_no_more_than_twice_the_halo():
    image = np.full((600, 600), 100.0)
    params = ThresholdParams(method=50, max_radius_px=15)
    halo = 2 * t.halo_px(params)
    core = (slice(250, 350), slice(250, 350))
    window, start, inside = window_of(image, core, [halo, halo])
    assert t.tile_roots(window, start, image.shape, inside, params, 50)[1]


def test_a_hole_that_goes_on_outside_is_not_certain():
    image = np.full((60, 200), 100.0)
    image[28:32, 60:160] = 0
    params = ThresholdParams(sigma_px=0, method=50, max_hole_area_px=150, max_radius_px=5)
    core = (slice(20, 40), slice(70, 75))
    window, start, inside = window_of(image, core, [20, 25])
    assert not t.tile_roots(window, start, image.shape, inside, params, 50)[1]
    whole, certain = t.tile_roots(image, [0, 0], image.shape, core, params, 50)
    assert certain and (whole[8:12] == 0).all()
