"""`cell-segment pair` and `grow` on stores: what is written, what is counted, what is refused."""

import numpy as np
import pytest
from hand_made import call, files_of, write_images, write_labels
from scipy import ndimage

from libcell.data import labels
from libcell.data.images import Source
from libcell.schema.validate import validate
from libcell.segment.kernels import growing


def read(path, group="", t=0):
    """Nuclei, cells, cytoplasm (Z,Y,X) of one frame."""
    return [labels.read_frame(Source(path, group), name, t)
            for name in ("nuclei", "cells", "cytoplasm")]


def discs(shape, centres, radius):
    """A disc per centre, labelled from 1, (1,1,Y,X)."""
    found = np.zeros(shape, np.uint32)
    y, x = np.indices(shape)
    for k, (cy, cx) in enumerate(centres, 1):
        found[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = k
    return found[None, None]


CENTRES = [(15, 15), (15, 60), (40, 30), (45, 70)]


@pytest.fixture
def stores(tmp_path):
    """Four nuclei and three cells (the fourth nucleus lies alone, and one cell is empty)."""
    nuclei = discs((64, 90), CENTRES, 4)
    cells = discs((64, 90), [*CENTRES[:3], (15, 85)], 9)
    write_labels(tmp_path / "n.labels.ome.zarr", {"A/1/0": {"nuclei": nuclei}})
    write_labels(tmp_path / "c.labels.ome.zarr", {"A/1/0": {"cells": cells}})
    return tmp_path


def test_paired_compartments_share_their_numbers(stores):
    out = stores / "x.labels.ome.zarr"
    done = call("segment", "pair", stores / "n.labels.ome.zarr", "--cells",
                stores / "c.labels.ome.zarr", "-o", out)
    last = done.records[-1]
    assert (last["paired"], last["nuclei_without_cell"], last["cells_without_nucleus"]) == (3, 1, 1)
    assert validate(out) == []
    nuclei, cells, cytoplasm = read(out, "A/1/0")
    for k in (1, 2, 3):
        assert ((nuclei == k) | (cytoplasm == k)).sum() == (cells == k).sum()
    assert set(np.unique(nuclei)) == set(np.unique(cells)) == {0, 1, 2, 3}
    assert not ((nuclei > 0) & (cytoplasm > 0)).any()


def test_a_nucleus_without_a_cell_grows_its_own(stores):
    out = stores / "x.labels.ome.zarr"
    call("segment", "pair", stores / "n.labels.ome.zarr", "--cells", stores / "c.labels.ome.zarr",
         "-o", out, "--lone-nuclei", "grow", "--distance", "5")
    nuclei, cells, _ = read(out, "A/1/0")
    distance = ndimage.distance_transform_edt(nuclei[0] != 4)
    assert np.array_equal(cells[0] == 4, distance <= 5)


def test_other_sizes_and_other_fields_are_refused(stores):
    small = discs((64, 80), CENTRES[:1], 4)
    write_labels(stores / "s.labels.ome.zarr", {"A/1/0": {"cells": small}})
    write_labels(stores / "o.labels.ome.zarr", {"B/1/0": {"cells": small}})
    for name, words in (("s", "same field of view"), ("o", "has no field of view 'A/1/0'")):
        done = call("segment", "pair", stores / "n.labels.ome.zarr", "--cells",
                    stores / f"{name}.labels.ome.zarr", "-o", stores / "x.labels.ome.zarr", code=65)
        assert words in done.said


def test_cells_grown_by_distance_alone(stores):
    out = stores / "x.labels.ome.zarr"
    call("segment", "grow", stores / "n.labels.ome.zarr", "-o", out, "--distance", "6")
    given = discs((64, 90), CENTRES, 4)[0]
    nuclei, cells, cytoplasm = read(out, "A/1/0")
    assert np.array_equal(nuclei, given)
    assert np.array_equal(cells > 0, ndimage.distance_transform_edt(given == 0) <= 6)
    assert np.array_equal(np.where(nuclei > 0, 0, cells), cytoplasm)


def test_cells_end_where_their_channel_is_dark(stores):
    bright = discs((64, 90), CENTRES, 7)[0, 0] > 0
    image = np.where(bright, 1000, 100).astype(np.uint16)[None, None, None]
    write_images(stores / "i.ome.zarr", {"A/1/0": image})
    out = stores / "x.labels.ome.zarr"
    call("segment", "grow", stores / "n.labels.ome.zarr", "-o", out, "--images",
         stores / "i.ome.zarr", "--distance", "30", "--sigma", "0")
    _, cells, _ = read(out, "A/1/0")
    assert np.array_equal(cells[0] > 0, bright)
    call("segment", "grow", stores / "n.labels.ome.zarr", "-o", out, "--images",
         stores / "i.ome.zarr", "--distance", "30", "--everywhere", "--force")
    assert (read(out, "A/1/0")[1][0] > 0).sum() > bright.sum() * 2


@pytest.mark.slow
def test_windows_change_nothing(tmp_path):
    """Of a field of four windows, what each is given is what the whole image gives."""
    rng = np.random.default_rng(0)
    shape = (2100, 2120)
    nuclei = np.zeros(shape, np.uint32)
    # nuclei on the seams at row and column 2048, and some elsewhere
    spots = [(2046, 300), (2050, 330), (700, 2048), (730, 2040), (2047, 2047), (2060, 2080), (9, 9)]
    for k, (y, x) in enumerate(spots, 1):
        nuclei[y - 4 : y + 5, x - 4 : x + 5] = k
    image = ndimage.gaussian_filter(rng.random(shape, np.float32), 4)
    image = ((image - image.min()) / np.ptp(image) * 60000).astype(np.uint16)
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": nuclei[None, None]}})
    write_images(tmp_path / "i.ome.zarr", {"": image[None, None, None]})
    out = tmp_path / "x.labels.ome.zarr"
    call("segment", "grow", tmp_path / "n.labels.ome.zarr", "-o", out, "--images",
         tmp_path / "i.ome.zarr", "--everywhere", "--distance", "25", "--sigma", "0")
    near = growing.nearest(nuclei[None], 25)[0] > 0
    scaled = (image.astype(np.float32) - image.min()) / np.float32(np.ptp(image))
    expected, _ = growing.spread(nuclei, scaled, near, 0.05, np.zeros(shape, bool))
    assert np.array_equal(read(out)[1][0], expected)
    assert len(np.unique(expected)) == len(spots) + 1


def test_nothing_grows_in_an_empty_field(tmp_path):
    nothing = np.zeros((2, 1, 1, 1), np.uint32)
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": nothing}})
    call("segment", "grow", tmp_path / "n.labels.ome.zarr", "-o", tmp_path / "x.labels.ome.zarr")
    call("segment", "pair", tmp_path / "n.labels.ome.zarr", "--cells",
         tmp_path / "n.labels.ome.zarr", "-o", tmp_path / "y.labels.ome.zarr")
    for name in ("x", "y"):
        assert not any(part.any() for part in read(tmp_path / f"{name}.labels.ome.zarr", t=1))


def test_workers_change_nothing(stores):
    for name, workers in (("x", 1), ("y", 2)):
        call("segment", "grow", stores / "n.labels.ome.zarr", "-j", workers, "-o",
             stores / f"{name}.labels.ome.zarr")
    assert files_of(stores / "x.labels.ome.zarr") == files_of(stores / "y.labels.ome.zarr")
