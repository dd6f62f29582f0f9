"""How a frame is cut into tiles, and what each pass is handed."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from libcell.data import open as opening
from libcell.data.image import Image
from libcell.data.images import SHARD, Source
from libcell.segment.kernels.threshold import ThresholdParams

__all__ = ["SHARD", "Cut", "FrameCut", "Window", "corners", "flat", "read_window", "stacked"]


class FrameCut(Protocol):
    """One frame of a field of view and how it is cut; a method's own adds how it segments."""

    @property
    def source(self) -> Source: ...
    @property
    def t(self) -> int: ...
    @property
    def compartment(self) -> str: ...
    @property
    def tile(self) -> int: ...

    def image(self) -> Image:
        """The field of view."""
        ...


@dataclass(frozen=True)
class Cut:
    """One frame of a field of view, and how it is segmented: what every block of it shares."""

    source: Source
    t: int
    channel: str
    compartment: str
    tile: int
    params: ThresholdParams

    def image(self) -> Image:
        """The field of view."""
        return opening.image(self.source)


@dataclass(frozen=True)
class Window:
    """Pixels (Z,Y,X) of a tile with its halo, where they start in the image of `full` (Z,Y,X)
    shape, and which part of them is the tile itself."""

    pixels: np.ndarray
    origin: tuple[int, int, int]
    full: tuple[int, int, int]
    core: tuple[slice, slice, slice]


def corners(shape: tuple[int, ...], step: int) -> list[tuple[int, int]]:
    """First row and column of every tile of an image (Y,X)."""
    return [(y, x) for y in range(0, shape[0], step) for x in range(0, shape[1], step)]


def read_window(cut: Cut, y0: int, x0: int, halo: tuple[int, int]) -> Window:
    """The tile at (y0, x0) with `halo` pixels (y, x) around it, less at the image's edge."""
    image = cut.image()
    _, _, depth, height, width = image.about.shape
    rows = (max(0, y0 - halo[0]), min(height, y0 + cut.tile + halo[0]))
    columns = (max(0, x0 - halo[1]), min(width, x0 + cut.tile + halo[1]))
    pixels = image.read(t=cut.t, c=image.about.channel(cut.channel),
                        y=slice(*rows), x=slice(*columns))
    core = (slice(None),
            slice(y0 - rows[0], min(y0 + cut.tile, height) - rows[0]),
            slice(x0 - columns[0], min(x0 + cut.tile, width) - columns[0]))
    return Window(pixels, (0, rows[0], columns[0]), (depth, height, width), core)


def flat(stack: np.ndarray) -> np.ndarray:
    """(Z,Y,X) with one plane as (Y,X), which the kernels do faster."""
    return stack[0] if stack.shape[0] == 1 else stack


def stacked(plane: np.ndarray) -> np.ndarray:
    """The inverse of `flat`."""
    return plane[None] if plane.ndim == 2 else plane
