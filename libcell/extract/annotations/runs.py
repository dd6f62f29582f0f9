"""Masks of objects as runs of pixels within a row, and what is painted with them."""

from dataclasses import dataclass

import numpy as np

from libcell.compiled import compiled


@dataclass(frozen=True)
class Runs:
    """Masks of n objects. Object i has runs first[i]:first[i+1] (n+1,) int64, top to bottom.

    `y`, `x`, `length` (m,) int32: a run's first pixel in the image, how many to the right.
    """

    first: np.ndarray
    y: np.ndarray
    x: np.ndarray
    length: np.ndarray

    @classmethod
    def of(cls, counts: np.ndarray, y: np.ndarray, x: np.ndarray, length: np.ndarray) -> "Runs":
        """Runs of which `counts` (n,) tell how many each object has."""
        return cls(np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]), y, x, length)

    def __len__(self) -> int:
        """How many runs there are."""
        return int(self.first[-1] - self.first[0])

    def area(self) -> int:
        """Pixels of all objects."""
        return int(self.length.sum(dtype=np.int64))

    def some(self, start: int, stop: int) -> "Runs":
        """Objects start:stop."""
        return Runs(self.first[start : stop + 1], self.y, self.x, self.length)

    def paint(self, masks: np.ndarray, corners: np.ndarray) -> None:
        """Set each object's pixels in its own `masks[i]` (H,W), whose (0,0) is image pixel
        `corners[i]` (n,2: y, x). The object must lie inside."""
        _paint(self.first, self.y, self.x, self.length, masks, corners)

    def paint_labels(self, image: np.ndarray, labels: np.ndarray) -> None:
        """Set label `labels[i]` at the pixels of object i in `image` (Y,X); later ones win."""
        _paint_labels(self.first, self.y, self.x, self.length, image, labels)


@compiled
def _paint(
    first: np.ndarray, y: np.ndarray, x: np.ndarray, length: np.ndarray, masks: np.ndarray,
    corners: np.ndarray,
) -> None:
    for i in range(len(masks)):
        for k in range(first[i], first[i + 1]):
            begin = x[k] - corners[i, 1]
            masks[i, y[k] - corners[i, 0], begin : begin + length[k]] = True


@compiled
def _paint_labels(
    first: np.ndarray, y: np.ndarray, x: np.ndarray, length: np.ndarray, image: np.ndarray,
    labels: np.ndarray,
) -> None:
    for i in range(len(labels)):
        for k in range(first[i], first[i + 1]):
            image[y[k], x[k] : x[k] + length[k]] = labels[i]
