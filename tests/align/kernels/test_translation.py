"""Known shifts are found to 0.02 px, and pairs that do not match are said not to."""

import itertools
import time

import numpy as np
import pytest
import skimage.data
from scipy import ndimage
from skimage.color import rgb2gray
from skimage.registration import phase_cross_correlation

from libcell.align.kernels.translation import MIN_LEAD, find_shift
from libcell.errors import DataError, UsageFault

GRAY = ("camera", "coins", "brick", "gravel", "grass", "moon", "text", "page", "cell")
COLOUR = ("astronaut", "immunohistochemistry")
MARGIN = 40


def bundled(name):
    image = getattr(skimage.data, name)()
    return np.asarray(image if image.ndim == 2 else rgb2gray(image), np.float64)


def shifted_pair(image, dy, dx):
    """(reference, moving) with a true shift of (dy, dx) px; the crop removes the wrap-around."""
    spectrum = np.fft.rfft2(image)
    ky, kx = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])
    moving = np.fft.irfft2(spectrum * np.exp(2j * np.pi * (ky * dy + kx * dx)), image.shape)
    inner = (slice(MARGIN, -MARGIN),) * 2
    return image[inner], moving[inner]


@pytest.mark.parametrize("name", GRAY + COLOUR)
@pytest.mark.parametrize("shift", [(3.3, -7.7), (0.5, 0.25), (-21.12, 14.9), (0.0, 0.0)])
def test_known_subpixel_shift(name, shift):
    if name == "text" and shift[0] < 0:
        pytest.skip("the page of text is only 172 px high")
    reference, moving = shifted_pair(bundled(name), *shift)
    found = find_shift(reference, moving)
    assert found.matched, found.reason
    assert (found.dy, found.dx) == pytest.approx(shift, abs=0.02)
    assert found.correlation_after > 0.97


def test_the_sign_is_what_is_added_to_the_moving_coordinates():
    image = bundled("camera")
    found = find_shift(image[50:300, 60:400], image[57:300, 40:380])
    assert (found.dy, found.dx) == pytest.approx((7, -20), abs=0.02)


# grey values; the image itself varies by 75, and both images get their own noise
@pytest.mark.parametrize("noise, error_px", [(20, 0.02), (60, 0.1), (150, 1.5)])
def test_noise_costs_precision_gracefully(noise, error_px):
    rng = np.random.default_rng(3)
    pair = [i + rng.normal(0, noise, i.shape) for i in shifted_pair(bundled("camera"), 5.37, -11.8)]
    found = find_shift(*pair)
    assert found.matched
    assert (found.dy, found.dx) == pytest.approx((5.37, -11.8), abs=error_px)


@pytest.mark.parametrize("name", GRAY + COLOUR)
@pytest.mark.parametrize("shared", [0.33, 0.57])
def test_a_strip_in_common_is_enough(name, shared):
    image = bundled(name)
    width = image.shape[1]
    both = round(width * shared / (2 - shared))
    right = (width - both) // 2
    found = find_shift(image[:, : right + both], image[:, right:])
    assert found.matched, found.reason
    assert (found.dy, found.dx) == pytest.approx((0, right), abs=0.02)


def test_a_slow_illumination_that_stays_with_the_camera_does_not_pull():
    reference, moving = shifted_pair(bundled("camera"), 6.4, 3.2)
    lamp = 200 * np.exp(-((np.linspace(-1, 1, reference.shape[0])) ** 2))[:, None]
    found = find_shift(reference + lamp, moving + lamp)
    assert (found.dy, found.dx) == pytest.approx((6.4, 3.2), abs=0.05)


def unrelated():
    images = {name: bundled(name) for name in GRAY + COLOUR}
    for a, b in itertools.combinations(images, 2):
        yield f"{a}, {b}", images[a], images[b]
    for name, image in images.items():
        y, x = image.shape[0] // 2, image.shape[1] // 2
        if name != "grass":  # its quarters repeat each other
            yield f"{name}, its quarters", image[:y, :x], image[y:, x:]


def test_unrelated_images_do_not_match():
    found = {name: find_shift(a, b) for name, a, b in unrelated()}
    assert {name: s for name, s in found.items() if s.matched} == {}
    assert all("spreads" in s.reason for s in found.values())
    assert max(s.quality for s in found.values()) < 0.8 * MIN_LEAD


@pytest.mark.parametrize("sigma", [0, 1, 4, 16])
def test_unrelated_noise_does_not_match(sigma):
    rng = np.random.default_rng(sigma)
    for _ in range(5):
        a, b = (ndimage.gaussian_filter(rng.normal(size=(300, 260)), sigma) for _ in range(2))
        assert not find_shift(a, b).matched


@pytest.mark.parametrize("which", ["reference", "moving"])
def test_a_constant_image_does_not_match(which):
    pair = {"reference": bundled("coins"), "moving": bundled("coins")}
    pair[which] = np.full((100, 120), 7, np.uint16)
    found = find_shift(**pair)
    assert not found.matched
    assert found.reason == f"the {which} image is constant"
    assert np.isnan(found.correlation_after)


def test_a_limit_that_excludes_the_truth_gives_no_match():
    reference, moving = shifted_pair(bundled("camera"), 21.5, -9.0)
    assert find_shift(reference, moving, max_shift_px=22).matched
    found = find_shift(reference, moving, max_shift_px=10)
    assert not found.matched
    assert found.reason


def test_any_real_dtype_gives_the_same_shift():
    image = skimage.data.coins()
    for dtype in (np.uint8, np.uint16, np.int32, np.float32, np.float64):
        found = find_shift(image[:250, :300].astype(dtype), image[9:, 5:].astype(dtype))
        assert (found.dy, found.dx) == pytest.approx((9, 5), abs=0.01)


def test_the_input_is_unchanged_and_the_answer_repeats():
    reference, moving = shifted_pair(bundled("moon"), 1.5, 2.5)
    kept = reference.copy(), moving.copy()
    assert find_shift(reference, moving) == find_shift(reference, moving)
    np.testing.assert_array_equal(reference, kept[0])
    np.testing.assert_array_equal(moving, kept[1])


def test_faulty_images_are_refused_by_name():
    good = bundled("coins")
    with pytest.raises(DataError, match=r"moving: \(Y, X\) of at least"):
        find_shift(good, good[None])
    with pytest.raises(DataError, match=r"reference: \(Y, X\) of at least"):
        find_shift(good[:5], good)
    with pytest.raises(DataError, match="not finite"):
        find_shift(good, np.where(good > 100, np.nan, good))
    with pytest.raises(UsageFault, match="max_shift_px"):
        find_shift(good, good, max_shift_px=-1)


@pytest.mark.slow
def test_no_slower_than_phase_correlation_on_2048_px():
    image = ndimage.zoom(bundled("moon").astype(np.float32), 4.2, order=1)
    pair = [image[a : a + 2048, a : a + 2048].astype(np.uint16) for a in (0, 31)]

    def fastest(function):
        times = []
        for _ in range(4):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
        return min(times)

    theirs = fastest(lambda: phase_cross_correlation(*pair, upsample_factor=10))
    # half as much again, because other work runs on the same cores
    assert fastest(lambda: find_shift(*pair)) < 1.5 * theirs


def test_wide_images_are_refined_step_by_step():
    """From a binning of 32 straight to all pixels the shift was off by 2 px."""
    random = np.random.default_rng(0)
    size = (1124, 8292)
    cells = ndimage.zoom(random.normal(size=(7, 42)).astype(np.float32), 205, order=1)
    texture = ndimage.gaussian_filter(random.normal(size=size).astype(np.float32), 3)
    image = cells[: size[0], : size[1]] + 20 * texture
    noise = random.normal(0, 0.5, (1024, 8192)).astype(np.float32)
    found = find_shift(image[:1024, :8192], image[37:1061, 61:8253] + noise)
    assert found.matched
    assert (found.dy, found.dx) == pytest.approx((37, 61), abs=0.02)
