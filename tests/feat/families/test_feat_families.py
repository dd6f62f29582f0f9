"""What every family must do, run over the registry: a new one is tested the moment it exists."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from measured_scenes import coins, measured, noise, odd_shapes

from libcell.errors import DataError, UsageFault
from libcell.feat import families

NAMES = families.names()
every_family = pytest.mark.parametrize("name", NAMES)

# a place or box changes with the object's place, and nothing else does
PLACE = ("Center_", "BoundingBoxM", "CenterMassIntensity_", "Location_MaxIntensity_")
# what a quarter turn changes: places, and what has a direction
TURNS = (*PLACE, "Orientation", "SpatialMoment_", "CentralMoment_", "NormalizedMoment_",
         "InertiaTensor_", "Texture_",
         "RadialDistribution_")  # of equals, the first pixel is the centre


def without(found, parts):
    return {k: v for k, v in found.items() if not any(p in k for p in parts)}


def assert_same(one, other, rtol=1e-9, atol=1e-9):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol, atol, err_msg=name)


# -- the registry ------------------------------------------------------------------------------


def test_names_are_files_and_listed_without_import():
    assert {"intensity", "moments", "shape"} <= set(NAMES)
    assert not any(n.startswith("_") for n in NAMES)
    code = ("import sys; from libcell.feat import families; families.names(); "
            "print([m for m in sys.modules if m.endswith(('.shape', '.intensity'))"
            " and m.startswith('libcell')])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_family_that_is_not_there():
    with pytest.raises(UsageFault, match="'Shape', 'size'; there are intensity"):
        families.require(["shape", "Shape", "size"])
    with pytest.raises(UsageFault, match="no family '_index'"):
        families.load("_index")


def test_column_name_is_cellprofilers():
    assert families.column_name("Nuclei", "AreaShape_Area") == "Nuclei_AreaShape_Area"
    full = families.column_name("Nuclei", "Intensity_MeanIntensity", "DNA")
    assert full == "Nuclei_Intensity_MeanIntensity_DNA"


def test_no_two_families_give_one_column():
    columns = [c.name for n in NAMES for c in families.load(n).columns()]
    assert len(columns) == len(set(columns))


@every_family
def test_columns_are_what_is_measured(name):
    family = families.load(name)
    assert name == family.NAME
    labels = odd_shapes()
    found = measured(labels, noise(labels.shape), [name])
    assert set(found) == {c.name for c in family.columns()}
    n = np.unique(labels).size - 1
    for column in family.columns():
        assert found[column.name].dtype == np.float64 and found[column.name].shape == (n,)
        assert column.unit and column.meaning
        assert not np.isinf(found[column.name]).any(), column.name


@every_family
@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (7, 9)])
def test_no_object_gives_every_column_empty(name, shape):
    labels = np.zeros(shape, np.uint32)
    found = measured(labels, np.zeros(shape, np.uint16), [name])
    assert set(found) == {c.name for c in families.load(name).columns()}
    assert all(v.shape == (0,) and v.dtype == np.float64 for v in found.values())


@every_family
def test_input_is_unchanged_and_the_answer_the_same_twice(name):
    labels = odd_shapes()
    image = noise(labels.shape)
    kept = labels.copy(), image.copy()
    labels.flags.writeable = image.flags.writeable = False
    assert_same(measured(labels, image, [name]), measured(labels, image, [name]), 0, 0)
    np.testing.assert_array_equal(kept[0], labels)
    np.testing.assert_array_equal(kept[1], image)


def test_what_is_no_label_image():
    for wrong in (np.zeros((2, 3, 4), np.uint32), np.zeros((3, 4)), np.full((3, 4), -1),
                  np.full((3, 4), 2**32)):
        with pytest.raises(DataError, match="label"):
            families.ObjectIndex.of(wrong)


# -- invariances -------------------------------------------------------------------------------


@every_family
def test_names_of_objects_do_not_matter(name):
    labels = odd_shapes()
    image = noise(labels.shape)
    one_to_n = np.searchsorted(np.unique(labels), labels).astype(np.uint32)
    assert_same(measured(labels, image, [name]), measured(one_to_n, image, [name]), 0, 0)
    far = np.where(labels, labels + np.uint32(4_000_000_000), 0).astype(np.uint32)
    assert_same(measured(labels, image, [name]), measured(far, image, [name]), 0, 0)


@every_family
def test_an_object_alone_measures_the_same(name):
    labels = odd_shapes()
    image = noise(labels.shape)
    together = measured(labels, image, [name])
    for i, label in enumerate(np.unique(labels)[1:]):
        alone = measured(np.where(labels == label, label, 0).astype(np.uint32), image, [name])
        assert_same({k: v[i : i + 1] for k, v in together.items()}, alone, 0, 0)


@every_family
def test_moving_changes_the_place_only(name):
    labels = np.pad(odd_shapes(), 2)
    image = noise(labels.shape)
    here = measured(labels, image, [name])
    there = measured(*(np.pad(a, ((37, 3), (110, 5))) for a in (labels, image)), [name])
    assert_same(without(here, PLACE), without(there, PLACE))
    for key, value in here.items():
        if key not in without(here, PLACE):
            moved = value + (110 if key.endswith("_X") else 37)
            np.testing.assert_allclose(moved, there[key], 1e-12, err_msg=key)


@every_family
def test_a_quarter_turn_keeps_what_has_no_direction(name):
    labels = odd_shapes()
    image = noise(labels.shape)
    turned = measured(np.rot90(labels), np.rot90(image), [name])
    assert_same(without(measured(labels, image, [name]), TURNS), without(turned, TURNS))


def test_orientation_turns_by_90_degrees():
    labels = coins()[0]
    one, other = (measured(a, None, ["shape"]) for a in (labels, np.rot90(labels)))
    long = one["AreaShape_Eccentricity"] > 0.2
    turned = (other["AreaShape_Orientation"] - one["AreaShape_Orientation"])[long] % 180
    np.testing.assert_allclose(turned, 90)


# -- anything at all ---------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint32, st.tuples(st.integers(1, 9), st.integers(1, 9)),
              elements=st.integers(0, 3)))
def test_any_label_image_is_measured_without_a_warning(labels):
    image = noise(labels.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measured(labels, image)
        constant = measured(labels, np.full(labels.shape, 7.5, np.float32), ["intensity"])
    n = np.unique(labels[labels > 0]).size
    assert all(v.shape == (n,) for v in found.values())
    assert (found["AreaShape_Solidity"] <= 1).all() and (found["AreaShape_Solidity"] > 0).all()
    assert (found["AreaShape_MinFeretDiameter"] <= found["AreaShape_MaxFeretDiameter"] + 1e-9).all()
    np.testing.assert_allclose(constant["Intensity_MassDisplacement"], 0, atol=1e-12)
    np.testing.assert_array_equal(constant["Intensity_MADIntensity"], np.zeros(n))
