"""cell-segment foreground: against its rule written as plain loops, on stores, on real cells."""

import numpy as np
import pytest
import tifffile
from hand_made import call, files_of, write_images
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import canny
from skimage.filters import threshold_otsu

from libcell.data import groups, labels
from libcell.data.images import Source
from libcell.errors import DataError
from libcell.segment.kernels.cell_area import AreaParams, cell_area, closed_and_filled

CROSS = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
SIX = [(dy, dx) for dy in range(-2, 4) for dx in range(-2, 4)]


# -- the rule, shift by shift ------------------------------------------------------------


def shifted(mask, dy, dx, outside):
    """The value of the pixel (dy, dx) further on, `outside` beyond the image."""
    wide = np.pad(mask, 6, constant_values=outside)
    return wide[6 + dy : 6 + dy + mask.shape[0], 6 + dx : 6 + dx + mask.shape[1]]


def close(mask):
    grown = np.any([shifted(mask, *d, False) for d in CROSS], axis=0)
    return np.all([shifted(grown, *d, True) for d in CROSS], axis=0)


def fill(mask):
    ground = np.zeros_like(mask)
    while True:
        spread = ~mask & np.any([shifted(ground, *d, True) for d in SIX], axis=0)
        if (spread == ground).all():
            return ~ground
        ground = spread


def pieces(mask):
    """Sets of pixels that touch by their faces."""
    left = set(map(tuple, np.argwhere(mask).tolist()))
    while left:
        piece, edge = set(), [left.pop()]
        while edge:
            y, x = edge.pop()
            piece.add((y, x))
            near = {(y + dy, x + dx) for dy, dx in CROSS} & left
            left -= near
            edge += near
        yield piece


def without_small(mask, value, size):
    made = mask.copy()
    for piece in pieces(mask == value):
        if len(piece) < size:
            made[tuple(zip(*piece))] = not value
    return made


def joined(first, second, rounds=10):
    mask = fill(close(first) | close(second))
    for _ in range(rounds):
        again = fill(close(first) | close(second) | close(mask))
        change, mask = np.mean(again != mask), again
        if change < 1e-4:
            break
    return mask


def plain(image, hole=64, size=100):
    grey = image.astype(np.float32)
    low, high = np.percentile(grey, (0.2, 99.8))
    grey = np.clip((grey - low) / (high - low), 0, 1).astype(np.float32)
    first, second = grey > threshold_otsu(grey), canny(grey, sigma=1)
    if np.mean(first != second) >= 0.5:
        first = ~first
    return without_small(without_small(joined(first, second), False, hole), True, size)


def phase(shape=(150, 170), seed=0, ground=2000.0):
    """Cells as phase contrast shows them: grey inside, dark rims, a halo, a noisy ground."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(ground, 12, shape)
    true = np.zeros(shape, bool)
    for _ in range(6):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        a, b = rng.uniform(8, 22), rng.uniform(8, 14)
        r = np.hypot((y - cy) / a, (x - cx) / b)
        image[r < 1] += rng.normal(0, 260, (r < 1).sum())
        image[(r > 0.9) & (r < 1.05)] -= 900
        image[(r > 1.05) & (r < 1.25)] += 500
        true |= r < 1.05
    return image.clip(0).astype(np.uint16), true


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dark", [False, True])
def test_the_mask_is_that_of_the_rule(seed, dark):
    image, true = phase(seed=seed)
    image = 5000 - image if dark else image
    found = cell_area(image, AreaParams())
    np.testing.assert_array_equal(found, plain(image))
    assert (found & true).sum() / (found | true).sum() > 0.6


def test_a_bright_ground_is_turned_round():
    """Dark cells over less than half of the image: Otsu's upper class is the ground."""
    image = np.full((90, 90), 200, np.uint8)
    image[30:60, 20:70] = 40
    found = cell_area(image, AreaParams())
    np.testing.assert_array_equal(found, plain(image))
    assert found[45, 45] and not found[5, 5] and 1500 <= found.sum() <= 1900


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.5))
def test_closing_and_filling_of_any_two_masks(seed, density):
    rng = np.random.default_rng(seed)
    first, second = (rng.random((2, 19, 23)) < density / 2)
    found = closed_and_filled(first, second, AreaParams())
    np.testing.assert_array_equal(found, joined(first, second))
    assert found[first | second].all(), "nothing that was found gets lost"


def test_thin_outlines_are_open_and_thick_ones_are_filled():
    """And with the narrowest ground, any closed outline is."""
    for wall, full in ((1, False), (2, False), (5, True)):
        ring = np.zeros((60, 60), bool)
        ring[10:50, 10:50] = True
        ring[10 + wall : 50 - wall, 10 + wall : 50 - wall] = False
        none = np.zeros_like(ring)
        assert closed_and_filled(ring, none, AreaParams())[30, 30] == full, wall
        assert closed_and_filled(ring, none, AreaParams(fill_px=3))[30, 30]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_every_dtype(dtype):
    image = (phase()[0] // 16).astype(dtype)
    before = image.copy()
    np.testing.assert_array_equal(cell_area(image, AreaParams()), plain(image))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("image", [np.full((40, 50), 7, np.uint8), np.zeros((1, 1), np.float32),
                                   np.zeros((0, 5), np.uint8)])
def test_an_even_image_has_no_cells(image):
    found = cell_area(image, AreaParams())
    assert found.shape == image.shape and not found.any()


def test_values_that_are_no_number():
    image = phase()[0].astype(np.float32)
    image[3, 4] = np.nan
    with pytest.raises(DataError, match="1 pixels are NaN"):
        cell_area(image, AreaParams())


# -- stores ------------------------------------------------------------------------------


def cover(folder, *args, out="x.labels.ome.zarr", code=0):
    return call("segment", "foreground", folder / "p.ome.zarr", "-o", folder / out, *args,
                code=code)


def read(folder, group="", t=0, out="x.labels.ome.zarr", compartment="foreground"):
    return labels.read_frame(Source(folder / out, group), compartment, t)


def test_frames_planes_and_confluency(tmp_path):
    film = np.stack([np.stack([phase(seed=i + 2 * j)[0] for i in range(2)]) for j in range(2)])
    write_images(tmp_path / "p.ome.zarr", {"A/01/0": film[:, None], "A/02/0": film[:1, None] * 0})
    said = cover(tmp_path).records
    shares = [np.mean([plain(film[t, z]) for z in range(2)]) for t in range(2)]
    for t in range(2):
        expected = np.stack([plain(film[t, z]) for z in range(2)]).astype(np.uint32)
        np.testing.assert_array_equal(read(tmp_path, "A/01/0", t), expected)
    held = groups.read(tmp_path / "x.labels.ome.zarr" / "A/01/0")
    assert held["confluency"] == pytest.approx(shares) and min(shares) > 0.05
    assert said[-1]["confluency_by_image"] == pytest.approx(
        {"A/01/0": np.mean(shares), "A/02/0": 0.0})
    assert said[-1]["confluency"] == pytest.approx(np.mean(shares) / 2)
    assert [r["n"] for r in said] == [2, 0, 2]


def test_rows_at_the_bottom_are_left_out(tmp_path):
    """A scale bar of full white changes the stretch, and is no cell."""
    image, _ = phase()
    framed = np.vstack([image, np.zeros((30, 170), np.uint16)])
    framed[160:170, 20:120] = 60000
    write_images(tmp_path / "p.ome.zarr", {"": framed[None, None, None]})
    said = cover(tmp_path, "--crop-bottom", 30)
    found = read(tmp_path)[0]
    np.testing.assert_array_equal(found[:150], plain(image))
    assert not found[150:].any()
    assert said.records[-1]["confluency"] == pytest.approx(plain(image).mean())
    assert "leaves none of its 180 rows" in cover(
        tmp_path, "--crop-bottom", 180, out="y.labels.ome.zarr", code=65).said


def test_components_are_numbered(tmp_path):
    image, _ = phase(seed=1)
    write_images(tmp_path / "p.ome.zarr", {"": image[None, None, None]})
    said = cover(tmp_path, "--components", "--compartment", "cells")
    found = read(tmp_path, compartment="cells")[0]
    expected = list(pieces(plain(image)))
    assert said.records[0]["n"] == found.max() == len(expected) > 1
    for piece in expected:
        assert np.unique(found[tuple(zip(*piece))]).size == 1
    np.testing.assert_array_equal(found > 0, plain(image))


def test_grey_of_three_channels(tmp_path):
    image, _ = phase()
    three = np.stack([image // 2, image, image // 3])
    write_images(tmp_path / "p.ome.zarr", {"": three[None, :, None]}, ("R", "G", "B"))
    cover(tmp_path, "-c", "grey")
    grey = sum(np.float32(w) * c for w, c in zip((0.299, 0.587, 0.114), three))
    np.testing.assert_array_equal(read(tmp_path)[0], plain(grey))
    write_images(tmp_path / "q.ome.zarr", {"": three[None, :2, None]}, ("R", "G"))
    said = call("segment", "foreground", tmp_path / "q.ome.zarr", "-c", "grey", "-o",
                tmp_path / "y.labels.ome.zarr", code=65).said
    assert "it has R, G" in said


def test_workers_files_and_beyond_a_shard(tmp_path, monkeypatch):
    """The same pixels from a file; the same bytes with two workers."""
    image = np.tile(phase()[0], (1, 13))
    assert image.shape[1] > 2048
    fields = {"A/01/0": image[None, None, None], "A/02/0": image[None, None, None, ::-1]}
    write_images(tmp_path / "p.ome.zarr", fields)
    cover(tmp_path, out="one/x.labels.ome.zarr")
    cover(tmp_path, "-j", 2, out="two/x.labels.ome.zarr")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    tifffile.imwrite(tmp_path / "i.tif", image)
    call("segment", "foreground", tmp_path / "i.tif", "-o", tmp_path / "x.labels.ome.zarr")
    np.testing.assert_array_equal(read(tmp_path),
                                  read(tmp_path, "A/01/0", out="one/x.labels.ome.zarr"))


@pytest.mark.parametrize("options", [("--low", 50, "--high", 50), ("--edge-low", 0.3)])
def test_options_that_contradict_each_other(tmp_path, options):
    write_images(tmp_path / "p.ome.zarr", {"": phase()[0][None, None, None]})
    assert options[0] in cover(tmp_path, *options, code=2).said
    assert not (tmp_path / "x.labels.ome.zarr").exists()


def test_a_bad_field_is_named_and_the_others_are_kept(tmp_path):
    good = phase()[0].astype(np.float32)[None, None, None]
    bad = good.copy()
    bad[..., 5, 5] = np.inf
    write_images(tmp_path / "p.ome.zarr", {"A/01/0": good, "A/02/0": bad})
    said = cover(tmp_path, code=75).said
    assert "A/02/0" in said and "1 pixels are NaN, infinite" in said
    assert not (tmp_path / "x.labels.ome.zarr").exists()
    done = cover(tmp_path, "--resume", "--partial-ok").records[-1]
    assert done["confluency_by_image"] == pytest.approx({"A/01/0": plain(good[0, 0, 0]).mean()})


# -- real cells --------------------------------------------------------------------------


def test_manual_masks_of_phase_contrast(shared):
    """Flat glioblastoma cells: more closing than the default finds what people outlined."""
    folder = shared("usiigaci_t98g_phase")
    image = tifffile.imread(folder / "images" / "train_set1.tif")
    truth = tifffile.imread(folder / "labels" / "train_set1.tif") > 0

    def iou(params):
        found = cell_area(image, params)
        return (found & truth).sum() / (found | truth).sum()

    assert iou(AreaParams()) > 0.3
    assert iou(AreaParams(closing_px=3)) > 0.55
