"""Scenes that relations are tested on: one window with everything, or many small ones."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import tifffile
from skimage import data, measure, morphology

from libcell.feat import relations
from libcell.feat.measure import Frame

ALL = slice(0, None)


def scene_of(labels, images, others=None, cuts=None):
    """A Scene of labels (Y,X), {channel: (Y,X)} and {compartment: (Y,X)}.

    `cuts` (y) cut it into parts between which no object may lie.
    """
    every = {"nuclei": labels, **(others or {})}
    edges = [0, *(cuts or ()), labels.shape[0]]
    parts = [Frame(labels[a:b], (a, 0), (slice(a, b), slice(0, labels.shape[1])))
             for a, b in pairwise(edges)]
    return relations.Scene(labels.shape, "nuclei", tuple(others or ()), tuple(images),
                           lambda name, y, x: every[name][y, x],
                           lambda name, y, x: images[name][y, x], lambda: parts)


def found(name, *given, **more):
    """What one relation makes of a scene."""
    return relations.load(name).measure(scene_of(*given, **more))


def coins():
    """scikit-image's coins, and a second channel that goes partly with the first."""
    first = data.coins()
    labels = measure.label(morphology.remove_small_objects(first > 110, max_size=20))
    noise = np.random.default_rng(0).integers(0, 90, first.shape)
    return labels.astype(np.uint32) * 3, {"DNA": first, "RNA": (first // 2 + noise).astype("u1")}


def nuclei(shared):
    """Part of a real field: 3 channels of uint16 and some hundred nuclei."""
    folder = Path(shared("fractal_omezarr"))
    image = tifffile.imread(folder / "B03_mip_level1_czyx_squeezed_cyx.tif")[:, :300, :360]
    labels = tifffile.imread(folder / "B03_nuclei_labels_level1.tif")[:300, :360]
    return labels.astype(np.uint32), dict(zip(("DNA", "RNA", "Lamin"), image))
