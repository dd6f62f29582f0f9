"""Masks are pycocotools' own, pixel by pixel, wherever they lie and whatever they are."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from libcell.extract.annotations import masks, numbers, outline
from libcell.extract.annotations.document import gather
from libcell.extract.annotations.runs import Runs


def texts(outlines, boxes):
    """The JSON of outlines and boxes, one behind the other."""
    parts = ["" if one is None else json.dumps(one) for one in [*outlines, *boxes]]
    lengths = np.array([len(p) for p in parts])
    spans = np.column_stack([np.cumsum(lengths) - lengths, lengths])
    text = np.frombuffer("".join(parts).encode(), np.uint8)
    return masks.Texts(text, spans[: len(outlines)], spans[len(outlines) :])


def find(outlines, height, width, boxes=None, left_out=None):
    boxes = boxes or [None] * len(outlines)
    skip = np.zeros(len(outlines), bool) if left_out is None else np.array(left_out)
    return masks.find(texts(outlines, boxes), height, width, skip)


def painted(found, height, width):
    made = found.spans
    masks_of = np.zeros((len(made.counts), height, width), bool)
    Runs.of(made.counts, made.y, made.x, made.length).paint(
        masks_of, np.zeros((len(made.counts), 2), np.int64))
    return masks_of


def assert_as_drawn(objects, height, width):
    """Pixels, boxes, areas and sums of coordinates of objects of one or several polygons."""
    found = find(objects, height, width)
    for i, (mask, polygons) in enumerate(zip(painted(found, height, width), objects)):
        wanted = coco.decode(coco.merge(coco.frPyObjects(polygons, height, width)))
        np.testing.assert_array_equal(mask, wanted, err_msg=f"{polygons} in {height} x {width}")
        assert found.faults[i] == ("" if wanted.any() else "no pixel inside the image")
        if wanted.any():
            y, x = np.nonzero(wanted)
            assert found.spans.boxes[i].tolist() == [y.min(), x.min(), y.max() + 1, x.max() + 1]
            assert found.spans.areas[i] == len(y)
            assert found.spans.sums[i].tolist() == [y.sum(), x.sum()]


def random_polygon(random, height, width):
    centre = random.random(2) * (width, height)
    angles = np.sort(random.random(random.integers(3, 40))) * 2 * np.pi
    radii = random.random(len(angles)) * random.choice([4, 15, 90]) + 1
    points = centre + radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    reach = 8 * max(height, width)
    return np.round(points, random.integers(0, 3)).clip(-reach, reach).ravel().tolist()


def test_polygons_are_what_pycocotools_draws():
    """Edges of the image, several parts, overlapping parts included."""
    random = np.random.default_rng(3)
    for _ in range(150):
        height, width = random.integers(1, 150, 2).tolist()
        assert_as_drawn([[random_polygon(random, height, width)
                          for _ in range(random.integers(1, 4))] for _ in range(8)], height, width)


coordinates = st.one_of(
    st.integers(-200, 300), st.integers(-40, 60).map(lambda v: v / 2),
    st.integers(-400, 500).map(lambda v: v / 10), st.floats(-200, 300))


@given(st.integers(1, 40), st.integers(1, 140), st.lists(
    st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=12),
    min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_any_polygon_is_what_pycocotools_draws(height, width, polygons):
    """Corners anywhere, edges crossing each other, steps that meet a fifth of a pixel exactly."""
    reach = 8 * max(height, width)
    flat = [[float(np.clip(v, -reach, reach)) for point in one for v in point]
            for one in polygons]
    assert_as_drawn([flat], height, width)


@pytest.mark.data
@pytest.mark.parametrize("folder", ["dsb2018_nuclei", "usiigaci_t98g_phase"])
def test_all_real_polygons(shared, folder):
    found = json.loads((shared(folder) / "coco.json").read_text())
    of = {}
    for one in found["annotations"]:
        if isinstance(one["segmentation"], list):
            of.setdefault(one["image_id"], []).append(one["segmentation"])
    for image in found["images"]:
        objects = of.get(image["id"], [])
        drawn = painted(find(objects, image["height"], image["width"]), image["height"],
                        image["width"])
        for mask, polygons in zip(drawn, objects):
            code = coco.merge(coco.frPyObjects(polygons, image["height"], image["width"]))
            np.testing.assert_array_equal(mask, coco.decode(code))


def test_a_polygon_moved_into_its_box_has_other_pixels():
    """Why outlines are drawn in their image; were it not so, this room could be simpler."""
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


@given(st.integers(1, 12), st.integers(1, 90), st.integers(0, 2**32), st.sampled_from([1, 3, 20]))
@settings(max_examples=150, deadline=None)
def test_any_mask_goes_through_run_lengths(height, width, seed, coarse):
    random = np.random.default_rng(seed)
    blocks = random.random((height // coarse + 1, width // coarse + 1)) < 0.5
    mask = np.kron(blocks, np.ones((coarse, coarse), bool))[:height, :width]
    packed = coco.encode(np.asfortranarray(mask, np.uint8))
    lengths = [len(run) for run in _stretches(mask.T.ravel())]
    given_as = [{"size": [height, width], "counts": packed["counts"].decode()},
                {"size": [height, width], "counts": lengths}]
    found = find(given_as, height, width)
    np.testing.assert_array_equal(painted(found, height, width), np.stack([mask, mask]))
    assert found.spans.areas.tolist() == [mask.sum()] * 2
    if mask.any():
        y, x = np.nonzero(mask)
        assert found.spans.boxes[1].tolist() == [y.min(), x.min(), y.max() + 1, x.max() + 1]
        assert found.spans.sums[1].tolist() == [y.sum(), x.sum()]


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
    made = painted(find([[], None, [[]]], 20, 30, [box] * 3), 20, 30)
    wanted = coco.decode(coco.frPyObjects(np.array([box]), 20, 30))[..., 0]
    for found in made:
        np.testing.assert_array_equal(found, wanted)


def test_crowds_are_left_out_unless_they_have_a_fault_of_their_own():
    good = [[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]]
    rle = {"size": [20, 30], "counts": [10, 590]}
    found = find([good, rle, [[1, 2]], good], 20, 30, left_out=[True, True, True, False])
    assert [bool(f) for f in found.faults] == [True, True, True, False]
    assert found.faults[0] == found.faults[1] == masks.CROWD and "3 points" in found.faults[2]
    assert found.spans.counts[:3].sum() == 0 and found.spans.areas[3] > 0


@pytest.mark.parametrize(("given_as", "box", "said"), [
    ([[1, 2, 3, 4]], None, "fewer than 3 points"),
    ([[1, 2, 3, 4, 5, 6, 7]], None, "odd number"),
    ([[1, 2, 3, None, 5, 6]], None, "no number"),
    ([[1, 2, 3, 4, 5, "x"]], None, "no number"),
    ([[1, 2, 3, 4, 5, 1e12]], None, "far outside"),
    ([[1, 2, 3, 4, 5, -241]], None, "far outside"),
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
    ({"size": [20, 30], "counts": "ooo"}, None, "do not fill"),
    ({"size": [20, 30], "counts": ""}, None, "do not fill"),
    ({"size": [20, 30], "counts": "\u00e9"}, None, "do not fill"),
    ({"size": [20, 30]}, None, "do not fill"),
])
def test_what_has_no_mask(given_as, box, said):
    good = [[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]]
    found = find([good, given_as, good], 20, 30, [None, box, None])
    assert said in found.faults[1] and found.faults[0] == found.faults[2] == ""
    first, second, third = painted(found, 20, 30)
    wanted = coco.decode(coco.frPyObjects(good, 20, 30))[..., 0]
    np.testing.assert_array_equal(first, wanted)
    np.testing.assert_array_equal(third, wanted)
    assert not second.any()


# -- numbers -----------------------------------------------------------------------------------


def read(text):
    content = text.encode()
    values, ends, parts, good = numbers.polygons(
        np.frombuffer(content, np.uint8), np.array([[0, len(content)]]))
    return [values[ends[k] : ends[k + 1]].tolist() for k in range(*parts[0])] if good[0] else None


@given(st.lists(st.lists(st.one_of(
    st.integers(-10**6, 10**6), st.floats(-1e4, 1e4), st.decimals(-10**5, 10**5, places=4)
    .map(float)), min_size=6, max_size=6), min_size=1, max_size=3), st.booleans())
@settings(max_examples=300, deadline=None)
def test_numbers_are_read_as_json_reads_them_or_not_at_all(polygons, indented):
    text = json.dumps(polygons, indent=1 if indented else None)
    longest = max(sum(c.isdigit() for c in str(v)) for one in polygons for v in one)
    found = read(text)
    assert found == polygons if found else longest > 15 or "e" in text


@pytest.mark.parametrize("text", [
    "[]", "[[]]", "[", "[[", "{}", "7", "[[1]]", "[[1,2,3,4,5]]", "[[1,2,3,4,5,6,7]]",
    "[1,2,3,4,5,6]", "[[1,2,3,4,5,6],]", "[[1,2,3,4,5,6,]]", "[[1,2,3,4,,6]]", "[[1 2,3,4,5,6]]",
    "[[1,2,3,4,5,06]]", "[[1,2,3,4,5,.6]]", "[[1,2,3,4,5,6.]]", "[[1,2,3,4,5,-]]",
    "[[1,2,3,4,5,6]", "[[1,2,3,4,5,6]]]", "[[1,2,3,4,5,6e1]]", "[[1,2,3,4,5,null]]",
    '[[1,2,3,4,5,"6"]]', "[[1,2,3,4,5,1.2345678901234567]]", "[[1,2,3,4,5,6]1]",
    "[[1,2,3,4,5,6] [1,2,3,4,5,6]]"])
def test_what_is_left_to_a_json_decoder(text):
    assert read(text) is None


def test_outlines_that_lie_apart_in_the_file(tmp_path):
    """Those of a picture may stand anywhere; then each is fetched alone."""
    parts = [b"[[1,2]]", b"x" * 500, b"[3]", b"y" * 500, b"[[4]]"]
    (tmp_path / "a.json").write_bytes(b"".join(parts))
    starts = np.cumsum([0] + [len(p) for p in parts])
    spans = np.array([(starts[k], len(parts[k])) for k in (4, 0, 2)])
    nothing = np.zeros((3, 2), np.int64)
    for some in (spans, spans[:1], nothing):
        text, moved, boxes = gather(tmp_path / "a.json", some, nothing[: len(some)])
        found = [bytes(text[a : a + n]) for a, n in moved.tolist()]
        wanted = [parts[4], parts[0], parts[2]][: len(some)] if some.any() else [b""] * 3
        assert found == wanted and not boxes[:, 1].any()
