"""What the segmenter learns from: directions to centres, and crops that keep them true."""

import numpy as np
import pytest

from libcell.simulate import simulate_field
from libcell.train.segmentation import intensity
from libcell.train.segmentation.crops import Turn, cut, draw
from libcell.train.segmentation.directions import NEAR_STEPS, UNIT, directions
from libcell.train.segmentation.fields import Prepared


@pytest.fixture(scope="module")
def prepared():
    labels = simulate_field(6, shape=(140, 150), n_cells=14).nuclei
    ways, near = directions(labels)
    points = [np.argwhere(labels == n).mean(axis=0) for n in range(1, labels.max() + 1)]
    objects = np.array([[0, y, x, 50] for y, x in points], np.float32)
    image = (labels > 0).astype(np.float16)
    return Prepared(image[None, None], (labels > 0).astype(np.uint8)[None], ways[:, None],
                    near[None], objects)


def test_directions_have_length_one_and_lead_inwards():
    y, x = np.mgrid[:41, :41]
    labels = ((y - 20) ** 2 + (x - 20) ** 2 <= 225).astype(np.uint16) * 7
    ways, near = directions(labels)
    length = np.sqrt((ways.astype(float) ** 2).sum(axis=0))
    inside = (labels > 0) & (near > 0)
    assert np.abs(length[inside] - UNIT).max() < 1.5 and not length[labels == 0].any()
    inwards = (ways[0] * (20 - y) + ways[1] * (20 - x))[inside]
    far = np.hypot(y - 20, x - 20)[inside]
    assert (inwards / far / UNIT > 0.9).all()
    np.testing.assert_allclose(near[inside] / NEAR_STEPS, far, atol=0.2)


def test_directions_go_round_a_corner():
    """In a horseshoe the straight way to the middle of one arm leads through the gap."""
    labels = np.zeros((40, 30), np.uint8)
    labels[2:38, 2:8] = labels[2:38, 22:28] = labels[2:8, 2:28] = 1
    ways, _ = directions(labels)
    assert ways[0, 36, 4] < -UNIT * 0.8 and ways[0, 36, 25] < -UNIT * 0.8


@pytest.mark.parametrize("seed", range(3))
def test_a_turned_crop_has_turned_directions(prepared, seed):
    """Where a direction leads in the crop there is cell; the other way there often is none."""
    rng = np.random.default_rng(seed)
    crop = draw(prepared, rng, (1, 96), 1.5)
    cell, way = crop.target[0, 0].numpy(), crop.target[1:, 0].numpy()
    np.testing.assert_allclose(crop.image[0, 0].numpy().round(), cell, atol=1)
    known = crop.valid[0].numpy() > 0  # mirrored pixels have their directions as they were
    y, x = np.nonzero(known & (cell > 0) & (np.abs(way).sum(axis=0) > 0.7))
    ahead = [np.clip(np.rint(p + 2 * w[y, x]), 0, 95).astype(int) for p, w in zip((y, x), way)]
    back = [np.clip(np.rint(p - 4 * w[y, x]), 0, 95).astype(int) for p, w in zip((y, x), way)]
    assert cell[ahead[0], ahead[1]].mean() > 0.97 > 0.8 > cell[back[0], back[1]].mean()


def test_a_crop_as_it_is_is_the_field(prepared):
    crop = cut(prepared, (0, 64, 64), (1, 64), Turn.none())
    # half a pixel between the middles of an even crop and of a pixel
    whole = prepared.cell[0, 32:97, 32:97].astype(float)
    mean = (whole[:-1, :-1] + whole[1:, :-1] + whole[:-1, 1:] + whole[1:, 1:]) / 4
    np.testing.assert_allclose(crop.image[0, 0].numpy(), mean, atol=1e-3)
    assert crop.valid.all()


def test_outside_of_the_field_nothing_is_known(prepared):
    crop = cut(prepared, (0, 5, 75), (1, 64), Turn.none())
    assert not crop.valid[0, :20].any() and crop.valid[0, 30:].all()
    assert crop.image.isfinite().all()


def test_changes_of_intensity_keep_what_is_learnt(prepared):
    crop = draw(prepared, np.random.default_rng(0), (1, 64), 1.2)
    for seed in range(40):
        changed = intensity.changed(crop, np.random.default_rng(seed), 0.5)
        assert changed.image.shape == crop.image.shape and changed.image.isfinite().all()
        same = bool((changed.target == crop.target).all())
        assert same or not changed.target.any()
        again = intensity.changed(crop, np.random.default_rng(seed), 0.5)
        assert bool((again.image == changed.image).all())
