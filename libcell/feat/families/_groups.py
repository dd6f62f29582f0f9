"""Statistics of values that lie in groups, one group after the other."""

from functools import cached_property

import numpy as np


class Groups:
    """Groups of `counts` (n,) values each; a statistic of a group without values is NaN.

    Sums run over one group at a time, so that a group's result never depends on the others.
    """

    def __init__(self, counts: np.ndarray) -> None:
        self.counts = counts
        self.stops = np.cumsum(counts)
        self.starts = self.stops - counts
        self._some = counts > 0

    @cached_property
    def owner(self) -> np.ndarray:
        """Number of its group (0..n-1) for every value, int64 (p,)."""
        return self.spread(np.arange(len(self.counts)))

    def spread(self, of_group: np.ndarray) -> np.ndarray:
        """A value per group (n,) repeated for each value in it (p,)."""
        return np.repeat(of_group, self.counts)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sum of values (p,), float64 (n,)."""
        return self._reduced(np.add, values.astype(np.float64, copy=False))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Mean of values (p,), float64 (n,)."""
        return self.sum(values) / np.maximum(self.counts, 1)

    def smallest(self, values: np.ndarray) -> np.ndarray:
        """Smallest of values (p,), float64 (n,)."""
        return self._reduced(np.minimum, values)

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Largest of values (p,), float64 (n,)."""
        return self._reduced(np.maximum, values)

    def _reduced(self, function: np.ufunc, values: np.ndarray) -> np.ndarray:
        found = np.full(len(self.counts), np.nan)
        if self._some.any():
            found[self._some] = function.reduceat(values, self.starts[self._some])
        return found
