"""Relations and the radial family beside cp_measure, column by column."""

import warnings

import numpy as np
import pytest
import tifffile
from cp_measure.core import measurecolocalization as colocalization
from cp_measure.core.measuregranularity import get_granularity
from cp_measure.core.measureobjectintensitydistribution import get_radial_distribution
from cp_measure.multimask.measureobjectneighbors import measureobjectneighbors
from relation_scenes import coins, found, nuclei
from skimage.measure import label, regionprops_table
from skimage.segmentation import expand_labels, relabel_sequential

from libcell.feat import families

SCENES = {"coins": lambda shared: coins(), "nuclei": nuclei}


@pytest.fixture(scope="module", params=["coins", pytest.param("nuclei", marks=pytest.mark.data)])
def scene(request, shared):
    """Labels, two channels, and the labels as cp_measure wants them."""
    labels, images = SCENES[request.param](shared)
    images = dict(list(images.items())[:2])
    return labels, images, relabel_sequential(labels.astype(np.int64))[0]


def assert_close(name, ours, theirs):
    theirs = np.asarray(theirs, float)
    scale = np.nanmax(np.abs(theirs), initial=0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-9 * scale + 1e-12, err_msg=name)


def theirs_of(function, *given, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # objects for which a value is not defined
        return function(*given, **more)


def test_correlation_is_cp_measures(scene):
    labels, images, dense = scene
    first, second = images.values()
    top = np.iinfo(first.dtype).max
    theirs = {}
    for name in ("pearson", "manders_fold", "rwc", "overlap"):
        theirs |= theirs_of(getattr(colocalization, f"get_correlation_{name}"),
                            first / top, second / top, dense)
    theirs |= theirs_of(colocalization.get_correlation_costes, first, second, dense)
    ours = found("correlation", labels, images)
    assert len(ours) == len(theirs) == 11
    for name, value in theirs.items():
        mine = name.replace("Pearson", "Correlation")
        pair = "_RNA_DNA" if name.endswith("_2") else "_DNA_RNA"
        assert_close(name, ours[mine.removesuffix("_1").removesuffix("_2") + pair], value)


def test_granularity_is_cp_measures(scene):
    labels, images, dense = scene
    ours = found("granularity", labels, images)
    for channel, image in images.items():
        theirs = theirs_of(get_granularity, dense, image.astype(float))
        assert len(theirs) == 16
        inside = np.setdiff1d(labels, np.concatenate([labels[-1], labels[:, -1], [0]]))
        kept = np.isin(np.unique(labels)[1:], inside)  # rounding there; see the module
        assert kept.sum() > 20
        for name, value in theirs.items():
            assert_close(name, ours[f"{name}_{channel}"][kept], value[kept])


def test_neighbours_are_cp_measures(scene):
    labels, images, _ = scene
    labels = expand_labels(labels, 7)  # so that some touch
    dense = relabel_sequential(labels.astype(np.int64))[0]
    ours = found("neighbours", labels, images)
    ways = {"Adjacent": "Adjacent", "5": "Within a specified distance"}
    for scale, way in ways.items():
        theirs = theirs_of(measureobjectneighbors, dense, dense, way, 5)
        compared = [k for k in theirs if "ObjectNumber" not in k]  # theirs is the object itself
        assert len(compared) == 5
        for name in compared:
            # an angle near 0 or 180 degrees is known to the root of the rounding
            within = 1e-5 if "Angle" in name else 0
            np.testing.assert_allclose(ours[name], theirs[name], 1e-5, within, err_msg=name)
        number = ours[f"Neighbors_NumberOfNeighbors_{scale}"]
        assert number.max() > 0


def test_radial_distribution_is_cp_measures(scene):
    labels, images, dense = scene
    image = images["DNA"]
    ours = families.load("radial").measure(labels, image, families.ObjectIndex.of(labels))
    theirs = theirs_of(get_radial_distribution, dense, image.astype(float))
    named = {families.column_name("Nuclei", k, "DNA"): v for k, v in ours.items()}
    assert len(theirs) == len(ours) == 12
    for name, value in theirs.items():
        _, kind, ring = name.split("_")
        assert_close(name, named[f"Nuclei_RadialDistribution_{kind}_DNA_{ring}"], value)


@pytest.mark.data
def test_neighbours_are_cellprofilers(shared):
    """One nucleus that CellProfiler measured, in a field whose exported mask is what it saw."""
    pandas = pytest.importorskip("pandas")
    folder = shared("cellpainting_nf1") / "NF1_cellpainting_data_shrunken"
    cells = pandas.read_parquet(folder / "Plate_2_with_image_data_shrunken.parquet")
    cell = cells[cells["Image_Metadata_Well_x"] == "D7"].iloc[0]
    mask = tifffile.imread(folder / "Plate_2_masks" / "D7_01_1_1_DAPI_001_MaskNuclei.tiff")
    labels = label(mask > 0, connectivity=1).astype(np.uint32)
    ours = found("neighbours", labels, {})
    middle = regionprops_table(labels.astype(np.int64), properties=["centroid"])
    here = np.hypot(middle["centroid-1"] - cell["Nuclei_AreaShape_Center_X"],
                    middle["centroid-0"] - cell["Nuclei_AreaShape_Center_Y"]).argmin()
    compared = [k for k in ours if k.endswith("_Adjacent")]
    assert len(compared) == 7
    for name in compared:  # the second neighbour's mask differs by some pixels
        within = 1e-3 if "Second" in name or "Angle" in name else 1e-9
        assert ours[name][here] == pytest.approx(float(cell[f"Nuclei_{name}"]), rel=within), name
