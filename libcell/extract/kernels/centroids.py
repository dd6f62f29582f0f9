"""Where the objects of a label image are."""

import numpy as np


def centroids(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) int64, ascending, of (Z,Y,X) integers; their centroids (n,3) float64 z,y,x px.

    The sums are of integers, hence exact.
    """
    pixels = np.flatnonzero(labels)
    found, place = np.unique(labels.ravel()[pixels], return_inverse=True)
    area = np.bincount(place, minlength=len(found))
    axes = np.unravel_index(pixels, labels.shape)
    sums = [np.bincount(place, weights=a, minlength=len(found)) for a in axes]
    return found.astype(np.int64), np.column_stack(sums) / np.maximum(area, 1)[:, None]
