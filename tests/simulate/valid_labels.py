"""What every pair of label images of the simulator must hold."""

import numpy as np
from scipy import ndimage


def assert_valid_labels(nuclei: np.ndarray, cells: np.ndarray) -> int:
    """1..N in both, each object one piece, each cell around its nucleus; returns N."""
    assert nuclei.dtype == cells.dtype == np.uint32
    n = int(nuclei.max(initial=0))
    assert set(np.unique(nuclei)) - {0} == set(np.unique(cells)) - {0} == set(range(1, n + 1))
    assert (cells[nuclei > 0] == nuclei[nuclei > 0]).all()
    for labels in (nuclei, cells):
        for i, box in enumerate(ndimage.find_objects(labels), start=1):
            assert ndimage.label(labels[box] == i)[1] == 1, i
    return n
