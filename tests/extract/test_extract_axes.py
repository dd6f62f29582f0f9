"""TIFF stacks that do not name their axes: named by the user, else refused with the way out."""

import numpy as np
import pytest
import tifffile
from hand_made import call

from libcell.data import open as opening
from libcell.data.images import Source

STACK = np.random.default_rng(0).integers(0, 999, (4, 20, 30)).astype(np.uint16)


@pytest.fixture
def folder(tmp_path):
    """CELLECT's layout: a plain stack a frame."""
    for t in range(2):
        tifffile.imwrite(tmp_path / f"embryo_t{t:03d}.tif", STACK + t, photometric="minisblack")
    return tmp_path


def extract(folder, *args, code=0):
    return call("extract", "images", folder / "*.tif", "--pattern", "{_}_t{t}.tif", "-o",
                folder / "x.ome.zarr", *args, code=code)


def test_planes_of_a_plain_stack(folder):
    assert "--axes" in extract(folder, code=65).said
    extract(folder, "--axes", "zyx")
    image = opening.image(Source(folder / "x.ome.zarr", ""))
    assert image.about.shape == (2, 1, 4, 20, 30)
    np.testing.assert_array_equal(image.read(t=1), STACK + 1)


@pytest.mark.parametrize(("axes", "said"), [("YX", "3 axes"), ("QYX", "not all known"),
                                            ("ZCT", "not all known")])
def test_axes_that_do_not_fit(folder, axes, said):
    assert said in extract(folder, "--axes", axes, code=65).said
