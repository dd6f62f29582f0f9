"""Two imaging rounds of real tissue, where nobody knows the exact shift."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from libcell.align.kernels.translation import find_shift

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("LIBCELL_TEST_DATA", ROOT.parent / "shared" / "data"))
pytestmark = pytest.mark.data


def image(name):
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is absent; set LIBCELL_TEST_DATA")
    return tifffile.imread(DATA / name)


def ibex(channel, other):
    panels = (image(f"ibex_cyclic_if/panel{n}_czyx.tif") for n in (1, 2))
    return [panel[c].max(axis=0) for panel, c in zip(panels, (channel, other))]


# CD8 and F480 through the same filter, CD4 twice, the nuclear dye twice
@pytest.mark.parametrize("channels, after", [((1, 1), 0.75), ((3, 6), 0.65), ((4, 4), 0.48)])
def test_ibex_rounds(channels, after):
    found = find_shift(*ibex(*channels))
    assert found.matched, found.reason
    assert (found.dy, found.dx) == pytest.approx((-15, -15), abs=0.5)
    assert found.correlation_before < 0.2
    assert found.correlation_after > after


def test_ibex_channels_of_different_markers_are_not_matched_wrongly():
    for a in range(6):
        for b in range(7):
            found = find_shift(*ibex(a, b))
            right = (found.dy, found.dx) == pytest.approx((-15, -15), abs=1)
            assert right or not found.matched, (a, b, found)


@pytest.mark.parametrize("contrast", [np.asarray, np.log1p])
def test_bigstream_rounds(contrast):
    fixed, moving = (image(f"bigstream_multiround/{n}_highres_mip_mid.tif") for n in ("fix", "mov"))
    assert fixed.shape != moving.shape
    found = find_shift(contrast(fixed), contrast(moving))
    assert found.matched
    # a deformation of some px remains, so the best translation depends on the weights
    assert (found.dy, found.dx) == pytest.approx((24.6, 83.4), abs=2)
    assert found.correlation_before < 0.06
    assert found.correlation_after > 0.38


def test_two_halves_of_a_tissue_are_not_matched():
    fixed, moving = (image(f"bigstream_multiround/{n}_highres_mip_mid.tif") for n in ("fix", "mov"))
    assert not find_shift(fixed[:, :400], moving[:, 500:]).matched
