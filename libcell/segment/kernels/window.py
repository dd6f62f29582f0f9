"""Where a window lies in the image, and which of its sides are cuts rather than borders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Slices = tuple[slice, ...]


@dataclass(frozen=True)
class Box:
    """A block of pixels [origin, origin + shape) of an image of `full_shape`."""

    origin: tuple[int, ...]
    shape: tuple[int, ...]
    full_shape: tuple[int, ...]

    @classmethod
    def whole(cls, shape: Sequence[int]) -> "Box":
        return cls((0,) * len(shape), tuple(shape), tuple(shape))

    def cuts(self) -> list[tuple[bool, bool]]:
        """Per axis: does the image go on before the block, and after it?"""
        return [
            (o > 0, o + n < full) for o, n, full in zip(self.origin, self.shape, self.full_shape)
        ]

    def faces(self) -> Iterator[tuple[Slices, bool]]:
        """Every side of the block as slices one pixel thick, and whether it is a cut."""
        every: Slices = (slice(None),) * len(self.shape)
        for axis, (before, after) in enumerate(self.cuts()):
            yield (*every[:axis], slice(0, 1), *every[axis + 1 :]), before
            yield (*every[:axis], slice(-1, None), *every[axis + 1 :]), after

    def inner(self, margin: Sequence[int]) -> Slices:
        """The part of the block that lies `margin` pixels from every cut; borders cost nothing."""
        inner = []
        for n, m, (before, after) in zip(self.shape, margin, self.cuts()):
            start = min(m, n) if before else 0
            inner.append(slice(start, max(start, n - m if after else n)))
        return tuple(inner)

    def part(self, inside: Slices) -> "Box":
        """The block `inside` (slices with explicit ends) of this one."""
        return Box(
            tuple(o + s.start for o, s in zip(self.origin, inside)),
            tuple(s.stop - s.start for s in inside),
            self.full_shape,
        )

    def contains(self, points: np.ndarray, margin: np.ndarray) -> np.ndarray:
        """Which points (n, axes) lie at least margin (n, axes) pixels from every cut: bool (n,)."""
        fine = np.ones(len(points), bool)
        for axis, (before, after) in enumerate(self.cuts()):
            if before:
                fine &= points[:, axis] >= margin[:, axis]
            if after:
                fine &= points[:, axis] < self.shape[axis] - margin[:, axis]
        return fine


def widen(inside: Slices, margin: Sequence[int]) -> Slices:
    """The slices grown by `margin` pixels per axis, not below zero."""
    return tuple(slice(max(s.start - m, 0), s.stop + m) for s, m in zip(inside, margin))
