"""A large image is measured window by window, and nobody can tell."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hand_made import call, write_images, write_labels

from libcell.data import objects, tables
from libcell.data.images import Source
from libcell.feat import measure
from libcell.simulate import simulate_field


@pytest.fixture(scope="module")
def stores(tmp_path_factory, cell):
    folder = tmp_path_factory.mktemp("windows")
    field = simulate_field(3, shape=(300, 340), n_cells=60)
    tifffile.imwrite(folder / "x.tif", field.image[0])
    cell("extract", "images", "x.tif", "-o", "x.ome.zarr", cwd=folder)
    cell("segment", "threshold", "x.ome.zarr", "-o", "n.labels.ome.zarr", cwd=folder)
    return folder


def table(folder: Path):
    options = {"images": str(folder / "x.ome.zarr"), "compartments": (), "channels": (),
               "families": ()}
    return measure.measure_field(Source(folder / "n.labels.ome.zarr", ""), options)


@pytest.mark.parametrize("window", [64, 150])
def test_windows_change_nothing(stores, monkeypatch, window):
    whole = table(stores)
    monkeypatch.setattr(measure, "LARGE", 100)
    monkeypatch.setattr(objects, "WINDOW", window)
    parts = table(stores)
    assert parts.column_names == whole.column_names
    assert parts.num_rows == whole.num_rows > 20
    for name in whole.column_names:
        a, b = whole.column(name), parts.column(name)
        if name.startswith("Nuclei_"):
            # sums run over other origins, hence the last digits of a float64; high moments more
            np.testing.assert_allclose(a.to_numpy(), b.to_numpy(), rtol=1e-6, atol=1e-6,
                                       err_msg=name)
        else:
            assert a.equals(b), name


def test_a_large_image_in_floating_point_says_what_its_grey_levels_span(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "LARGE", 30)
    pixels = np.random.default_rng(0).random((1, 1, 1, 40, 52), np.float32)
    found = np.zeros((1, 1, 40, 52), np.uint32)
    found[..., 5:20, 5:20], found[..., 25:38, 30:45] = 3, 4
    images = write_images(tmp_path / "p.ome.zarr", {"": pixels})
    labels = write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": found}})
    command = ("feat", "measure", labels, "--images", images, "-o")
    assert "--texture-span LOW,HIGH" in call(*command, tmp_path / "a.parquet", code=65).said
    call(*command, tmp_path / "b.parquet", "--texture-span", "0,1")
    call(*command, tmp_path / "c.parquet", "--families", "shape,intensity")
    assert tables.read(tmp_path / "b.parquet", "features").num_rows == 2


def test_texture_settings_from_the_command_line(tmp_path):
    pixels = np.random.default_rng(0).integers(1, 200, (1, 1, 1, 40, 52)).astype(np.uint8)
    found = np.zeros((1, 1, 40, 52), np.uint32)
    found[..., 5:20, 5:20] = 3
    images = write_images(tmp_path / "p.ome.zarr", {"": pixels}, ("DNA",))
    labels = write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": found}})
    command = ("feat", "measure", labels, "--images", images, "--families", "texture", "-o")
    call(*command, tmp_path / "a.parquet", "--texture-scales", "1,5", "--texture-levels", "32")
    names = tables.read(tmp_path / "a.parquet", "features").column_names
    wanted = {f"Nuclei_Texture_Contrast_DNA_{k}_0{d}_32" for k in (1, 5) for d in range(4)}
    assert wanted <= set(names)
    for wrong in (("--texture-span", "7"), ("--texture-scales", "0")):
        assert wrong[0] in call(*command, tmp_path / "b.parquet", *wrong, code=2).said
