"""Squares around objects: what lies in them, whatever it is."""

import numpy as np
import pytest
from hand_made import call, write_images, write_labels
from measured_scenes import measured, noise, odd_shapes

from libcell.data import tables
from libcell.feat import families, measure

SIZE = 7


def square(labels, label):
    """The square around an object by hand: slices of y and x."""
    centre = np.floor(np.argwhere(labels == label).mean(axis=0) + 0.5).astype(int)
    low = np.maximum(centre - SIZE // 2, 0)
    high = np.minimum(centre - SIZE // 2 + SIZE, labels.shape)
    return tuple(slice(a, b) for a, b in zip(low, high))


@pytest.mark.parametrize("family", measure.IN_PATCHES)
def test_a_square_is_an_object_of_its_pixels(family):
    labels, image = odd_shapes(), noise(odd_shapes().shape)
    index = families.ObjectIndex.of(labels)
    found = families.load(family).measure(labels, image, index.squares(SIZE))
    for i, label in enumerate(index.labels):
        alone = np.zeros(labels.shape, np.uint32)
        alone[square(labels, label)] = 1
        for name, values in measured(alone, image, [family]).items():
            np.testing.assert_array_equal(found[name][i], values[0], err_msg=f"{label} {name}")


def test_patch_columns_stand_beside_the_objects(tmp_path, monkeypatch):
    labels = np.pad(odd_shapes(), 30)
    image = noise(labels.shape)
    images = write_images(tmp_path / "p.ome.zarr", {"": image[None, None, None]}, ("DNA",))
    store = write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": labels[None, None]}})
    command = ("feat", "measure", store, "--images", images, "--families", "shape,intensity")
    call(*command, "--patch", SIZE, "-o", tmp_path / "f.parquet")
    table = tables.read(tmp_path / "f.parquet", "features")
    assert not any(n.startswith("Patch_AreaShape") for n in table.column_names)
    for label, mean in zip(table.column("Metadata_Label").to_pylist(),
                           table.column("Patch_Intensity_MeanIntensity_DNA").to_pylist()):
        assert mean == pytest.approx(image[square(labels, label)].mean())
    monkeypatch.setattr(measure, "LARGE", 40)
    monkeypatch.setattr("libcell.data.objects.WINDOW", 32)
    call(*command, "--patch", SIZE, "-o", tmp_path / "w.parquet")
    parts = tables.read(tmp_path / "w.parquet", "features")
    for name in (n for n in table.column_names if n.startswith("Patch_")):
        np.testing.assert_allclose(table.column(name), parts.column(name), rtol=1e-9,
                                   err_msg=name)


def test_no_object_has_no_square():
    index = families.ObjectIndex.of(np.zeros((5, 6), np.uint32))
    assert len(index.squares(3)) == 0 and index.squares(3).edge.size == 0


def test_a_stack_has_no_squares(tmp_path):
    labels = np.zeros((1, 3, 20, 20), np.uint32)
    labels[:, :, 5:12, 5:12] = 1
    images = write_images(tmp_path / "p.ome.zarr", {"": np.ones((1, 1, 3, 20, 20), np.uint8)})
    store = write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": labels}})
    done = call("feat", "measure", store, "--images", images, "--patch", 5, "--families", "shape",
                "-o", tmp_path / "f.parquet", code=65)
    assert "--patch is for 2D" in done.said
