"""One plane out of a stack: maximum, sum, or the plane that is most in focus."""

from collections.abc import Iterable

import numpy as np


def project(planes: Iterable[np.ndarray], how: str, dtype: np.dtype) -> np.ndarray:
    """The `max` or `sum` of planes (Y,X), one in memory at a time; of `dtype` (see `dtype_of`)."""
    total: np.ndarray | None = None
    for plane in planes:
        values = plane.astype(dtype)
        if total is None:
            total = values
        elif how == "max":
            np.maximum(total, values, out=total)
        else:
            total += values
    assert total is not None, "a stack has at least one plane"
    return total


def dtype_of(how: str, dtype: np.dtype) -> np.dtype:
    """The dtype of a projection: the stack's own; for a sum one that holds it.

    uint8 and uint16 sum to uint32 and uint32 to uint64, signed ones likewise (a uint32 holds
    65537 planes of full uint16); floating-point numbers stay as they are.
    """
    if how != "sum" or dtype.kind not in "ui":
        return dtype
    return np.dtype(f"{dtype.kind}{4 if dtype.itemsize <= 2 else 8}")


def sharpness(plane: np.ndarray) -> float:
    """Brenner's gradient of a plane (Y,X): the sum of squared differences two pixels apart in x.

    Brenner et al., J Histochem Cytochem 1976, doi:10.1177/24.1.1254907. Sums of several bands of
    rows add up to that of the plane.
    """
    wide = plane.astype(np.float64)
    return float(np.nansum(np.square(wide[:, 2:] - wide[:, :-2])))
