"""The two directions in which rows differ most (Pearson 1901). Linear: distances keep a meaning."""

import numpy as np

from libcell.explain.kernels.components import components
from libcell.explain.planes import Settings

MOST = 1_000_000
WIDEST = 100_000


def place(X: np.ndarray, settings: Settings) -> np.ndarray:
    """See `libcell.explain.planes`."""
    found = components(X, 2)
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))  # of a single column: a line
