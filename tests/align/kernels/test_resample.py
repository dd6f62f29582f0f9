"""Shifted images and regions, against scipy and by hand."""

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from libcell.align.kernels.resample import apply_shift, common_region
from libcell.errors import UsageFault

shifts = st.tuples(*[st.floats(-30, 30, width=32)] * 2)
shapes = st.tuples(*[st.integers(1, 24)] * 2)


@given(shapes, shapes, shifts)
def test_regions_are_equal_in_size_inside_and_correspond(reference, moving, shift):
    ours, theirs = common_region(reference, moving, shift)
    for n, m, d, a, b in zip(reference, moving, shift, ours, theirs):
        assert a.stop - a.start == b.stop - b.start
        assert 0 <= a.start <= a.stop <= n
        assert 0 <= b.start <= b.stop <= m
        if a.stop > a.start:
            assert abs(a.start - b.start - d) <= 0.5
            assert a.start - d >= 0
            assert a.stop - 1 - d <= m - 1
        else:
            assert not [y for y in range(n) if 0 <= y - d <= m - 1]


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("shift", [(2.25, -3.5), (-4.0, 6.0), (0.0, 0.0)])
def test_as_scipy_shifts(order, shift):
    image = skimage.data.coins()[:90, :80].astype(np.float32)
    out, region = apply_shift(image, shift, order)
    expected = ndimage.shift(image, shift, order=order, mode="nearest")
    np.testing.assert_allclose(out[region], expected[region], atol=0.02)
    out[region] = 0
    assert not out.any()


def test_whole_pixels_are_exact_and_channels_move_together():
    image = np.stack([skimage.data.coins(), skimage.data.coins()[::-1]])
    for order in (0, 1, 3):
        out, region = apply_shift(image, (5, -7), order)
        assert out.dtype == image.dtype
        np.testing.assert_array_equal(out[:, 5:, :-7], image[:, :-5, 7:])
        assert region == (slice(5, 303), slice(0, 377))


def test_labels_get_no_new_values():
    labels = np.random.default_rng(0).integers(0, 2**60, (40, 50))
    out, region = apply_shift(labels, (1.4, -2.6), 0)
    np.testing.assert_array_equal(out[region], labels[:-1, 3:])
    assert region == (slice(1, 40), slice(0, 47))


def test_another_frame():
    image = np.ones((20, 30), np.uint8)
    out, region = apply_shift(image, (10, 10), 1, shape=(25, 60))
    assert out.shape == (25, 60)
    assert region == (slice(10, 25), slice(10, 40))
    assert out.sum() == 15 * 30


def test_out_of_the_frame_is_an_empty_region():
    out, region = apply_shift(np.ones((20, 30)), (50, 0), 3)
    assert not out.any()
    assert out[region].size == 0


def test_faults():
    with pytest.raises(UsageFault, match="order"):
        apply_shift(np.ones((4, 4)), (0, 0), 2)
    with pytest.raises(UsageFault, match="finite"):
        apply_shift(np.ones((4, 4)), (np.nan, 0), 1)


@pytest.mark.parametrize("order", [1, 3])
def test_one_nan_does_not_spread_over_the_image(order):
    y, x = np.mgrid[:40, :50].astype(np.float32)
    image = np.sin(y / 5) + np.cos(x / 7)
    whole = apply_shift(image, (0.5, -0.25), order)[0]
    image[20, 30] = np.nan
    image[5, 6] = np.inf
    moved = apply_shift(image, (0.5, -0.25), order)[0]
    assert np.isnan(moved).sum() == 8  # four neighbours each
    assert np.isnan(moved[20:22, 29:31]).all() and np.isnan(moved[5:7, 5:7]).all()
    far = np.ones(moved.shape, bool)
    far[13:29, 22:39] = far[:14, :14] = False
    np.testing.assert_allclose(moved[far], whole[far], atol=1e-3)


def test_an_image_without_a_finite_value_stays_one():
    moved, region = apply_shift(np.full((9, 9), np.nan, np.float32), (0.5, 0.5), 3)
    assert np.isnan(moved[region]).all()
