"""A large image is measured window by window, and nobody can tell."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from libcell.data import objects
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
