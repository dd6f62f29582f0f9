"""Against scikit-image, cp_measure and CellProfiler itself, column by column."""

import warnings

import numpy as np
import pytest
import tifffile
from cp_measure.core.measureobjectintensity import get_intensity
from cp_measure.core.measureobjectsizeshape import get_feret, get_sizeshape
from measured_scenes import coins, measured, noise, odd_shapes
from scipy import ndimage
from skimage.measure import label, regionprops, regionprops_table
from skimage.segmentation import relabel_sequential

from libcell.feat import families

REGIONPROPS = {
    "Area": "area", "BoundingBoxArea": "area_bbox", "BoundingBoxMinimum_Y": "bbox-0",
    "BoundingBoxMinimum_X": "bbox-1", "BoundingBoxMaximum_Y": "bbox-2",
    "BoundingBoxMaximum_X": "bbox-3", "Center_Y": "centroid-0", "Center_X": "centroid-1",
    "ConvexArea": "area_convex", "Eccentricity": "eccentricity",
    "EquivalentDiameter": "equivalent_diameter_area", "EulerNumber": "euler_number",
    "Extent": "extent", "MajorAxisLength": "axis_major_length",
    "MinorAxisLength": "axis_minor_length", "Perimeter": "perimeter", "Solidity": "solidity",
    "FilledArea": "area_filled", "PerimeterCrofton": "perimeter_crofton",
    "OuterFeretDiameter": "feret_diameter_max",
    "HuMoment_0": "moments_hu-0", "NormalizedMoment_1_2": "moments_normalized-1-2",
}


OWN = ("shape", "moments", "intensity")


def stardist(shared):
    folder = shared("small_samples")
    return (tifffile.imread(folder / "stardist_dsb2018_mask2d.tif").astype(np.uint32),
            tifffile.imread(folder / "stardist_dsb2018_img2d.tif"))


def fractal(shared):
    folder = shared("fractal_omezarr")
    image = tifffile.imread(folder / "B03_mip_level1_czyx_squeezed_cyx.tif")[0]
    return tifffile.imread(folder / "B03_nuclei_labels_level1.tif").astype(np.uint32), image


SCENES = {
    "coins": lambda shared: coins(),
    "odd": lambda shared: (odd_shapes(), noise(odd_shapes().shape)),
    "stardist": stardist,
    "fractal": fractal,
}


@pytest.fixture(scope="module", params=[
    "coins", "odd", pytest.param("stardist", marks=pytest.mark.data),
    pytest.param("fractal", marks=pytest.mark.data),
])
def scene(request, shared):
    """Labels, image, and all our features of them."""
    labels, image = SCENES[request.param](shared)
    return labels, image, measured(labels, image, OWN)


def assert_close(name, ours, theirs):
    scale = np.nanmax(np.abs(theirs), initial=0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-9 * scale, err_msg=name)


def test_shape_is_scikit_images(scene):
    labels, _, ours = scene
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-image: one-pixel regions
        wanted = sorted({v.split("-")[0] for v in REGIONPROPS.values()})
        theirs = regionprops_table(labels.astype(np.int64), properties=wanted)
    for name, column in REGIONPROPS.items():
        assert_close(name, ours[f"AreaShape_{name}"], theirs[column])


def test_feret_is_below_scikit_images_by_no_more_than_two_pixels():
    """Half a pixel at either end for the diamonds in its hull, and half for the contour."""
    labels, _ = coins()
    theirs = [r.feret_diameter_max for r in regionprops(labels.astype(np.int64))]
    excess = theirs - measured(labels, None, ["shape"])["AreaShape_MaxFeretDiameter"]
    assert (excess >= 0).all() and (excess <= 2).all()


def test_all_columns_are_cp_measures(scene):
    labels, image, ours = scene
    theirs = cp_measured(labels, image)
    assert len(theirs.keys() & ours.keys()) == len(ours) - 2
    for name, value in ours.items():
        defined = np.isfinite(value)
        if name not in theirs:  # scikit-image's, tested with it; and a standard deviation
            assert name in ("AreaShape_OuterFeretDiameter", "Intensity_SampleStdIntensity")
            continue
        if name in ("AreaShape_FormFactor",):  # infinite for a pixel; NaN here
            assert not np.isfinite(theirs[name][~defined]).any()
        elif name == "AreaShape_Orientation":  # -90 and 90 are one
            turn = np.abs(value - theirs[name]) % 180
            long = ours["AreaShape_MajorAxisLength"] > ours["AreaShape_MinorAxisLength"] + 1e-6
            assert np.minimum(turn, 180 - turn)[long].max() < 1e-5
            continue
        elif name in ("AreaShape_CentralMoment_0_1", "AreaShape_CentralMoment_1_0"):
            assert not value.any()  # 0 here; rounding there
            continue
        else:
            assert defined.all(), name
        assert_close(name, value[defined], theirs[name][defined])


def cp_measured(labels, image):
    dense = relabel_sequential(labels.astype(np.int64))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape = get_sizeshape(dense, None) | get_feret(dense, None)
        # the quantiles of CellProfiler; the default there is numpy's
        pixels = get_intensity(dense, image.astype(np.float64), legacy=True)
    return {f"AreaShape_{k}": np.asarray(v, float) for k, v in shape.items()} | pixels


def test_radii_of_large_objects_are_those_of_small_ones():
    """Large objects go another way: the same scene, stretched, must give what scipy gives."""
    labels = np.kron(odd_shapes(), np.ones((70, 70), np.uint32))
    found = measured(labels, None, ["shape"])
    for i, region in enumerate(regionprops(labels.astype(np.int64))):
        inside = np.pad(region.image, 1)
        distance = ndimage.distance_transform_edt(inside)[inside]
        ours = [found[f"AreaShape_{k}Radius"][i] for k in ("Maximum", "Mean", "Median")]
        np.testing.assert_allclose(ours, [f(distance) for f in (np.max, np.mean, np.median)])


@pytest.mark.data
def test_shape_is_cellprofilers(shared):
    """One nucleus whose exported mask is pixel by pixel what CellProfiler measured.

    Its intensities are of an illumination corrected image and cannot be compared.
    """
    pandas = pytest.importorskip("pandas")
    folder = shared("cellpainting_nf1") / "NF1_cellpainting_data_shrunken"
    cells = pandas.read_parquet(folder / "Plate_2_with_image_data_shrunken.parquet")
    cell = cells[cells["Image_Metadata_Well_x"] == "D7"].iloc[0]
    mask = tifffile.imread(folder / "Plate_2_masks" / "D7_01_1_1_DAPI_001_MaskNuclei.tiff")
    labels = label(mask > 0, connectivity=1).astype(np.uint32)
    ours = measured(labels, None, [n for n in families.names()
                                   if not families.load(n).PER_CHANNEL])
    away = np.hypot(*(ours[f"AreaShape_Center_{a}"] - cell[f"Nuclei_AreaShape_Center_{a}"]
                      for a in "XY"))
    compared = {k: v[away.argmin()] for k, v in ours.items() if f"Nuclei_{k}" in cell}
    assert len(compared) >= 20
    for name, value in compared.items():
        assert value == pytest.approx(float(cell[f"Nuclei_{name}"]), rel=1e-5, abs=1e-9), name
