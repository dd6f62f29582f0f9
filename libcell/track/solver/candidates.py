"""Which objects may belong together: the nearest few within a gate, and pairs of them."""

import numpy as np
from scipy.spatial import cKDTree

from libcell.compiled import compiled


def nearest(
    places: np.ndarray, centres: np.ndarray, count: int, gate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (m,) of `places` and of those of `centres` that are near, sorted by the first.

    places   (n, d) where the objects are expected
    centres  (k, d) where there are some
    count    how many for each place at most
    gate     how far away at most, in their unit
    """
    if not len(places) or not len(centres):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    ranks = np.arange(1, min(count, len(centres)) + 1)
    far, found = cKDTree(centres).query(places, k=ranks, distance_upper_bound=gate)
    near = np.isfinite(far)
    return np.nonzero(near)[0], found[near].astype(np.int64)


@compiled
def couples(
    source: np.ndarray, target: np.ndarray, places: np.ndarray, centres: np.ndarray,
    mass: np.ndarray, before: np.ndarray, gate: float, least: float, most: float,
) -> np.ndarray:
    """(m, 3) int64: a source and two of its candidates that may be its daughters.

    Their common centre is within `gate` of the source's place, and their mass together is between
    `least` and `most` times that of the source, `before`, where that is not 0.
    `source` is sorted, as `nearest` gives it.
    """
    found = np.zeros((64, 3), np.int64)
    n = 0
    for p in range(source.size):
        q = p + 1
        while q < source.size and source[q] == source[p]:
            s, i, j = source[p], target[p], target[q]
            q += 1
            both = mass[i] + mass[j]
            if before[s] > 0 and not least <= both / before[s] <= most:
                continue
            share = mass[i] / both if both > 0 else 0.5
            far = 0.0
            for d in range(places.shape[1]):
                far += (share * centres[i, d] + (1 - share) * centres[j, d] - places[s, d]) ** 2
            if far > gate * gate:
                continue
            if n == len(found):
                found = np.concatenate((found, np.zeros_like(found)))
            found[n, 0], found[n, 1], found[n, 2] = s, i, j
            n += 1
    return found[:n]
