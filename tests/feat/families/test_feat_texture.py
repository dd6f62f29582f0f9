"""Haralick features against mahotas, cp_measure and scikit-image; levels, spans, scales."""

import mahotas
import numpy as np
import pytest
from cp_measure.core.measuretexture import get_texture
from measured_scenes import coins, measured, noise, odd_shapes
from skimage.feature import graycomatrix, graycoprops

from libcell.errors import DataError, UsageFault
from libcell.feat import families

SQUARE = np.pad(np.ones((9, 9), np.uint32), 3)
texture = families.load("texture")


def features(labels, image, **told):
    return texture.measure(labels, image, families.ObjectIndex.of(labels), **told)


def name(feature, direction=0, scale=3, levels=256):
    return f"Texture_{feature}_{{channel}}_{scale}_{direction:02d}_{levels}"


def cell():
    """One object with texture: labels, image uint8."""
    labels, image = coins()
    largest = np.argmax(np.bincount(labels.ravel())[1:]) + 1
    return (labels == largest).astype(np.uint32), image


@pytest.mark.parametrize(("scale", "levels"), [(3, 256), (1, 256), (5, 32), (2, 8)])
def test_they_are_cp_measures(scale, levels):
    labels, image = coins()
    labels = np.searchsorted(np.unique(labels), labels).astype(np.uint32)
    image = image.astype(np.uint16) * 257  # which cp_measure is handed from 0 to 1
    ours = features(labels, image, scales=(scale,), levels=levels)
    theirs = get_texture(labels.astype(np.int64), image / 65535, scale, levels)
    assert len(theirs) == 4 * 13
    for key, values in theirs.items():
        feature, _, direction, _ = key.split("_")
        found = ours[name(feature, int(direction), scale, levels)]
        known = np.isfinite(values)  # cp_measure has no value if one direction has no pair
        assert known.any() and np.isfinite(found[known]).all()
        # sqrt(1 - exp(0)) is rounding
        atol = 1e-7 if feature.startswith("InfoMeas") else 1e-9
        np.testing.assert_allclose(found[known], values[known], rtol=1e-5, atol=atol, err_msg=key)


def test_one_object_is_mahotas():
    labels, image = cell()
    theirs = mahotas.features.haralick(np.where(labels, image, 0), ignore_zeros=True, distance=3)
    found = features(labels, image)
    for d in range(4):
        ours = [found[name(f, d)][0] for f in list(texture.MEANING)[:13]]
        np.testing.assert_allclose(ours, theirs[d], rtol=1e-9)


def test_the_rest_is_scikit_images():
    """Its angle 0 is direction 00, 3 pi / 4 is 03; and homogeneity is InverseDifferenceMoment."""
    image = np.random.default_rng(0).integers(1, 256, (15, 15)).astype(np.uint8)
    inside = image[3:-3, 3:-3]
    found = features(SQUARE, image, scales=(1,))
    for direction, angle in ((0, 0), (2, np.pi / 2)):
        matrix = graycomatrix(inside, [1], [angle], 256, symmetric=True, normed=True)
        for ours, theirs in (("Dissimilarity", "dissimilarity"), ("Energy", "energy"),
                             ("AngularSecondMoment", "ASM"), ("Contrast", "contrast"),
                             ("InverseDifferenceMoment", "homogeneity"),
                             ("Correlation", "correlation")):
            assert found[name(ours, direction, 1)] == pytest.approx(
                graycoprops(matrix, theirs)[0, 0], rel=1e-9), ours


def test_a_quarter_turn_changes_the_directions_places():
    labels, image = odd_shapes(), noise(odd_shapes().shape)
    here, there = (features(np.rot90(a, k), np.rot90(b, k), scales=(2,))
                   for a, b, k in ((labels, image, 0), (labels, image, 1)))
    for feature in texture.MEANING:
        for one, other in ((0, 2), (2, 0), (1, 3), (3, 1)):
            np.testing.assert_allclose(here[name(feature, one, 2)], there[name(feature, other, 2)],
                                       rtol=1e-9, atol=1e-12, err_msg=feature)


def test_a_constant_object():
    found = features(SQUARE, np.full(SQUARE.shape, 7, np.uint8))
    expected = {"AngularSecondMoment": 1, "Contrast": 0, "Correlation": 1, "Variance": 0,
                "InverseDifferenceMoment": 1, "SumAverage": 14, "SumVariance": 0, "SumEntropy": 0,
                "Entropy": 0, "DifferenceEntropy": 0, "InfoMeas1": 0, "InfoMeas2": 0,
                "Dissimilarity": 0, "Energy": 1, "DifferenceVariance": 1 / 8 - 1 / 64}
    for direction in range(4):
        for feature, value in expected.items():
            assert found[name(feature, direction)] == pytest.approx(value, abs=1e-15), feature


def test_without_a_pair_there_is_no_value():
    """A line along x has pairs along x alone; dark pixels are none at all."""
    line = np.zeros((7, 20), np.uint32)
    line[3, 4:16] = 1
    found = features(line, np.full(line.shape, 9, np.uint8))
    assert [np.isnan(found[name("Entropy", d)][0]) for d in range(4)] == [False, True, True, True]
    dark = features(SQUARE, np.zeros(SQUARE.shape, np.uint8))
    assert all(np.isnan(v).all() for v in dark.values())


def test_levels_span_what_they_are_told():
    labels, image = cell()
    twelve = image.astype(np.uint16) * 16  # of 65535: 16 levels are left of 256
    assert features(labels, twelve)[name("Entropy")] < features(labels, image)[name("Entropy")]
    told = features(labels, twelve, span="0,4080")
    for key, values in features(labels, image).items():
        np.testing.assert_allclose(told[key], values, err_msg=key)
    dim = features(labels, (twelve // 16).astype(np.uint16), span="object")
    bright = features(labels, twelve, span="object")
    assert all(np.array_equal(dim[k], bright[k]) for k in dim)
    low, high = float(image.min()), float(image.max())
    floating, numbers = (features(labels, image.astype(np.float32), span=s)
                         for s in ("type", f"{low},{high}"))
    assert all(np.array_equal(floating[k], numbers[k]) for k in floating)


@pytest.mark.parametrize("span", ["", "image", "3", "5,5", "9,2", "1,2,3", "0,inf", "0,nan"])
def test_a_span_that_is_none(span):
    with pytest.raises(UsageFault, match="--texture-span"):
        texture.limits(span)


def test_several_scales_are_the_single_ones():
    labels, image = coins()
    together = features(labels, image, scales=(1, 4))
    alone = features(labels, image, scales=(1,)) | features(labels, image, scales=(4,))
    assert together.keys() == alone.keys() == {c.name for c in texture.columns(scales=(1, 4))}
    assert all(np.array_equal(together[k], alone[k], equal_nan=True) for k in alone)


def test_pixels_that_are_not_finite_are_outside():
    image = np.random.default_rng(1).random(SQUARE.shape)
    holes = image.copy()
    holes[4, 5], holes[8, 9] = np.nan, np.inf
    rest = np.where(np.isfinite(holes), SQUARE, 0).astype(np.uint32)
    one, other = (features(a, b, span="0,1") for a, b in ((SQUARE, holes), (rest, image)))
    assert all(np.array_equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("wrong", [None, np.zeros((3, 8)), np.zeros((15, 15), complex)])
def test_an_image_that_does_not_fit_has_no_texture(wrong):
    with pytest.raises(DataError, match="texture needs an image of real numbers"):
        measured(SQUARE, wrong, ["texture"])
