"""Label images that families are tested on, and how to measure all of a family."""

import numpy as np
from skimage import data, measure, morphology

from libcell.feat import families


def measured(labels, image=None, names=None):
    """Features of all families, or of `names`, as one dict."""
    index = families.ObjectIndex.of(labels)
    found = {}
    for name in names or families.names():
        found |= families.load(name).measure(labels, image, index)
    return found


def coins():
    """scikit-image's bundled coins: labels uint32 (Y,X) with gaps in the numbers, and image."""
    image = data.coins()
    mask = morphology.remove_small_objects(image > 110, max_size=20)
    return measure.label(mask).astype(np.uint32) * 3, image


def odd_shapes():
    """Objects that formulas fail on, each with its label; uint32 (40,48)."""
    labels = np.zeros((40, 48), np.uint32)
    labels[2, 2] = 1  # a pixel
    labels[2, 6:15] = 2  # lines: along x, along y, diagonal
    labels[5:14, 2] = 3
    labels[np.arange(5, 14), np.arange(6, 15)] = 4
    labels[16:25, 3:12], labels[19:22, 6:9] = 5, 0  # a ring
    labels[16:20, 16:24], labels[20:24, 16:24] = 7, 900  # two that touch
    labels[30:40, 0:9], labels[0:4, 40:48] = 11, 12  # at the rim
    labels[28, 20], labels[29, 21], labels[35, 30] = 13, 13, 13  # in parts
    labels[10:16, 30:36] = 14  # a square
    labels[20, 30:32] = 15  # two pixels
    labels[26:30, 36:46], labels[27:29, 38:44] = 20, 21  # one inside another
    return labels


def noise(shape, seed=0):
    """uint16 (Y,X) without ties."""
    values = np.random.default_rng(seed).permutation(int(np.prod(shape)))
    return (values + 100).astype(np.uint16).reshape(shape)
