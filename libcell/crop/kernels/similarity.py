"""Which of overlapping boxes to keep: CLANet's thinning by colour, texture and overlap.

Yang et al., arXiv:2306.16538, after selective search (Uijlings et al. 2013,
doi:10.1007/s11263-013-0620-5). Local binary patterns: Ojala et al. 2002,
doi:10.1109/TPAMI.2002.1017623.
"""

import numpy as np
from skimage.feature import local_binary_pattern

GREYS, PATTERNS = 25, 10  # bins; 8 neighbours have 10 rotation-invariant uniform patterns


def eight_bits(plane: np.ndarray) -> np.ndarray:
    """A plane (Y,X) as uint8: as it is, or the range between its percentiles 0.2 and 99.8.

    The descriptors are of grey values 0 to 255, whatever the camera's range was.
    """
    if plane.dtype == np.uint8:
        return plane
    low, high = np.percentile(plane, (0.2, 99.8))
    scaled = (plane.astype(np.float32) - low) * (255 / max(high - low, 1e-12))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def descriptors(grey: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """(n,35) float64: shares of 25 grey levels and of 10 local binary patterns in each box of a
    plane (Y,X) uint8; each of the two sums to 1."""
    levels = (grey.astype(np.int64) * GREYS // 256).astype(np.uint8)
    patterns = local_binary_pattern(grey, 8, 1.0, method="uniform").astype(np.uint8)
    found = np.zeros((len(boxes), GREYS + PATTERNS))
    for i, (y, x) in enumerate(boxes):
        span = slice(y, y + size), slice(x, x + size)
        parts = [np.bincount(plane[span].ravel(), minlength=n)
                 for plane, n in ((levels, GREYS), (patterns, PATTERNS))]
        found[i] = np.concatenate([part / part.sum() for part in parts])
    return found


def similarities(
    boxes: np.ndarray, described: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (m,2) of boxes that overlap, the first before the second, and how alike they are (m,):
    the shared part of the grey levels, of the patterns, and of the area; 0 to 3."""
    shift = np.abs(boxes[:, None] - boxes[None])
    first, second = np.nonzero(np.triu((shift < size).all(axis=2), 1))
    common = np.minimum(described[first], described[second]).sum(axis=1)
    overlap = (size - shift[first, second]).prod(axis=1)
    return np.column_stack([first, second]), common + overlap / (2 * size * size - overlap)


def thinned(pairs: np.ndarray, alike: np.ndarray, confluency: np.ndarray) -> np.ndarray:
    """Which boxes stay (n,) bool: of every pair at least as alike as the mean of all pairs the
    one of lower `confluency` (n,) goes, the later of equals, beginning with the most alike; a
    pair of which one is gone already takes no other."""
    stays = np.ones(len(confluency), bool)
    if not len(pairs):
        return stays
    least = alike.mean()
    for i in np.lexsort((pairs[:, 1], pairs[:, 0], -alike)):
        a, b = pairs[i]
        if alike[i] >= least and stays[a] and stays[b]:
            stays[a if confluency[a] < confluency[b] else b] = False
    return stays
