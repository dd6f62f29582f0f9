"""What a relation may look at: one frame of one compartment, and what else there is of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from libcell.feat.families import ObjectIndex

SMALL = 2048 * 2048  # px

class Part(Protocol):
    """Objects in a window (y, x slices of the frame) that holds them whole: labels (h,w)."""

    @property
    def labels(self) -> np.ndarray: ...
    @property
    def window(self) -> tuple[slice, slice]: ...
    @property
    def index(self) -> ObjectIndex: ...


Read = Callable[[str, slice, slice], np.ndarray]


def kept(read: Read, shape: tuple[int, int]) -> Read:
    """The same reader; of a frame of up to SMALL px it keeps what it has read, because several
    relations ask for the same."""
    known: dict[tuple[str, int, int, int, int], np.ndarray] = {}
    if shape[0] * shape[1] > SMALL:
        return read

    def again(name: str, y: slice, x: slice) -> np.ndarray:
        key = (name, y.start, y.stop, x.start, x.stop)
        if key not in known:
            known[key] = read(name, y, x)
        return known[key]

    return again


@dataclass(frozen=True)
class Scene:
    """One frame of one compartment, read in the windows that a relation asks for.

    shape        (Y,X), px
    compartment  the label image whose objects are measured
    others       the further label images that are measured in the same run
    channels     names of the channels to look at
    labels       (compartment, y, x) -> integers (h,w): all objects of a window
    pixels       (channel, y, x) -> (h,w) of any real dtype
    parts        () -> the objects of the compartment, each in one part
    """

    shape: tuple[int, int]
    compartment: str
    others: tuple[str, ...]
    channels: tuple[str, ...]
    labels: Read
    pixels: Read
    parts: Callable[[], Iterable[Part]]
