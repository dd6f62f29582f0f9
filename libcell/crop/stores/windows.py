"""Windows of images and labels that the crops of one shard are cut from."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from libcell.crop.kernels import patches
from libcell.crop.stores.source import Cutting
from libcell.data import labels
from libcell.data.images import Source
from libcell.data.objects import WINDOW


class Place(NamedTuple):
    """Rows `rows` (n,) of a shard, ascending, that the window `y`, `x` of one frame serves.

    `channels` are the numbers of the image's that are wanted.
    """

    number: int
    source: Source
    compartment: str
    channels: list[int]
    t: int
    rows: np.ndarray
    depth: int
    y: slice
    x: slice

    @property
    def voxels(self) -> int:
        """Of one channel."""
        return self.depth * (self.y.stop - self.y.start) * (self.x.stop - self.x.start)

    def within(self, start: int, stop: int) -> "Place":
        """The same with its rows from start to stop alone."""
        first, last = np.searchsorted(self.rows, (start, stop))
        return self._replace(rows=self.rows[first:last])


def places(
    rows: pa.Table, centres: np.ndarray, size: tuple[int, int], cutting: Cutting,
    sources: dict[str, tuple[Source, str]],
) -> Iterator[Place]:
    """The rows by image, frame and the window of 2048 px in which their centres (n,2) lie.

    Labels need not be numbered by place, and one window around all of them may be the image.
    """
    images = rows.column("Metadata_Image").combine_chunks().dictionary_encode()
    names = images.dictionary.to_pylist()
    keys = [images.indices.to_numpy(), rows.column("Metadata_T").to_numpy(),
            *(centres // WINDOW).astype(np.int64).T]
    order = np.lexsort(keys[::-1])
    change = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
    for number, some in enumerate(np.split(order, np.flatnonzero(change) + 1)):
        source, compartment = sources[names[keys[0][some[0]]]]
        about = cutting.image(source).about
        y, x = patches.window(centres[some], size, about.shape[3:])
        yield Place(number, source, compartment, cutting.numbers(about), int(keys[1][some[0]]),
                    np.sort(some), about.shape[2], y, x)


class Windows:
    """What the places show, read when it is wanted, and kept if `held`."""

    def __init__(self, cutting: Cutting, held: bool):
        self._cutting = cutting
        self._held = held
        self._kept: dict[tuple[int, int | str], np.ndarray] = {}

    def image(self, place: Place, channel: int) -> np.ndarray:
        """(Z,h,w) of one channel, native dtype."""
        return self._get(place, channel, lambda: self._cutting.image(place.source).read(
            t=place.t, c=channel, y=place.y, x=place.x))

    def labels(self, place: Place, compartment: str) -> np.ndarray:
        """(Z,h,w) uint32."""
        return self._get(place, compartment, lambda: labels.read_frame(
            place.source, compartment, place.t, place.y, place.x))

    def _get(
        self, place: Place, what: int | str, read: Callable[[], np.ndarray]
    ) -> np.ndarray:
        found = self._kept.get((place.number, what))
        if found is None:
            found = read()
            if self._held:
                self._kept[place.number, what] = found
        return found
