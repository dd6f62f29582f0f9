"""Spatial, central, normalized and Hu moments and inertia of each object's mask.

CellProfiler's advanced AreaShape features, defined as scikit-image defines them: p counts powers
of y (rows), q of x; spatial moments are around the corner of the bounding box. CellProfiler
writes NormalizedMoment_0_0, _0_1 and _1_0, too: they are undefined for every object and left out.
"""

import numpy as np

from libcell.feat.families._column import Column
from libcell.feat.families._index import ObjectIndex
from libcell.feat.families._moments import ORDERS, eigenvalues, inertia

NAME = "moments"
PER_CHANNEL = False

# CellProfiler gives rows up to the second power, and up to the third where normalized
PLAIN = [(p, q) for p in range(3) for q in range(ORDERS)]
NORMALIZED = [(p, q) for p in range(ORDERS) for q in range(ORDERS) if p + q >= 2]


def columns() -> list[Column]:
    """Every feature with its unit and meaning."""
    found = [Column(f"SpatialMoment_{p}_{q}", f"px^{p + q + 2}",
                    f"sum of y^{p} x^{q} from the box's corner") for p, q in PLAIN]
    found += [Column(f"CentralMoment_{p}_{q}", f"px^{p + q + 2}",
                     f"sum of y^{p} x^{q} from the centroid") for p, q in PLAIN]
    found += [Column(f"NormalizedMoment_{p}_{q}", "1",
                     f"CentralMoment_{p}_{q} / area^{(p + q) / 2 + 1:g}") for p, q in NORMALIZED]
    found += [Column(f"HuMoment_{k}", "1", "invariant to place, size and rotation (Hu 1962)")
              for k in range(7)]
    found += [Column(f"InertiaTensor_{i}_{j}", "px²", "variance of x, of y, minus covariance")
              for i in (0, 1) for j in (0, 1)]
    found += [Column(f"InertiaTensorEigenvalues_{i}", "px²", f"{which} eigenvalue")
              for i, which in enumerate(("larger", "smaller"))]
    return [c._replace(name=f"AreaShape_{c.name}") for c in found]


def measure(
    labels: np.ndarray, image: np.ndarray | None, index: ObjectIndex
) -> dict[str, np.ndarray]:
    """Features of every object in `labels` (Y,X); see `columns`. `image` is not looked at."""
    spatial, central = index.moments.spatial, index.moments.central
    area = central[0, 0]
    normal = {(p, q): central[p, q] / area ** ((p + q) / 2 + 1) for p, q in NORMALIZED}
    yy, xx, xy = inertia(central)
    tensor = {"0_0": xx, "0_1": -xy, "1_0": -xy, "1_1": yy}
    found = {f"SpatialMoment_{p}_{q}": spatial[p, q] for p, q in PLAIN}
    found |= {f"CentralMoment_{p}_{q}": central[p, q] for p, q in PLAIN}
    found |= {f"NormalizedMoment_{p}_{q}": v for (p, q), v in normal.items()}
    found |= {f"HuMoment_{k}": v for k, v in enumerate(_hu(normal))}
    found |= {f"InertiaTensor_{k}": v for k, v in tensor.items()}
    found |= {f"InertiaTensorEigenvalues_{k}": v
              for k, v in enumerate(eigenvalues(yy, xx, xy))}
    return {f"AreaShape_{k}": v for k, v in found.items()}


def _hu(n: dict[tuple[int, int], np.ndarray]) -> list[np.ndarray]:
    """The seven invariants of Hu (1962) in the order and signs of scikit-image."""
    difference, twice = n[2, 0] - n[0, 2], 4 * n[1, 1]
    a, b = n[3, 0] + n[1, 2], n[2, 1] + n[0, 3]
    c, d = n[3, 0] - 3 * n[1, 2], 3 * n[2, 1] - n[0, 3]
    e, f = a * (a**2 - 3 * b**2), b * (3 * a**2 - b**2)
    return [n[2, 0] + n[0, 2], difference**2 + twice * n[1, 1], c**2 + d**2, a**2 + b**2,
            c * e + d * f, difference * (a**2 - b**2) + twice * a * b, d * e - c * f]
