"""A field of view with its stacks projected to one plane each."""

from dataclasses import replace
from typing import Protocol

import numpy as np

from libcell.data.image import ALL, About
from libcell.extract.kernels import focus

BAND = 2048  # rows of one plane in memory while the sharpest is sought


class Field(Protocol):
    """One field of view that is read plane by plane."""

    about: About

    def read(self, t: int, c: int, rows: slice, planes: slice = ALL) -> np.ndarray:
        """(Z,Y,X) pixels of some rows."""
        ...

    def digest(self) -> list[str]:
        """Digests of the files that were read, in order."""
        ...


class Projected:
    """A field whose stacks became one plane each: `max`, `sum` or `best-focus`.

    The plane in best focus is sought for each channel and frame by itself: colours focus at
    different heights.
    """

    def __init__(self, inside: Field, how: str):
        frames, channels, self._depth, height, width = inside.about.shape
        self._inside, self._how = inside, how
        self._sharpest: dict[tuple[int, int], int] = {}
        self.about = replace(inside.about, shape=(frames, channels, 1, height, width),
                             dtype=focus.dtype_of(how, inside.about.dtype))

    def read(self, t: int, c: int, rows: slice, planes: slice = ALL) -> np.ndarray:
        """(1,Y,X) pixels of some rows."""
        if self._how == "best-focus":
            return self._plane(t, c, self._find(t, c), rows)[np.newaxis]
        stack = (self._plane(t, c, z, rows) for z in range(self._depth))
        return focus.project(stack, self._how, self.about.dtype)[np.newaxis]

    def digest(self) -> list[str]:
        """Digests of the files that were read, in order."""
        return self._inside.digest()

    def _find(self, t: int, c: int) -> int:
        """The sharpest plane of a stack, over its whole area; the lower one of two alike."""
        if (t, c) not in self._sharpest:
            scores = [sum(focus.sharpness(self._plane(t, c, z, slice(y, y + BAND)))
                          for y in range(0, self.about.shape[3], BAND))
                      for z in range(self._depth)]
            self._sharpest[t, c] = int(np.argmax(scores))
        return self._sharpest[t, c]

    def _plane(self, t: int, c: int, z: int, rows: slice) -> np.ndarray:
        found: np.ndarray = self._inside.read(t, c, rows, slice(z, z + 1))[0]
        return found
