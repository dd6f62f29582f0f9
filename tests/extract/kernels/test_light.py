"""Flat fields against the illumination that the simulator used, and sharpness against blur."""

import numpy as np
import pytest

from libcell.errors import DataError
from libcell.extract.kernels import basic, flat_field, focus
from libcell.simulate import simulate_field
from libcell.simulate.optics import Optics

SHAPE = (240, 300)
OPTICS = Optics(vignetting=0.45, centre=(0.4, 0.6))


@pytest.fixture(scope="module")
def fields():
    """(N,Y,X) of one channel, each with cells of its own under the same lamp."""
    return np.stack([simulate_field(700 + i, shape=SHAPE, n_cells=8, optics=OPTICS,
                                    channels=["DNA"]).image[0] for i in range(16)])


def test_basic_finds_the_lamp(fields):
    true = OPTICS.illumination(SHAPE)
    true /= true.mean()
    stack = np.stack([basic.reduced(flat_field.lit(f, np.full(SHAPE, 100))) for f in fields])
    found = basic.enlarged(basic.estimate(stack), SHAPE)
    assert found.mean() == pytest.approx(1, abs=1e-5)
    uneven = np.abs(1 / true - 1).mean()
    assert uneven > 0.1  # what there was to find
    assert np.abs(found / true - 1).mean() < 0.02
    assert np.abs(found / true - 1).max() < 0.15
    mean = stack.mean(0)  # what a plain mean of the images would have said: the cells are in it
    assert np.abs(basic.enlarged(mean, SHAPE) / true - 1).mean() > 0.05


def test_basic_twice_is_the_same_to_the_bit_and_scales(fields):
    stack = np.stack([basic.reduced(f) for f in fields[:6, ::4, ::4]])
    first = basic.estimate(stack)
    assert first.tobytes() == basic.estimate(stack).tobytes()
    np.testing.assert_allclose(basic.estimate(stack * 37), first, rtol=1e-3)
    assert (basic.estimate(np.zeros((3, 9, 9))) == 1).all()


def test_correction_makes_an_even_sample_even():
    true = OPTICS.illumination(SHAPE)
    light = np.rint(true * 20_000 + 100).astype(np.uint16)
    dark = np.full(SHAPE, 100, np.uint16)
    gain = flat_field.gain_of(light, dark, "x.tif")
    even = flat_field.corrected(light[None], gain, dark)
    assert even.dtype == np.uint16 and even.shape == (1, *SHAPE)
    assert np.ptp(even) <= 2
    assert even.mean() == pytest.approx(true.mean() * 20_000, rel=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_correction_rounds_and_clips_to_the_dtype(dtype):
    pixels = np.array([[[3, 100, 100]]], dtype)
    gain = np.array([[1.0, 0.3, 3.0]], np.float32)
    dark = np.array([[10, 0, 0]], dtype)
    found = flat_field.corrected(pixels, gain, dark)[0, 0]
    assert found.dtype == dtype
    wanted = np.array([-7, 333.333, 33.333])
    if dtype != np.float32:
        limits = np.iinfo(dtype)
        wanted = np.rint(wanted).clip(limits.min, limits.max)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("value", [0, -1, np.nan])
def test_a_reference_with_a_dark_pixel_is_refused(value):
    light = np.ones((4, 5))
    light[2, 2] = value
    with pytest.raises(DataError, match=r"x\.tif: 1 of 20 pixels"):
        flat_field.gain_of(light, None, "x.tif")


def test_projections_hold_what_they_add_up():
    stack = np.full((5, 3, 4), 65535, np.uint16)
    stack[2] = 7
    kind = focus.dtype_of("sum", stack.dtype)
    assert kind == np.uint32
    np.testing.assert_array_equal(focus.project(iter(stack), "sum", kind), stack.sum(0))
    np.testing.assert_array_equal(focus.project(iter(stack), "max", stack.dtype), stack.max(0))
    assert focus.dtype_of("max", stack.dtype) == np.uint16
    for name, wide in (("int16", "int32"), ("uint32", "uint64"), ("float32", "float32")):
        assert focus.dtype_of("sum", np.dtype(name)) == wide


def test_sharpness_falls_with_blur():
    from scipy.ndimage import gaussian_filter

    plane = simulate_field(3, shape=(120, 160), n_cells=5).image[0]
    scores = [focus.sharpness(np.rint(gaussian_filter(plane.astype(float), s)).astype(plane.dtype))
              for s in (0, 1, 2, 4)]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1]
    parts = focus.sharpness(plane[:50]) + focus.sharpness(plane[50:])
    assert parts == pytest.approx(focus.sharpness(plane))
