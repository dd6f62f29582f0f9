"""What the threshold segmentation promises for any image."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_li, threshold_otsu, threshold_triangle
from skimage.measure import label
from threshold_tiling import blobs

from libcell.errors import DataError, UsageFault
from libcell.segment.kernels import threshold as t
from libcell.segment.kernels.distance import clipped_distance
from libcell.segment.kernels.histogram import li, triangle
from libcell.segment.kernels.threshold import ThresholdParams

DTYPES = [bool, np.uint8, np.uint16, np.int16, np.float32, np.float64]


def disks(centres, radius, shape=(100, 120)):
    y, x = np.indices(shape)
    return sum((y - a) ** 2 + (x - b) ** 2 <= radius**2 for a, b in centres) > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(0, 5), (1, 1), (1, 40), (33, 1), (50, 50), (0, 4, 4), (5, 6, 7)]
)
@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize("method", ["otsu", "li", "triangle", "adaptive", 0])
def test_flat_images_have_no_cells(dtype, shape, bright, method):
    for value in (0, 1) if method != 0 else (0,):
        params = ThresholdParams(bright=bright, method=method)
        labels = t.segment(np.full(shape, value, dtype), params)
        assert labels.dtype == np.uint32 and labels.shape == shape and not labels.any()


def test_saturated_image_has_no_cells():
    assert not t.segment(np.full((64, 64), 65535, np.uint16)).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_known_disks_in_every_dtype(dtype):
    centres = [(20, 20), (20, 60), (60, 30), (70, 90)]
    image = (disks(centres, 9) * (1 if dtype is bool else 100)).astype(dtype)
    before = image.copy()
    labels = t.segment(image)
    assert labels.max() == 4
    assert {int(labels[c]) for c in centres} == {1, 2, 3, 4}
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(t.segment(image), labels)
    area = np.bincount(labels.ravel())[1:]
    assert np.all(np.abs(area - np.pi * 81) < 30)


def test_dark_disks():
    image = 200 - 150.0 * disks([(20, 20), (60, 60)], 9)
    assert t.segment(image, ThresholdParams(bright=False)).max() == 2


@pytest.mark.parametrize("radius", [6, 10, 18])
@pytest.mark.parametrize("apart", [1.6, 1.75, 1.9])
def test_touching_disks_are_parted_in_the_middle(radius, apart):
    half = apart * radius / 2
    image = disks([(50, 60 - half), (50, 60 + half)], radius) * 100.0
    labels = t.segment(image)
    assert labels.max() == 2
    left, right = np.bincount(labels.ravel())[1:]
    assert abs(left - right) < 0.1 * (left + right)
    assert t.segment(image, ThresholdParams(split=False)).max() == 1


def test_an_ellipse_is_one_object():
    y, x = np.indices((120, 160))
    for a, b in [(50, 15), (40, 25), (20, 9)]:
        image = (((y - 60) / b) ** 2 + ((x - 80) / a) ** 2 <= 1) * 100.0
        assert t.segment(image).max() == 1


def test_touching_balls_in_3d_with_coarse_z():
    z, y, x = np.indices((24, 50, 70))
    image = 100.0 * np.logical_or.reduce(
        [(2 * (z - 12)) ** 2 + (y - 25) ** 2 + (x - c) ** 2 <= 144 for c in (24, 46)]
    )
    assert t.segment(image, ThresholdParams(spacing=(2, 1, 1))).max() == 2


def test_small_holes_are_filled_and_large_ones_and_open_ones_are_not():
    image = disks([(50, 60)], 30) * 100.0
    image[50:53, 60:63] = 0
    image[60:80, 50:56] = 0
    image[20:30, 60] = 0
    mask = t.foreground(image, ThresholdParams(sigma_px=0, max_hole_area_px=20), 50)
    assert mask[51, 61] and not mask[70, 53] and not mask[25, 60]


def test_areas_and_border():
    image = disks([(20, 20), (60, 60)], 9) * 100.0
    image[0:12, 100:118] = 100
    image[90:93, 10:13] = 100
    assert t.segment(image).max() == 3
    assert t.segment(image, ThresholdParams(min_area_px=0)).max() == 4
    assert t.segment(image, ThresholdParams(clear_border=True)).max() == 2
    assert t.segment(image, ThresholdParams(max_area_px=225)).max() == 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(150, 150), (16, 50, 50)])
def test_every_object_is_one_piece(shape, seed):
    noise = np.random.default_rng(seed).normal(size=shape)
    for image in (noise, blobs(shape, [2, 4, 9], 0.7, seed)):
        params = ThresholdParams(min_contrast=0, min_area_px=0, max_radius_px=10)
        labels = t.segment(image, params)
        pieces = label(labels, connectivity=len(shape))
        assert pieces.max() == labels.max() > 0


def test_nothing_is_lost_where_no_object_is_dropped():
    image = blobs((150, 150), [2, 4, 9], 0.4, 5)
    params = ThresholdParams(min_area_px=0, max_radius_px=10)
    mask = t.foreground(image, params, _threshold(image, params))
    np.testing.assert_array_equal(t.segment(image, params) > 0, mask)


def test_ids_are_dense_and_in_raster_order_of_their_roots():
    image = blobs((200, 200), [4, 7, 12], 0.3, 3)
    params = ThresholdParams(max_radius_px=15)
    labels = t.segment(image, params)
    threshold = _threshold(image, params)
    whole = (slice(None), slice(None))
    roots, certain = t.tile_roots(image, (0, 0), image.shape, whole, params, threshold)
    assert certain
    assert set(np.unique(labels)) == set(range(int(labels.max()) + 1))
    pairs = np.unique(np.stack([labels[labels > 0], roots[labels > 0]]), axis=1)
    assert pairs.shape[1] == labels.max()
    assert (np.diff(pairs[1]) > 0).all()


def _threshold(image, params):
    values = t.signal(image, params)
    lo, hi = t.value_range(values)
    return t.global_threshold(t.histogram(values, lo, hi), lo, hi, params)


@pytest.mark.parametrize("sigma", [0, 1, 3])
@pytest.mark.parametrize("shape", [(300, 300), (20, 60, 60)])
def test_pure_noise_has_no_cells_unless_asked_for(shape, sigma):
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(1000, 50, shape)
        assert not t.segment(noise, ThresholdParams(sigma_px=sigma)).any()
    assert t.segment(noise, ThresholdParams(sigma_px=1, min_contrast=0)).any()


def test_thresholds_agree_with_skimage():
    values = blobs((200, 200), [4, 7, 12], 0.1, 3)
    lo, hi = t.value_range(values)
    counts = t.histogram(values, lo, hi)
    assert counts.sum() == values.size and counts.dtype == np.int64
    step = (hi - lo) / counts.size
    assert abs(t.otsu(counts, lo, hi) - threshold_otsu(values, 4096)) < 5 * step
    assert abs(li(counts, lo, hi) - threshold_li(values)) < 0.02 * (hi - lo)
    few = t.histogram(values, lo, hi, 256)
    assert abs(triangle(few, lo, hi) - threshold_triangle(values, 256)) < 0.02 * (hi - lo)


def test_distance_is_scipys_below_the_clip():
    mask = blobs((90, 120), [4, 7, 12], 0.5, 1) > 50
    exact = ndimage.distance_transform_edt(mask)
    np.testing.assert_allclose(clipped_distance(mask, 9, (1, 1)), np.minimum(exact, 9), rtol=1e-6)
    solid = blobs((20, 40, 44), [4, 7], 0.5, 1) > 50
    exact = ndimage.distance_transform_edt(solid, sampling=(2, 1, 1))
    near = clipped_distance(solid, 6, (2, 1, 1))
    np.testing.assert_allclose(near, np.minimum(exact, 6), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_not_finite_is_refused(bad):
    image = np.zeros((20, 20))
    image[3, 4] = bad
    with pytest.raises(ValueError, match="1 pixels are NaN, infinite"):
        t.segment(image)


@pytest.mark.parametrize("image", [np.zeros(5), np.zeros((2, 2, 2, 2)), np.zeros((4, 4), complex)])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(DataError, match="expected a real image"):
        t.segment(image)


def test_all_faults_of_the_parameters_are_told_at_once():
    with pytest.raises(UsageFault, match=r"sigma_px.*method.*split_neck.*max_area_px"):
        ThresholdParams(sigma_px=-1, method="magic", split_neck=2, max_area_px=1)
    with pytest.raises(UsageFault, match="spacing has 3 numbers, the image 2 axes"):
        t.segment(np.eye(5), ThresholdParams(spacing=(1, 1, 1)))
