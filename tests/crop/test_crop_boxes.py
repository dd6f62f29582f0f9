"""Cluster boxes by rules written out plainly: where they lie, how alike they are, which stay."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import local_binary_pattern

from libcell.crop.kernels.boxes import Sums, propose
from libcell.crop.kernels.similarity import descriptors, eight_bits, similarities, thinned


def masks(seed, shape=(90, 120), blobs=6):
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    for _ in range(blobs):
        y, x = (int(rng.integers(-5, n)) for n in shape)
        mask[max(y, 0) : y + int(rng.integers(1, 50)), max(x, 0) : x + int(rng.integers(1, 60))] = 1
    return mask


def boxes_of(mask, size=16, regions=40):
    return propose(mask, size, regions, Sums(mask))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_boxes_lie_in_the_image_on_cells_and_only_once(seed):
    mask = masks(seed)
    boxes = boxes_of(mask)
    assert (boxes >= 0).all() and (boxes + 16 <= mask.shape).all()
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    covered = Sums(mask).over(boxes, boxes + 16)[:, 0]
    plain = [mask[y : y + 16, x : x + 16].sum() for y, x in boxes]
    assert covered.tolist() == plain and (covered > 0).all()


def test_a_small_area_has_a_box_around_its_centre_of_mass():
    mask = np.zeros((60, 60), bool)
    mask[20:24, 30:40] = True  # centre 21.5, 34.5
    mask[50:60, 58:60] = True  # at the edge: moved in
    assert boxes_of(mask).tolist() == [[14, 27], [44, 44]]  # by area: 40, 20


def test_a_large_area_is_tiled_and_keeps_its_own_box():
    """32 x 40 px are more than two boxes of 16: tiles from the corner, the last ones narrow."""
    mask = np.zeros((80, 80), bool)
    mask[10:42, 5:45] = True
    boxes = boxes_of(mask).tolist()
    assert boxes[0] == [18, 17]  # around the centre 25.5, 24.5 of the whole
    # whole tiles stay where they are; in those of the last column (rows 10 and 26, columns 37 to
    # 52) the mask ends at 44: centre 40.5, but they are whole tiles of the image
    assert boxes[1:] == [[10, 5], [10, 21], [10, 37], [26, 5], [26, 21], [26, 37]]


def test_tiles_clipped_by_the_image_are_centred_again():
    mask = np.zeros((40, 40), bool)
    mask[:, 4:] = True
    boxes = boxes_of(mask).tolist()
    assert [0, 4] in boxes and [0, 20] in boxes
    assert all(y <= 24 and x <= 24 for y, x in boxes)
    assert [24, 24] in boxes  # rows 32 to 40: centre 35.5, moved in


def test_areas_meet_at_corners_and_the_largest_come_first():
    mask = np.zeros((60, 60), bool)
    mask[0:4, 0:4] = mask[4:8, 4:8] = True  # one area of 32
    mask[40:45, 40:45] = True  # 25
    mask[20:23, 50:53] = True  # 9
    assert len(boxes_of(mask)) == 3
    assert boxes_of(mask, regions=1).tolist() == [[0, 0]]
    assert len(boxes_of(mask, regions=2)) == 2


def test_no_cells_no_boxes():
    assert boxes_of(np.zeros((30, 30), bool)).shape == (0, 2)


def test_an_image_smaller_than_a_box():
    assert boxes_of(np.ones((10, 12), bool)).tolist() == [[0, 0]]


def test_descriptors_are_shares():
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (50, 60)).astype(np.uint8)
    boxes = np.array([[0, 0], [30, 40], [10, 5]])
    found = descriptors(grey, boxes, 20)
    np.testing.assert_allclose(found[:, :25].sum(axis=1), 1)
    np.testing.assert_allclose(found[:, 25:].sum(axis=1), 1)
    patterns = local_binary_pattern(grey, 8, 1.0, method="uniform")
    for (y, x), one in zip(boxes, found):
        part = grey[y : y + 20, x : x + 20]
        want = np.histogram(part, 25, (0, 256))[0] / 400
        np.testing.assert_allclose(one[:25], want)
        want = np.histogram(patterns[y : y + 20, x : x + 20], 10, (0, 10))[0] / 400
        np.testing.assert_allclose(one[25:], want)


def test_the_camera_s_range_does_not_matter():
    rng = np.random.default_rng(0)
    plane = rng.integers(0, 200, (50, 60)).astype(np.uint8)
    np.testing.assert_array_equal(eight_bits(plane), plane)
    wide = eight_bits(plane.astype(np.uint16) * 17 + 300)
    assert wide.dtype == np.uint8 and wide.min() == 0 and wide.max() == 255
    np.testing.assert_array_equal(wide, eight_bits(plane / np.float32(999)))
    assert not eight_bits(np.full((4, 4), 7.5, np.float32)).any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_likeness_by_hand(seed):
    rng = np.random.default_rng(seed)
    boxes = rng.integers(0, 40, (7, 2))
    described = rng.random((7, 35))
    pairs, alike = similarities(boxes, described, 16)
    want = {}
    for a in range(7):
        for b in range(a + 1, 7):
            sets = [{(y + i, x + j) for i in range(16) for j in range(16)}
                    for y, x in boxes[[a, b]].tolist()]
            common = sets[0] & sets[1]
            if common:
                want[a, b] = (np.minimum(described[a], described[b]).sum()
                              + len(common) / len(sets[0] | sets[1]))
    assert sorted(map(tuple, pairs.tolist())) == sorted(want)
    np.testing.assert_allclose(alike, [want[tuple(p)] for p in pairs.tolist()])


def test_the_less_confluent_of_alike_boxes_goes():
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    stays = thinned(pairs, np.array([3.0, 2.5, 0.5]), np.array([0.5, 0.9, 0.9, 0.1]))
    assert stays.tolist() == [False, True, False, True]  # 0 to 1; 2 equals 1; 3 is not alike
    chain = thinned(pairs, np.array([2.0, 2.0, 2.0]), np.array([0.3, 0.2, 0.1, 0.05]))
    assert chain.tolist() == [True, False, True, False]  # what is gone takes no other with it
    assert thinned(pairs[:0], np.zeros(0), np.ones(3)).all()


@pytest.mark.parametrize("n", [0, 1])
def test_few_boxes(n):
    pairs, alike = similarities(np.zeros((n, 2), int), np.zeros((n, 35)), 16)
    assert pairs.shape == (0, 2) and alike.shape == (0,)
