"""Values that can be known without another program."""

import numpy as np
import pytest
from measured_scenes import measured, noise, odd_shapes

from libcell.errors import DataError
from libcell.feat import families

SQUARE = np.pad(np.ones((4, 4), np.uint32), 2)


def of(name, labels, image=None, family="shape"):
    prefix = "AreaShape" if family != "intensity" else "Intensity"
    return measured(labels, image, [family])[f"{prefix}_{name}"].tolist()


def test_a_pixel():
    found = measured(np.pad(np.ones((1, 1), np.uint32), 3), None, ["shape"])
    expected = {"Area": 1, "Perimeter": 0, "Compactness": 0, "ConvexArea": 1, "Solidity": 1,
                "Eccentricity": 0, "MajorAxisLength": 0, "MaxFeretDiameter": 0, "EulerNumber": 1,
                "MinFeretDiameter": 0, "MaximumRadius": 1, "MedianRadius": 1, "Extent": 1}
    for name, value in expected.items():
        assert found[f"AreaShape_{name}"] == [value], name
    assert np.isnan(found["AreaShape_FormFactor"])


def test_a_square():
    assert of("Perimeter", SQUARE) == [12]
    assert of("MaxFeretDiameter", SQUARE) == [pytest.approx(3 * np.sqrt(2))]
    assert of("MinFeretDiameter", SQUARE) == [3]
    assert of("MaximumRadius", SQUARE) == [2]
    assert of("MeanRadius", SQUARE) == [(12 * 1 + 4 * 2) / 16]
    assert of("Orientation", SQUARE) == [-45]


@pytest.mark.parametrize(("step", "degrees"), [((0, 1), 90), ((1, 0), 0), ((1, 1), 45),
                                               ((1, -1), -45)])
def test_a_line(step, degrees):
    labels = np.zeros((21, 21), np.uint32)
    for k in range(-5, 6):
        labels[10 + k * step[0], 10 + k * step[1]] = 1
    assert of("Orientation", labels) == [pytest.approx(degrees)]
    assert of("Eccentricity", labels) == [pytest.approx(1)]
    assert of("MinFeretDiameter", labels) == [0]
    assert of("MaxFeretDiameter", labels) == [pytest.approx(10 * np.hypot(*step))]


def test_holes_and_parts():
    labels = odd_shapes()
    number = dict(zip(np.unique(labels)[1:].tolist(), of("EulerNumber", labels)))
    assert number[5] == 0 and number[20] == 0  # a hole, be it filled by another object or not
    assert number[13] == 2 and number[4] == 1 and number[21] == 1


def test_one_object_over_everything():
    labels = np.full((5, 7), 9, np.uint32)
    image = noise(labels.shape)
    assert of("Area", labels) == [35] and of("Perimeter", labels) == [20]
    assert of("MaximumRadius", labels) == [3]
    assert np.isnan(of("MeanIntensityEdge", labels, image, "intensity")).all()
    assert of("MeanIntensity", labels, image, "intensity") == [image.mean()]


def test_intensities_are_native_counts_of_any_dtype():
    for dtype in (np.uint8, np.uint16, np.int32, np.float32, np.float64):
        image = (np.arange(64).reshape(8, 8)).astype(dtype)
        inside = image[2:6, 2:6]
        assert of("MaxIntensity", SQUARE, image, "intensity") == [inside.max()]
        assert of("IntegratedIntensity", SQUARE, image, "intensity") == [inside.sum()]
        assert of("MeanIntensityEdge", SQUARE, image, "intensity") == [inside.mean()]


def test_quantiles_are_cellprofilers():
    """Place n q of the ordered values: of 1, 2, 3, 10 the median is the third."""
    labels = np.array([[0, 5, 5, 5, 5, 0, 8, 0]], np.uint32)
    image = np.array([[9, 10, 2, 3, 1, 9, 4, 9]], np.uint16)
    assert of("LowerQuartileIntensity", labels, image, "intensity") == [2, 4]
    assert of("MedianIntensity", labels, image, "intensity") == [3, 4]
    assert of("UpperQuartileIntensity", labels, image, "intensity") == [10, 4]
    assert of("MADIntensity", labels, image, "intensity") == [2, 0]  # third of 0, 1, 2, 7


def test_pixels_that_are_not_finite_are_left_out():
    image = noise(SQUARE.shape).astype(np.float32)
    image[2, 2], image[3, 3], image[5, 5] = np.nan, np.inf, -np.inf
    found = measured(SQUARE, image, ["intensity"])
    rest = np.where(np.isfinite(image), SQUARE, 0).astype(np.uint32)
    alone = measured(rest, np.where(np.isfinite(image), image, 0), ["intensity"])
    for name in found:
        if "Edge" not in name:  # the hole would have an edge of its own
            assert found[name] == pytest.approx(alone[name]), name
    assert found["Intensity_MinIntensityEdge"] == np.nanmin(
        np.where(np.isfinite(image), image, np.nan)[SQUARE.astype(bool) & edge_of_square()])
    nothing = measured(SQUARE, np.full(SQUARE.shape, np.nan), ["intensity"])
    assert all(np.isnan(v).all() and v.shape == (1,) for v in nothing.values())


def edge_of_square():
    inner = np.zeros(SQUARE.shape, bool)
    inner[3:5, 3:5] = True
    return ~inner


def test_dark_and_cancelling_objects_have_no_centre_of_mass():
    for image in (np.zeros((8, 8)), np.where(np.arange(8) % 2, 1.0, -1.0) * np.ones((8, 1))):
        found = measured(SQUARE, image, ["intensity"])
        assert np.isnan(found["Intensity_MassDisplacement"]).all()
        assert np.isnan(found["Location_CenterMassIntensity_X"]).all()
        assert np.isfinite(found["Location_MaxIntensity_X"]).all()


def test_the_brightest_pixel_is_the_first_in_raster_order():
    found = measured(SQUARE, np.ones((8, 8), np.uint8), ["intensity"])
    assert found["Location_MaxIntensity_X"] == [2] and found["Location_MaxIntensity_Y"] == [2]


@pytest.mark.parametrize("wrong", [None, np.zeros((3, 8)), np.zeros((8, 8), complex)])
def test_an_image_that_does_not_fit(wrong):
    index = families.ObjectIndex.of(SQUARE)
    with pytest.raises(DataError, match="intensity needs an image of real numbers"):
        families.load("intensity").measure(SQUARE, wrong, index)


def test_rounding_does_not_choose_an_orientation():
    """Arrowheads that point right lie at 90 degrees, and none at -90; a disc has no direction."""
    for rows in range(2, 9):
        for step in range(2, 14):
            half = [step * k for k in range(1, rows)]
            lengths = [*half, step * rows, *half[::-1]]
            arrow = np.arange(step * rows) < np.array(lengths)[:, None]
            labels = np.pad(arrow.astype(np.uint32), ((3, 2), (4, 1)))
            assert abs(of("Orientation", labels)[0]) < 1e-9 or of("Orientation", labels) == [90]
    y, x = np.mgrid[:41, :41]
    disc = ((y - 20) ** 2 + (x - 20) ** 2 <= 15**2).astype(np.uint32)
    assert of("Orientation", np.pad(disc, ((997, 3), (1001, 0)))) == [-45]
