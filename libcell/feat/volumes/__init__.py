"""Families for stacks (Z,Y,X), one file each, under the names of the families for images.

A family for volumes is a module with

    NAME          its file's name
    PER_CHANNEL   whether it looks at voxels, or at the mask alone
    columns(**settings)                     every `Column` it gives
    measure(index, image, **settings)       dict of float64 (n,), in the order of `index.labels`

where `index` is a `VoxelIndex` and `image` (Z,Y,X) of any real dtype or None. Lengths are in px
of the x axis: planes that are twice as far apart as columns count twice. Positions are in voxels.
Another package adds a family through the entry-point group `libcell.feat.volumes`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from libcell.errors import DataError
from libcell.feat import families
from libcell.feat._folder import Folder
from libcell.feat.families import Column
from libcell.feat.volumes._voxels import VoxelIndex

__all__ = ["Column", "VoxelIndex", "chosen", "features", "load", "names", "spacing"]


FOLDER = Folder(__name__, __path__)


def names() -> list[str]:
    """All families for volumes, our own first; none is imported."""
    return FOLDER.names()


def load(name: str) -> Any:
    """The module of a family for volumes."""
    return FOLDER.load(name)


def chosen(wanted: Sequence[str]) -> list[str]:
    """Those of the families `wanted`, all of them where nothing is; DataError for one that
    measures images alone."""
    flat = [n for n in wanted if n not in names()]
    if flat:
        raise DataError(f"{', '.join(flat)}: measured in images of one plane, not in stacks; "
                        f"there {', '.join(names())} are (--families)")
    return list(wanted) or names()


def spacing(pixel_size_um: tuple[float, float, float] | None) -> tuple[float, float, float]:
    """How far voxels are apart along z, y and x, in px of x; 1 where nothing is known."""
    if pixel_size_um is None:
        return (1.0, 1.0, 1.0)
    z, y, x = pixel_size_um
    return (z / x, y / x, 1.0)


class Window(NamedTuple):
    """Objects in a part of a stack that holds them whole: labels (Z,h,w) and where they lie."""

    labels: np.ndarray
    y: slice
    x: slice


def features(
    window: Window, channels: Iterable[str], read: Callable[[str, slice, slice], np.ndarray],
    wanted: Sequence[str], options: dict[str, Any], apart: tuple[float, float, float],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels (n,) and the features of a window's objects, by name without the compartment."""
    index = VoxelIndex(window.labels, apart, (0, window.y.start, window.x.start))
    found: dict[str, np.ndarray] = {}
    modules = [load(name) for name in wanted]
    for family in modules:
        if not family.PER_CHANNEL:
            found |= family.measure(index, None, **families.settings(family, options))
    per_channel = [f for f in modules if f.PER_CHANNEL]
    for channel in channels if per_channel else ():
        image = read(channel, window.y, window.x)
        for family in per_channel:
            values = family.measure(index, image, **families.settings(family, options))
            # without the compartment, whose place is before all
            found |= {families.column_name("", k, channel)[1:]: v for k, v in values.items()}
    return index.labels, found


def windows(
    read: Callable[[slice, slice], np.ndarray], shape: tuple[int, int, int], largest: int
) -> Iterator[Window]:
    """A stack (Z,Y,X) in parts of the plane, if a side is longer than `largest` px.

    An object belongs to the part that holds the middle of its bounding box; parts are widened
    until they hold their objects whole.
    """
    from libcell.data import objects

    if max(shape[1:]) <= largest:
        whole = slice(0, shape[1]), slice(0, shape[2])
        yield Window(read(*whole), *whole)
        return
    found = objects.scan(read, shape)
    if not len(found.labels):
        yield Window(np.zeros((shape[0], 0, 0), np.uint32), slice(0, 0), slice(0, 0))
    middle = (found.boxes[:, :2] + found.boxes[:, 2:]) // 2 // objects.WINDOW
    for cell in np.unique(middle, axis=0):
        own = (middle == cell).all(axis=1)
        # one voxel more, where the image goes on: its rim is no edge of an object, a part's is
        low = np.maximum(found.boxes[own, :2].min(axis=0) - 1, 0)
        high = np.minimum(found.boxes[own, 2:].max(axis=0) + 1, shape[1:])
        part = slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
        every = read(*part)
        yield Window(np.where(np.isin(every, found.labels[own]), every, 0), *part)
