"""Labels of one frame to the labels of its tracks."""

import numpy as np


def relabel(
    labels: np.ndarray, old: np.ndarray, new: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Z,Y,X) uint16 with `new` (n,), below 2^16, in place of `old` (n,); others become 0.

    Also the labels of `old` that are not in the frame, and those of the frame that are not in
    `old`, both int64, ascending.
    """
    pixels = np.flatnonzero(labels)
    found, place = np.unique(labels.ravel()[pixels], return_inverse=True)
    order = np.argsort(old)
    there = found.astype(np.int64)
    values = np.zeros(len(found), np.uint16)
    _, at_found, at_old = np.intersect1d(there, old[order], True, return_indices=True)
    values[at_found] = new[order][at_old]
    made = np.zeros(labels.shape, np.uint16)
    made.ravel()[pixels] = values[place]
    return made, np.setdiff1d(old, there), np.setdiff1d(there, old)
