"""What may have happened to objects, each with what it saves over leaving the ends loose."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from libcell.errors import DataError

NONE = -1


@dataclass(frozen=True)
class Hypotheses:
    """Links and divisions, one row each; objects are numbered over the whole movie, in time order.

    source  (n,) int64: the earlier object; it serves one hypothesis at most
    target  (n, 2) int64: the later ones, the second -1 unless it is a division; each of them is
            the target of one hypothesis at most
    gain    (n,) float64: what taking it saves of the cost of loose ends
    second  (n,) int64: another earlier object that becomes the same later one, -1 unless two
            merge; None where none do
    """

    source: np.ndarray
    target: np.ndarray
    gain: np.ndarray
    second: np.ndarray | None = None

    def __post_init__(self) -> None:
        n = self.source.size
        if self.target.shape != (n, 2) or self.gain.shape != (n,):
            raise DataError(f"hypotheses: {n} sources, targets {self.target.shape}, gains "
                            f"{self.gain.shape}; expected (n,), (n, 2), (n,)")
        if (self.division & self.merge).any():
            raise DataError("hypotheses: two objects merge and divide at once")
        if n and (self.source >= self.target[:, 0]).any():
            raise DataError("hypotheses: a target is not after its source")

    def __len__(self) -> int:
        return int(self.source.size)

    @property
    def division(self) -> np.ndarray:
        """(n,) bool."""
        return np.asarray(self.target[:, 1] != NONE)

    @property
    def others(self) -> np.ndarray:
        """(n,) int64: `second`, -1 throughout where none merge."""
        return np.full(len(self), NONE) if self.second is None else self.second

    @property
    def merge(self) -> np.ndarray:
        """(n,) bool."""
        return np.asarray(self.others != NONE)

    def take(self, rows: np.ndarray) -> "Hypotheses":
        """Those of some row numbers or of a mask."""
        second = None if self.second is None else self.second[rows]
        return Hypotheses(self.source[rows], self.target[rows], self.gain[rows], second)


def links(source: np.ndarray, target: np.ndarray, gain: np.ndarray) -> Hypotheses:
    """Hypotheses of one target each."""
    both = np.stack([target, np.full(target.size, NONE)], axis=1).astype(np.int64)
    return Hypotheses(source.astype(np.int64), both, gain.astype(np.float64))


def join(parts: Iterable[Hypotheses]) -> Hypotheses:
    """All of them, in order."""
    found = [EMPTY, *parts]
    merging = any(p.second is not None for p in found)
    return Hypotheses(np.concatenate([p.source for p in found]),
                      np.concatenate([p.target for p in found]),
                      np.concatenate([p.gain for p in found]),
                      np.concatenate([p.others for p in found]) if merging else None)


EMPTY = Hypotheses(np.zeros(0, np.int64), np.zeros((0, 2), np.int64), np.zeros(0))
