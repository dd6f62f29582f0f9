"""What docs/own-method.md and own-features.md show works as it stands there."""

import re
import types
from pathlib import Path

import numpy as np
import pytest
from hand_made import call, write_images, write_labels

from libcell.data import tables
from libcell.data.images import Source
from libcell.feat import families

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def stores(tmp_path):
    labels = np.zeros((1, 1, 20, 30), np.uint32)
    labels[..., 2:8, 3:9], labels[..., 10:16, 12:20] = 4, 9
    image = np.random.default_rng(0).integers(1, 900, (1, 1, 1, 20, 30)).astype(np.uint16)
    write_images(tmp_path / "p.ome.zarr", {"": image}, ("DNA",))
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": labels}})
    return tmp_path, labels[0, 0], image[0, 0, 0].astype(float)


def shown(page):
    """The first module of a page."""
    code = re.search(r"```python title=.*?\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    module = types.ModuleType("own")
    exec(compile(code[1], page, "exec"), module.__dict__)
    return module


def test_a_method_of_ones_own(stores):
    folder, labels, image = stores
    method = shown("own-method.md")
    options = method.Options(images=str(folder / "p.ome.zarr"))
    table = method.measure(Source(folder / "n.labels.ome.zarr", ""), options)
    assert table.column("Metadata_Label").to_pylist() == [4, 9]
    assert table.column("Nuclei_Brightness_Mean")[0].as_py() == image[labels == 4].mean()


def test_a_family_of_ones_own(stores, monkeypatch):
    folder, labels, image = stores
    family = shown("own-features.md")
    added = types.SimpleNamespace(load=lambda: family)
    monkeypatch.setitem(families.FOLDER.__dict__, "_added", {"brightness": added})
    call("feat", "measure", folder / "n.labels.ome.zarr", "--images", folder / "p.ome.zarr",
         "--families", "brightness", "-o", folder / "f.parquet")
    table = tables.read(folder / "f.parquet", "features")
    ours = [n for n in table.column_names if n.startswith("Nuclei_")]
    assert ours == ["Nuclei_Brightness_Peak_DNA"]
    wanted = [image[labels == k].max() / image[labels == k].mean() for k in (4, 9)]
    np.testing.assert_allclose(table.column(ours[0]).to_numpy(), wanted)
