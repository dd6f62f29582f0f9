"""What tests of descriptors share: the files of a system, and a small plate to run them on."""

from pathlib import Path

import numpy as np
import pytest
from hand_made import write_images, write_labels
from skimage.draw import disk

from libcell.cli import descriptors

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def written(tmp_path):
    """`written("cwl", folder)`: the files of a workflow system, in a folder below `tmp_path`."""

    def write(system, folder):
        descriptors.write(system, tmp_path / folder)
        return tmp_path / folder

    return write


@pytest.fixture
def three_nuclei(tmp_path):
    """A folder with plate.ome.zarr (channel DNA) and n.labels.ome.zarr: three objects."""
    labels = np.zeros((96, 96), np.uint32)
    for number, centre in enumerate([(20, 20), (30, 70), (70, 40)], 1):
        labels[disk(centre, 8)] = number
    pixels = (labels > 0).astype("u2")[None, None, None] * 900 + 100
    write_images(tmp_path / "plate.ome.zarr", {"A/01/0": pixels}, ("DNA",))
    write_labels(tmp_path / "n.labels.ome.zarr", {"A/01/0": {"nuclei": labels[None, None]}})
    return tmp_path


@pytest.fixture
def engine():
    """`engine("fractal")`: the Python of an environment that `make engines` made, else a skip."""

    def find(name):
        python = ROOT / ".engines" / name / "bin" / "python"
        if not python.is_file():
            pytest.skip(f"no .engines/{name}; `make engines` makes it")
        return python

    return find
