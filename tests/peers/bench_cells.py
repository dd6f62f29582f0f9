"""Cells grown from nuclei beside CellProfiler's own propagation, on real images."""

import time
from collections.abc import Iterator

import numpy as np
import tifffile
from centrosome.propagate import propagate
from skimage.filters import threshold_otsu

from libcell.segment.kernels import growing, threshold
from tests.peers.bench import Place, Row

WELLS = 6
WEIGHT = 0.05
ROUNDS = 3  # the first one compiles, and warms both


def bench_cells_grown(place: Place) -> Iterator[Row]:
    """Nuclei and GFP of wells of the translocation plate; both get the same seeds and mask."""
    ours = theirs = 0.0
    other = pixels = 0
    for path in sorted(place.data.glob("sbs_plate96/images/Channel2-*.tif"))[:WELLS]:
        nuclei = threshold.segment(tifffile.imread(path))
        cells = tifffile.imread(next(path.parent.glob(path.name.replace("nel2", "nel1"))))
        image = cells.astype(np.float32) / cells.max()
        allowed = (cells > threshold_otsu(cells) / 2) | (nuclei > 0)
        nowhere = np.zeros_like(allowed)
        for k in range(ROUNDS):
            start = time.process_time()
            found, _ = growing.spread(nuclei, image, allowed, WEIGHT, nowhere)
            middle = time.process_time()
            peer, _ = propagate(image.astype(float), nuclei.astype(np.int32), allowed, WEIGHT)
            if k:
                ours += middle - start
                theirs += time.process_time() - middle
        other += int((found != peer).sum())
        pixels += int(allowed.sum())
    how = f"{WELLS} wells of 640 x 640 px, {pixels} px of cells"
    yield Row("cells grown along an image beside CellProfiler's propagation", ours / theirs, 1.0,
              "times its time", f"{how}; CPU time")
    yield Row("pixels of such cells that go to another nucleus than CellProfiler's",
              other / pixels, 0.001, "of all", f"{how}; what is left are ties")
