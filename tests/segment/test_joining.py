"""Tiles joined, planes joined, percentiles from histograms: arrays in, arrays out."""

import numpy as np
import pytest

from libcell.segment.foreign import joining, percentiles, planes
from libcell.segment.foreign.joining import Tile

SHAPE = (1, 20, 40)
LEFT = Tile((0, 0, 20, 26), (0, 0, 20, 20))
RIGHT = Tile((0, 14, 20, 40), (0, 20, 20, 40))


def joined(*seen):
    """The field from what the left and the right tile saw, each (20,26)."""
    tiles = (LEFT, RIGHT)
    parts = [np.asarray(s, np.uint32)[None] for s in seen]
    objects = [joining.describe(p, t, SHAPE[1:]) for p, t in zip(parts, tiles)]
    shared = joining.shared(parts[0], LEFT, parts[1], RIGHT)
    rank = joining.ranks(objects, [(0, 1, shared)])
    number = joining.numbers(objects, rank)
    painted = [(p[None], t, o.labels, r, n)
               for p, t, o, r, n in zip(parts, tiles, objects, rank, number)]
    return joining.paint(painted, (0, 0, *SHAPE[1:]), (1, 1))[0, 0]


def boxes(*drawn):
    """Labels (20,40) from (label, y0, x0, y1, x1)."""
    found = np.zeros(SHAPE[1:], np.uint32)
    for label, y0, x0, y1, x1 in drawn:
        found[y0:y1, x0:x1] = label
    return found


def test_an_object_seen_by_both_is_one():
    field = boxes((7, 5, 17, 10, 25), (3, 2, 2, 6, 6), (9, 12, 30, 18, 36))
    found = joined(field[:, :26], field[:, 14:])
    assert np.array_equal(found, boxes((2, 5, 17, 10, 25), (1, 2, 2, 6, 6), (3, 12, 30, 18, 36)))


def test_the_tile_that_holds_the_centre_says_what_it_is():
    """The right tile sees one object where the left one, less deep in it, sees two."""
    one = boxes((1, 5, 16, 11, 26))
    two = boxes((1, 5, 16, 8, 26), (2, 8, 16, 11, 26))
    assert np.array_equal(joined(two[:, :26], one[:, 14:]), boxes((1, 5, 16, 11, 26)))


def test_an_object_that_only_its_neighbour_saw_is_not_lost():
    """Its centre lies in the right tile, which did not see it."""
    found = joined(boxes((4, 5, 18, 9, 25))[:, :26], np.zeros((20, 26)))
    assert np.array_equal(found, boxes((1, 5, 18, 9, 25)))


def test_neighbours_that_overlap_a_little_stay_two():
    left, right = boxes((1, 5, 12, 11, 19)), boxes((1, 5, 17, 11, 26))
    found = joined(left[:, :26], right[:, 14:])
    assert set(np.unique(found)) == {0, 1, 2}
    assert (found == 1).sum() + (found == 2).sum() == 6 * 14


def test_every_number_is_used_whatever_overlaps():
    rng = np.random.default_rng(0)
    for _ in range(50):
        drawn = [boxes(*((k, y, x, y + 5, x + 6) for k, (y, x) in
                         enumerate(rng.integers(0, (15, 34), (9, 2)), 1))) for _ in range(2)]
        found = joined(drawn[0][:, :26], drawn[1][:, 14:])
        labels = np.unique(found[found > 0])
        assert labels.tolist() == list(range(1, len(labels) + 1))


def test_labels_are_numbered_by_their_centres():
    field = boxes((1, 12, 2, 15, 5), (2, 1, 30, 4, 33), (3, 1, 2, 4, 5))
    found = joined(field[:, :26], field[:, 14:])
    assert [found[2, 3], found[2, 31], found[13, 3]] == [1, 2, 3]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16"])
def test_percentiles_of_counted_values_are_numpys(dtype):
    values = np.random.default_rng(1).normal(90, 20, (1, 2, 30, 31)).astype(dtype)
    found = percentiles.scale([percentiles.count(values[0])], values.dtype, None, 1.5, 99.8, False)
    expected = np.percentile(values, [1.5, 99.8])
    assert np.allclose([found.low[0], found.high[0]], expected, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint32"])
def test_percentiles_of_others_are_right_to_a_bin(dtype):
    values = (np.random.default_rng(1).normal(90, 20, (2, 30, 31)) * 1000).astype(dtype)
    span = percentiles.value_range(values)
    halves = [percentiles.count(part, span) for part in values]
    found = percentiles.scale([sum(halves)], values.dtype, [span], 1, 99, False)
    bin_width = (span[1] - span[0]) / percentiles.BINS
    assert np.allclose([found.low[0], found.high[0]], np.percentile(values, [1, 99]),
                       atol=2 * bin_width)


def test_what_is_no_number_counts_for_nothing():
    values = np.array([np.nan, np.inf, 1, 2, 3], np.float32).reshape(1, 1, 1, 5)
    span = percentiles.value_range(values)
    found = percentiles.scale([percentiles.count(values[0], span)], values.dtype, [span], 0, 100,
                              False)
    assert (found.low, found.high) == ((1.0,), (3.0,))
    assert found.apply(values)[0, 0, 0].tolist() == [0, 0, 0, 0.5, 1]


def test_a_flat_frame_shows_nothing():
    values = np.full((1, 1, 4, 4), 9, np.uint8)
    found = percentiles.scale([percentiles.count(values[0])], values.dtype, None, 1, 99, False)
    assert found.flat and not found.apply(values).any()


def test_planes_joined_where_they_overlap():
    first = np.array([[1, 1, 0, 2, 2, 2]])
    second = np.array([[0, 0, 0, 1, 1, 1]])
    third = np.array([[5, 5, 0, 0, 1, 1]])
    found = planes.stitch(np.stack([first, second, third])[None].astype(np.uint32), 0.5)
    assert found[0, :, 0].tolist() == [[1, 1, 0, 2, 2, 2], [0, 0, 0, 2, 2, 2], [3, 3, 0, 0, 2, 2]]
    apart = planes.stitch(np.stack([first, second, third])[None].astype(np.uint32), 0.9)
    assert apart[0, 2, 0].tolist() == [4, 4, 0, 0, 3, 3]
