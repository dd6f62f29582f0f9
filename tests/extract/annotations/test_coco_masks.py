"""Masks are pycocotools' own, pixel by pixel, wherever they lie and whatever they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from libcell.extract.annotations import masks, outline


def painted(codes, height, width):
    runs = masks.decode(codes, height)
    made = np.zeros((runs.n, height, width), bool)
    runs.paint(made, np.zeros((runs.n, 2), int))
    return made


def random_polygon(random, height, width):
    centre = random.random(2) * (width, height)
    angles = np.sort(random.random(random.integers(3, 40))) * 2 * np.pi
    radii = random.random(len(angles)) * 15 + 1
    points = centre + radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.round(points, random.integers(0, 3)).ravel().tolist()


def test_polygons_are_what_pycocotools_draws():
    """Edges of the image, several parts, overlapping parts included."""
    random = np.random.default_rng(3)
    for _ in range(60):
        height, width = random.integers(8, 90, 2).tolist()
        objects = [[random_polygon(random, height, width) for _ in range(random.integers(1, 4))]
                   for _ in range(8)]
        codes = masks.encode(objects, [None] * 8, height, width)
        made = painted(codes, height, width)
        for found, polygons in zip(made, objects):
            wanted = coco.decode(coco.merge(coco.frPyObjects(polygons, height, width)))
            np.testing.assert_array_equal(found, wanted)


def test_a_polygon_moved_into_its_box_has_other_pixels():
    """Why outlines are coded in their image; were it not so, this room could be simpler."""
    random = np.random.default_rng(0)
    differ = 0
    for _ in range(400):
        polygon = np.array(random_polygon(random, 500, 700)).reshape(-1, 2)
        x, y = np.floor(polygon.min(axis=0)).clip(0)
        box = [(polygon - (x, y)).ravel().tolist()]
        here = coco.decode(coco.frPyObjects([polygon.ravel().tolist()], 500, 700))[..., 0]
        moved = coco.decode(coco.frPyObjects(box, 40, 40))[..., 0]
        there = here[int(y) : int(y) + 40, int(x) : int(x) + 40]
        differ += int((there != moved[: there.shape[0], : there.shape[1]]).sum())
    assert differ > 0


@given(st.integers(1, 12), st.integers(1, 12), st.data())
@settings(max_examples=150, deadline=None)
def test_any_mask_goes_through_run_lengths(height, width, data):
    bits = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    mask = np.array(bits, bool).reshape(height, width)
    packed = coco.encode(np.asfortranarray(mask, np.uint8))
    lengths = [len(run) for run in _stretches(mask.T.ravel())]
    given_as = [{"size": [height, width], "counts": packed["counts"].decode()},
                {"size": [height, width], "counts": lengths}]
    codes = masks.encode(given_as, [None, None], height, width)
    assert codes[0] == packed["counts"]
    runs = masks.decode(codes, height)
    np.testing.assert_array_equal(painted(codes, height, width), np.stack([mask, mask]))
    assert runs.areas().tolist() == [mask.sum()] * 2
    if mask.any():
        y, x = np.nonzero(mask)
        assert runs.boxes()[1].tolist() == [y.min(), x.min(), y.max() + 1, x.max() + 1]
        np.testing.assert_allclose(runs.centroids()[1], [y.mean(), x.mean()], rtol=1e-12)


def _stretches(flat):
    ends = np.flatnonzero(np.diff(flat)) + 1
    parts = np.split(flat, ends)
    return parts if not flat[0] else [flat[:0], *parts]


@given(st.integers(1, 9), st.integers(1, 2100), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_label_images_become_the_codes_that_pycocotools_makes(height, width, seed):
    labels = np.random.default_rng(seed).integers(0, 4, (height, width)) * 300
    found = {o.label: o for o in outline.outlines(lambda x: labels[:, x], height, width)}
    assert sorted(found) == sorted(set(np.unique(labels).tolist()) - {0})
    for label, one in found.items():
        packed = coco.encode(np.asfortranarray(labels == label, np.uint8))
        assert one.counts == packed["counts"].decode()
        assert list(one.box) == coco.toBbox(packed).tolist()
        assert one.area == coco.area(packed)


def test_boxes_with_fractions():
    box = [3.4, 2.6, 8.3, 5.1]
    made = painted(masks.encode([[], None, [[]]], [box] * 3, 20, 30), 20, 30)
    wanted = coco.decode(coco.frPyObjects(np.array([box]), 20, 30))[..., 0]
    for found in made:
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(("given_as", "box", "said"), [
    ([[1, 2, 3, 4]], None, "fewer than 3 points"),
    ([[1, 2, 3, 4, 5, 6, 7]], None, "odd number"),
    ([[1, 2, 3, None, 5, 6]], None, "no number"),
    ([[1, 2, 3, 4, 5, "x"]], None, "no number"),
    ([[1, 2, 3, 4, 5, 1e12]], None, "far outside"),
    ([[1, 2, 3, 4, 5, 6], 7], None, "mixes"),
    (7, None, "neither polygons nor"),
    (None, None, "neither outline nor box"),
    ([], [1, 2, None, 4], "four numbers"),
    ([], [1, 2, 0.0, 4], "without width or height"),
    ([], [1, 2, 1e9, 4], "far outside"),
    ({"size": [20, 31], "counts": "0"}, None, "another image size"),
    ({"size": [20, 30], "counts": [600, 5]}, None, "do not fill"),
    ({"size": [20, 30], "counts": [-1, 601]}, None, "do not fill"),
    ({"size": [20, 30], "counts": "oooooooooooo0"}, None, "do not fill"),
    ({"size": [20, 30], "counts": "\u00e9"}, None, "do not fill"),
    ({"size": [20, 30]}, None, "do not fill"),
])
def test_what_has_no_mask(given_as, box, said):
    good = [[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]]
    made = masks.encode([good, given_as, good], [None, box, None], 20, 30)
    assert isinstance(made[1], masks.Unusable) and said in str(made[1])
    assert made[0] == made[2] == coco.frPyObjects(good, 20, 30)[0]["counts"]
