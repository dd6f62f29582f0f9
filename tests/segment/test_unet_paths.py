"""Paths and centres: true directions give the true cells back, in windows as in the whole image."""

import numpy as np
import pytest

from libcell.segment.kernels.window import Box
from libcell.segment.network import centres, patches, paths
from libcell.segment.network.pieces import filled, sound
from libcell.simulate import simulate_field


def straight(labels):
    """Directions (int8) of every pixel straight to the middle of its object, shorter near it."""
    ways = np.zeros((labels.ndim, *labels.shape), np.float64)
    grid = np.indices(labels.shape)
    for label in np.unique(labels[labels > 0]):
        mask = labels == label
        middle = np.argwhere(mask).mean(axis=0)
        off = middle[:, None] - grid[:, mask]
        ways[:, mask] = off / np.maximum(np.sqrt((off**2).sum(axis=0)), 4)
    return np.rint(ways * paths.UNIT).astype(np.int8)


def roots(ways, cell, box=None, reach=24):
    ends = paths.ends(ways, cell, reach)
    stack = ends if ends.ndim == 3 else ends[None]
    return centres.roots(centres.centres(stack), box or Box.whole(stack.shape))


def same_parts(one, other):
    """Whether two label images are alike up to their numbers."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return all(len(np.unique(row)) == pairs.shape[1] for row in pairs)


@pytest.fixture(scope="module")
def nuclei():
    return simulate_field(4, shape=(220, 240), n_cells=40).nuclei


def test_true_directions_give_the_true_cells(nuclei):
    assert same_parts(roots(straight(nuclei), nuclei > 0)[0], nuclei)


def test_stacks_of_balls():
    z, y, x = np.mgrid[:9, :60, :60]
    labels = np.zeros((9, 60, 60), int)
    for label, (cy, cx) in enumerate([(15, 15), (15, 31), (40, 20)], start=1):
        labels[(z - 4) ** 2 * 4 + (y - cy) ** 2 + (x - cx) ** 2 <= 64] = label
    assert same_parts(roots(straight(labels), labels > 0), labels)


def test_a_hole_holds_no_path_up(nuclei):
    cell = nuclei > 0
    cell[::7] = False
    found = roots(straight(nuclei), cell)[0]
    assert same_parts(found[cell], nuclei[cell])


def test_windows_have_the_roots_of_the_whole_image(nuclei):
    """Drawn directions: cells of no shape, paths that leave wherever they can."""
    rng = np.random.default_rng(1)
    coarse = rng.normal(0, 1, (2, 23, 25))
    smooth = np.kron(coarse, np.ones((10, 10)))[:, :220, :240]
    ways = np.clip(smooth * 90, -127, 127).astype(np.int8)
    cell = rng.random((220, 240)) < 0.7
    whole = roots(ways, cell, reach=8)
    halo = 2 * paths.travel_px(8) + centres.REACH_PX + 2
    for y0, x0 in ((0, 0), (90, 100), (110, 170)):
        rows = slice(max(0, y0 - halo), min(220, y0 + 40 + halo))
        columns = slice(max(0, x0 - halo), min(240, x0 + 40 + halo))
        part = cell[rows, columns]
        box = Box((0, rows.start, columns.start), (1, *part.shape), (1, 220, 240))
        found = roots(ways[:, rows, columns], part, box, reach=8)
        core = found[:, y0 - rows.start :, x0 - columns.start :][:, :40, :40]
        np.testing.assert_array_equal(core, whole[:, y0 : y0 + 40, x0 : x0 + 40])


def test_bytes_of_what_the_network_says():
    said = np.zeros((3, 1, 1, 4), np.float32)
    said[0] = [[0, 0.05, 0.5, 1]]
    said[1:] = 0.5
    made = patches.quantised(said)
    assert made[0].ravel().tolist() == [0, 13, 128, 255]
    assert made[1].view(np.int8).ravel().tolist() == [0, 0, 64, 64]


def test_each_object_keeps_its_largest_piece():
    given = np.array([[5, 5, 0, 7, 7],
                      [0, 0, 0, 0, 7],
                      [5, 0, 7, 0, 0],
                      [5, 0, 0, 0, 9]])
    expected = np.array([[5, 5, 0, 7, 7],
                         [0, 0, 0, 0, 7],
                         [0, 0, 0, 0, 0],
                         [0, 0, 0, 0, 9]])
    even = np.full(given.shape, 200, np.uint8)
    np.testing.assert_array_equal(sound(given, even, 0), expected)
    np.testing.assert_array_equal(sound(given[None], even[None], 200), expected[None])
    assert not sound(given, even, 201).any()
    even[0, 3] = 190
    assert np.unique(sound(given, even, 198)).tolist() == [0, 5, 9]
    assert not sound(np.zeros((3, 4), np.int64), even[:3, :4], 0).any()


def test_holes_of_one_object_are_filled():
    given = np.array([[0, 3, 3, 3, 0, 0],
                      [3, 0, 3, 0, 5, 5],
                      [3, 3, 3, 0, 5, 5],
                      [0, 0, 0, 3, 5, 5]])
    expected = given.copy()
    expected[1, 1] = 3
    np.testing.assert_array_equal(filled(given), expected)
    np.testing.assert_array_equal(filled(given[None]), expected[None])
    shell = np.ones((5, 5, 5), np.int64)
    shell[2, 2, 2] = 0
    assert filled(shell).all()
    shell[:2, 2, 2] = 0
    np.testing.assert_array_equal(filled(shell), shell)
