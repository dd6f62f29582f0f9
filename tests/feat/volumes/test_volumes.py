"""Stacks: beside scikit-image and cp_measure, in windows, at rims, through the command."""

import warnings

import numpy as np
import pytest
from cp_measure.core.measureobjectintensity import get_intensity
from cp_measure.core.measureobjectsizeshape import get_sizeshape
from cp_measure.core.measuretexture import get_texture
from hand_made import call, write_images, write_labels
from skimage.measure import regionprops_table
from skimage.segmentation import relabel_sequential

from libcell.data import tables
from libcell.feat import families, measure, volumes
from libcell.feat.volumes import VoxelIndex

APART = (2.5, 1.0, 1.0)
PROPERTIES = {
    "Volume": "area", "BoundingBoxVolume": "area_bbox", "Extent": "extent",
    "EquivalentDiameter": "equivalent_diameter_area", "EulerNumber": "euler_number",
    "MajorAxisLength": "axis_major_length", "MinorAxisLength": "axis_minor_length",
    "BoundingBoxMinimum_Z": "bbox-0", "BoundingBoxMinimum_X": "bbox-2",
    "BoundingBoxMaximum_Z": "bbox-3", "BoundingBoxMaximum_Y": "bbox-4",
}


def blobs(seed=0):
    """Ellipsoids, one hollow, one cut by the rim, two that touch, a voxel; uint32 (14,70,90)."""
    labels = np.zeros((14, 70, 90), np.uint32)
    z, y, x = np.mgrid[:14, :70, :90]
    random = np.random.default_rng(seed)
    for i, (cy, cx) in enumerate([(14, 14), (14, 40), (14, 72), (45, 0), (45, 40), (45, 56)]):
        r = random.uniform(4, 9, 3)
        inside = ((z - 7) / (r[0] / 2)) ** 2 + ((y - cy) / r[1]) ** 2 + ((x - cx) / r[2]) ** 2 <= 1
        labels[inside] = 3 * (i + 1)
    labels[7, 14, 14], labels[1, 60, 80] = 0, 90
    return labels


def image(shape, seed=0):
    random = np.random.default_rng(seed)
    brighter = 1 + np.arange(shape[0])[:, None, None]
    return (random.integers(300, 4000, shape) * brighter).astype(np.uint16)


def measured(labels, pixels=None, names=None, **options):
    index = VoxelIndex(labels, APART)
    found = {}
    for name in names or volumes.names():
        family = volumes.load(name)
        found |= family.measure(index, pixels, **families.settings(family, options))
    return found


def assert_close(name, ours, theirs):
    scale = np.nanmax(np.abs(theirs), initial=0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-9 * scale, err_msg=name)


# -- beside others -----------------------------------------------------------------------------


def test_shape_is_scikit_images_with_spacing():
    labels = blobs()
    found = measured(labels, None, ["shape"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a voxel has no axes
        wanted = sorted({v.split("-")[0] for v in PROPERTIES.values()})
        theirs = regionprops_table(labels.astype(np.int64), properties=[*wanted, "centroid"],
                                   spacing=APART)
    for name, column in PROPERTIES.items():
        assert_close(name, found[f"AreaShape_{name}"], theirs[column])
    for k, axis in enumerate("ZYX"):
        assert_close(axis, found[f"AreaShape_Center_{axis}"] * APART[k], theirs[f"centroid-{k}"])
    assert sorted(set(found["AreaShape_EulerNumber"])) == [1, 2]  # the hollow one has a cavity


def test_surface_is_cellprofilers():
    labels = blobs()
    dense = relabel_sequential(labels.astype(np.int64))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = get_sizeshape(dense, None, spacing=APART, calculate_advanced=False)
    assert_close("SurfaceArea", measured(labels, None, ["shape"])["AreaShape_SurfaceArea"],
                 theirs["SurfaceArea"])


def test_intensity_is_cp_measures_but_for_mad_and_spacing():
    """CellProfiler's MAD in 3D is the third, not the half, of the deviations, and its
    displacement counts planes as columns."""
    labels = blobs()
    pixels = image(labels.shape)
    dense = relabel_sequential(labels.astype(np.int64))[0]
    found = measured(labels, pixels, ["intensity"])
    theirs = get_intensity(dense, pixels.astype(float), legacy=True)
    assert len(theirs.keys() & found.keys()) == 21
    for name, value in theirs.items():
        if name not in ("Intensity_MADIntensity", "Intensity_MassDisplacement"):
            assert_close(name, found[name], np.asarray(value))
    middle = np.median(pixels[labels == 90])
    assert found["Intensity_MADIntensity"][-1] == 0 and middle > 0
    step = np.stack([found[f"Location_CenterMassIntensity_{a}"] for a in "ZYX"], axis=1)
    shape = measured(labels, None, ["shape"])
    step -= np.stack([shape[f"AreaShape_Center_{a}"] for a in "ZYX"], axis=1)
    assert_close("shift", found["Intensity_MassDisplacement"],
                 np.linalg.norm(step * APART, axis=1))


@pytest.mark.parametrize("levels", [256, 32])
def test_texture_is_cp_measures(levels):
    labels = blobs()
    labels[labels == 90] = 0  # a voxel has no pairs
    pixels = image(labels.shape)
    dense = relabel_sequential(labels.astype(np.int64))[0]
    found = measured(labels, pixels, ["texture"], texture_scales=(2,), texture_levels=levels)
    theirs = get_texture(dense, pixels / 65535, scale=2, gray_levels=levels)
    assert len(theirs) == 13 * 13
    for name, value in theirs.items():
        feature, scale, direction, grey = name.split("_")
        ours = found[f"Texture_{feature}_{{channel}}_{scale}_{direction}_{grey}"]
        assert_close(name, ours, value)


# -- what every family must do -----------------------------------------------------------------


@pytest.mark.parametrize("name", volumes.names())
def test_columns_are_what_is_measured(name):
    labels = blobs()
    family = volumes.load(name)
    found = measured(labels, image(labels.shape), [name])
    assert list(found) == [c.name for c in family.columns()] and name == family.NAME
    assert all(v.shape == (7,) and v.dtype == np.float64 for v in found.values())
    assert not any(np.isinf(v).any() for v in found.values())
    empty = measured(np.zeros((3, 4, 5), np.uint32), np.zeros((3, 4, 5)), [name])
    assert list(empty) == list(found) and all(v.shape == (0,) for v in empty.values())


@pytest.mark.parametrize("name", volumes.names())
def test_an_object_alone_and_elsewhere_measures_the_same(name):
    labels = blobs()
    pixels = image(labels.shape)
    found = measured(labels, pixels, [name])
    alone = measured(np.where(labels == 15, 1, 0).astype(np.uint32), pixels, [name])
    for column, value in found.items():
        np.testing.assert_array_equal(value[4:5], alone[column], err_msg=column)
    there = measured(*(np.pad(a, ((2, 1), (3, 4), (5, 2))) for a in (labels, pixels)), [name])
    for column, value in found.items():
        moved = {"Z": 2, "Y": 3, "X": 5}.get(column[-1], 0) if column[-2] == "_" else 0
        kept = slice(None) if "Surface" not in column and "Edge" not in column else [0, 1, 2]
        np.testing.assert_allclose(there[column][kept], value[kept] + moved, 1e-7, 1e-9,
                                   err_msg=column)


def test_values_that_are_not_there():
    labels = np.zeros((4, 6, 6), np.uint32)
    labels[1:3, 1:4, 1:4] = 2
    pixels = np.full(labels.shape, 5.0)
    pixels[1, 1, 1] = np.nan
    found = measured(labels, pixels, ["intensity"])
    assert found["Intensity_MeanIntensity"] == [5]
    assert found["Intensity_MassDisplacement"] == pytest.approx(0, abs=1e-9)
    nothing = measured(labels, np.full(labels.shape, np.nan), ["intensity"])
    assert all(np.isnan(v).all() for v in nothing.values())


# -- through the command -----------------------------------------------------------------------


def write(folder, **more):
    labels = blobs()
    stack = np.stack([image(labels.shape, 0), image(labels.shape, 1)])[None]
    write_images(folder / "p.ome.zarr", {"": stack}, ("DNA", "RNA"), **more)
    write_labels(folder / "n.labels.ome.zarr", {"": {"nuclei": labels[None]}}, **more)
    return labels, stack


def feat(folder, *args, out="f.parquet", code=0):
    return call("feat", "measure", folder / "n.labels.ome.zarr", "--images",
                folder / "p.ome.zarr", "-o", folder / out, *args, code=code)


def test_a_stack_through_the_command_with_its_spacing(tmp_path, monkeypatch):
    labels, stack = write(tmp_path, pixel_size_um=(0.5, 0.2, 0.2))
    feat(tmp_path)
    table = tables.read(tmp_path / "f.parquet", "features")
    assert table.column("Metadata_Label").to_pylist() == np.unique(labels)[1:].tolist()
    expected = measured(labels, stack[0, 1])
    for name, value in expected.items():
        channel = None if name.startswith("AreaShape") else "RNA"
        column = table.column(families.column_name("Nuclei", name, channel)).to_numpy()
        np.testing.assert_allclose(column, value, 1e-12, err_msg=name)
    monkeypatch.setattr(measure, "LARGE", 100)
    monkeypatch.setattr("libcell.data.objects.WINDOW", 32)
    feat(tmp_path, out="parts.parquet")
    parts = tables.read(tmp_path / "parts.parquet", "features")
    assert parts.column_names == table.column_names
    for name in table.column_names:
        if name.startswith("Nuclei_") and "SurfaceArea" not in name:
            np.testing.assert_allclose(parts.column(name), table.column(name), 1e-9, err_msg=name)


def test_families_that_measure_no_stacks(tmp_path):
    write(tmp_path)
    said = feat(tmp_path, "--families", "shape,granularity", code=65).said
    assert "granularity: measured in images of one plane" in said
    feat(tmp_path, "--families", "shape")
