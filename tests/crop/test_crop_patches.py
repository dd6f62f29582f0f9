"""The cutter against one that looks at every pixel by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcell.crop.kernels import patches, planes
from libcell.crop.kernels.partners import overlaps, partners


def plain(volume, start, span, size, pad, mean):
    """One patch (H,W), pixel by pixel, through numpy's own padding."""
    first, last = np.clip(span, 0, len(volume))
    if first >= last:
        return np.zeros(size, volume.dtype)
    stack = volume[first:last].astype(float)
    flat = stack.mean(axis=0) if mean else stack.max(axis=0)
    if mean and np.issubdtype(volume.dtype, np.integer):
        flat = np.floor(flat + 0.5)
    mode = {"zero": "constant", "edge": "edge", "reflect": "reflect"}[pad]
    margin = 40
    if pad == "reflect":
        once = [min(margin, n - 1) for n in flat.shape]
        wide = np.pad(flat, [(n, n) for n in once], mode=mode)
        wide = np.pad(wide, [(margin - n, margin - n) for n in once], mode="edge")
    else:
        wide = np.pad(flat, margin, mode=mode)
    y, x = np.array(start) + margin
    return wide[y : y + size[0], x : x + size[1]].astype(volume.dtype)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_patch_is_the_plain_one(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    depth, height, width = (data.draw(st.integers(1, n)) for n in (4, 17, 19))
    size = (data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12)))
    pad, mean = data.draw(st.sampled_from(patches.PADS)), data.draw(st.booleans())
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16, np.int16, np.float32]))
    volume = rng.integers(0, 250, (depth, height, width)).astype(dtype)
    n = 5
    starts = np.column_stack([rng.integers(-12, height + 2, n), rng.integers(-12, width + 2, n)])
    first = rng.integers(-1, depth + 1, n)
    spans = np.column_stack([first, first + rng.integers(1, 4, n)])
    out, targets = np.full((n + 2, 2, *size), 99, dtype), rng.permutation(n + 2)[:n]
    volumes = [volume, volume[:, ::-1].copy()]
    patches.cut(volumes, starts, spans, pad, mean, out, targets)
    for i, target in enumerate(targets):
        for found, one in zip(out[target], volumes):
            np.testing.assert_array_equal(found, plain(one, starts[i], spans[i], size, pad, mean))
    untouched = np.setdiff1d(np.arange(n + 2), targets)
    assert (out[untouched] == 99).all()


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_mask_is_the_plain_one(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    depth, height, width = (data.draw(st.integers(1, n)) for n in (3, 17, 19))
    size = (data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12)))
    labels = rng.integers(0, 4, (depth, height, width)).astype(np.uint32)
    n = 5
    starts = np.column_stack([rng.integers(-12, height + 2, n), rng.integers(-12, width + 2, n)])
    first = rng.integers(-1, depth + 1, n)
    spans = np.column_stack([first, first + rng.integers(1, 4, n)])
    found = rng.integers(1, 6, n) if data.draw(st.booleans()) else None
    out = np.full((n, *size), True)
    patches.cut_masks(labels, starts, spans, found, out, np.arange(n))
    for i in range(n):
        wanted = labels > 0 if found is None else labels == found[i]
        np.testing.assert_array_equal(
            out[i], plain(wanted.astype(np.uint8), starts[i], spans[i], size, "zero", False) > 0)


def test_the_centre_is_rounded_half_up():
    centres = np.array([[2.5, 3.5], [2.49, -0.5]])
    assert patches.corner(centres, (4, 5)).tolist() == [[1, 2], [0, -2]]


def test_depths_and_planes_shown():
    labels = np.zeros((5, 4, 4), np.uint32)
    labels[1:4, 0, 0], labels[3, 1:3, 1], labels[4, 1, 1] = 7, 9, 9
    depth = planes.depths(np.array([7, 9]), labels)
    np.testing.assert_allclose(depth, [[2, 1, 4], [10 / 3, 3, 5]])
    assert planes.ranges(depth, "max", 0).tolist() == [[[1, 4], [3, 5]]]
    assert planes.ranges(depth, "centre", 1).tolist() == [
        [[1, 2], [2, 3]], [[2, 3], [3, 4]], [[3, 4], [4, 5]]]
    assert planes.names(["DNA"], 1) == ["DNA_z-1", "DNA_z+0", "DNA_z+1"]


@pytest.mark.parametrize("cut", [1, 3])
def test_the_partner_covers_most(cut):
    """Whatever windows the image is read in; of equals the lower label."""
    nuclei = np.array([[1, 1, 1, 2, 2, 5, 0, 9]], np.uint32)
    cells = np.array([[4, 4, 8, 8, 3, 0, 6, 2**32 - 2]], np.uint32)
    parts = [overlaps(n, c) for n, c in zip(np.array_split(nuclei, cut, 1),
                                            np.array_split(cells, cut, 1))]
    assert partners(np.array([1, 2, 5, 9]), parts).tolist() == [4, 3, 0, 2**32 - 2]
    assert partners(np.array([], int), []).tolist() == []
