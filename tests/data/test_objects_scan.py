"""Where the objects of a label image are, whatever their numbers, and through windows."""

import numpy as np
import pytest
from skimage.measure import regionprops

from libcell.data import objects


@pytest.mark.parametrize("factor", [1, 997, 40_000_003], ids=["dense", "sparse", "huge"])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("window", [2048, 16])
def test_areas_sums_and_boxes(monkeypatch, factor, depth, window):
    monkeypatch.setattr(objects, "WINDOW", window)
    rng = np.random.default_rng(depth)
    labels = np.zeros((depth, 50, 61), np.uint32)
    for k in rng.permutation(np.arange(1, 100)):
        y, x = rng.integers(0, (46, 57))
        labels[rng.integers(depth), y : y + 5, x : x + 4] = k * np.uint32(factor)
    found = objects.scan(lambda y, x: labels[:, y, x], labels.shape)
    props = regionprops(np.unique(labels, return_inverse=True)[1].reshape(labels.shape))
    assert found.labels.tolist() == sorted(set(labels.ravel().tolist()) - {0})
    assert found.area.tolist() == [p.num_pixels for p in props]
    assert found.sums.tolist() == [p.coords[:, 1:].sum(axis=0).tolist() for p in props]
    assert found.boxes.tolist() == [[*p.bbox[1:3], *p.bbox[4:]] for p in props]


def test_nothing_there():
    found = objects.scan(lambda y, x: np.zeros((1, 9, 9), np.uint32)[:, y, x], (1, 9, 9))
    assert found.labels.shape == (0,) and found.boxes.shape == (0, 4)
