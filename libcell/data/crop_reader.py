"""Crops in batches, fast: what training and prediction read a crop store with.

    reader = CropReader(path, region="nucleocentric", size=(60, 60), rows=rows_of_the_split)
    for crops, masks, rows in reader.shuffled(256, seed=0, epoch=3, start=already_seen):
        ...  # crops (n,C,H,W) in the store's dtype, masks (n,H,W) bool, rows (n,) int64

A region is a view of the one store: which pixels around an object are given out, and what
`masks` shows. Resizing, normalising and augmenting are the reader's who gets the batch.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sys import getrefcount
from threading import Lock
from typing import NamedTuple

import numpy as np

from libcell.data import crop_order, crops
from libcell.data.crop_order import Order
from libcell.data.crop_view import place
from libcell.data.crops import CropStore
from libcell.data.shard_reader import Chunks, open_chunks
from libcell.errors import DataError

REGIONS = ("patch", "object", "nucleus", "cell", "cytoplasm", "nucleocentric")
COMPARTMENTS = {"nucleus": "nuclei", "cell": "cells", "cytoplasm": "cytoplasm",
                "nucleocentric": "nuclei"}
UNMASKED = ("patch", "nucleocentric")
POOL_BYTES = 160 * 2**20
SPARE = 8  # arrays that are kept to be used again


class Batch(NamedTuple):
    """crops (n,C,H,W) native dtype, masks (n,H,W) bool, rows (n,) int64 in the store."""

    crops: np.ndarray
    masks: np.ndarray
    rows: np.ndarray

    def part(self, start: int, stop: int | None) -> "Batch":
        """Items start:stop, views of these arrays."""
        return Batch(*(array[start:stop] for array in self))


class CropReader:
    """Batches of a crop store, or of chosen `rows` of it.

    `region` is `patch` (all pixels), `object` (0 outside the object that the store was cut
    around), `nucleus`, `cell`, `cytoplasm` (0 outside that compartment), `nucleocentric` (all
    pixels around a nucleus), or a compartment's name. `masks` of a batch are those of the
    region's compartment. `size` (height, width) cuts the patches' middle out; `channels` are
    names, in the order wanted. DataError for what the store does not hold.

    Arrays of a batch are the caller's for as long as it keeps them (a batch keeps the pool that
    it is part of); what it has let go of is used again, which spares the system the work of
    handing out fresh memory.
    """

    def __init__(
        self, path: Path, region: str = "patch", *, size: tuple[int, int] | None = None,
        channels: tuple[str, ...] = (), rows: np.ndarray | None = None,
    ):
        self.store = store = crops.open_crops(path)
        self.rows = np.arange(store.n) if rows is None else np.asarray(rows, np.int64)
        if len(self.rows) and not 0 <= self.rows.min() <= self.rows.max() < store.n:
            raise DataError(f"{path}: holds crops 0 to {store.n - 1}; row "
                            f"{self.rows.max()} is asked for")
        self.channels = channels or store.channels
        self._picked = np.array([_channel(store, c) for c in self.channels])
        self.size_px = size or store.size_px
        self._corner = _corner(store, self.size_px)
        self.dtype = store.crops.dtype
        self._masked = region not in UNMASKED
        compartment = _compartment(store, region)
        self._crops = open_chunks(store.crops, path)
        self._masks = open_chunks(store.mask_array(compartment), path, self._crops.step)
        self._spare: list[np.ndarray] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self.rows)

    def in_order(self, batch: int, *, start: int = 0, ahead: bool = False) -> Iterator[Batch]:
        """Batches of `batch` rows in the order of `rows`, from the item `start` on."""
        return self._batches(crop_order.in_order(self.rows, batch), batch, start, ahead)

    def shuffled(
        self, batch: int, *, seed: int, epoch: int, start: int = 0, ahead: bool = False
    ) -> Iterator[Batch]:
        """Every row once, in the order that `seed` and `epoch` decide (`crop_order.shuffled`).

        The last batch may be smaller. `start` leaves out that many items, at the cost of reading
        one pool, not all of them. `ahead` decodes the next pool in a thread while this one is
        used.
        """
        order = crop_order.shuffled(self.rows, seed, epoch, self._pool())
        return self._batches(order, batch, start, ahead)

    def _pool(self) -> int:
        """Rows of a pool: 2048, or what 160 MiB hold of the store's."""
        one = max(1, self.store.crops.nbytes // max(1, self.store.n))
        return int(min(crop_order.POOL, max(crop_order.BLOCK, POOL_BYTES // one)))

    def _batches(self, order: Order, batch: int, start: int, ahead: bool) -> Iterator[Batch]:
        """Batches are slices of pools, joined where one ends in the middle."""
        left: list[Batch] = []
        for pool in self._pools(order, start, ahead):
            missing = batch - sum(len(part.rows) for part in left)
            first = pool.part(0, missing)
            if len(first.rows) < missing:
                left.append(first)
                continue
            yield self._joined([*left, first])
            whole = missing + (len(pool.rows) - missing) // batch * batch
            for at in range(missing, whole, batch):
                yield pool.part(at, at + batch)
            left = [pool.part(whole, None)] if whole < len(pool.rows) else []
            del first, pool
        if left:
            yield self._joined(left)

    def _pools(self, order: Order, start: int, ahead: bool) -> Iterator[Batch]:
        """The pools from item `start` on, each in the order in which its rows are wanted."""
        number = max(0, int(np.searchsorted(order.starts, start, "right")) - 1)
        spans = [(max(int(a), start), int(b))
                 for a, b in zip(order.starts[number:-1], order.starts[number + 1 :])]
        chunk = _Chunk(self._crops, self._masks, self.store)
        most = int(np.diff(order.starts).max(initial=0))

        def load(i: int) -> Batch:
            return self._load(order.rows[slice(*spans[i])], chunk, most)

        return _ahead(load, len(spans)) if ahead else map(load, range(len(spans)))

    def _load(self, rows: np.ndarray, chunk: "_Chunk", most: int) -> Batch:
        """Crops and masks of `rows` in their order; every chunk is decoded once.

        `most` is how many rows another pool may have, for which the same room will do.
        """
        pool = self._room(len(rows), most)
        pool.rows[:] = rows
        targets = np.argsort(rows, kind="stable")
        numbers, first = np.unique(rows[targets] // chunk.step, return_index=True)
        for number, a, b in zip(numbers.tolist(), first, [*first[1:], len(rows)]):
            some = targets[a:b]
            crops, masks = chunk.read(number)
            place(crops, masks, rows[some] - number * chunk.step, some, self._picked,
                  *self._corner, self._masked, pool.crops, pool.masks)
        return pool

    def _joined(self, parts: list[Batch]) -> Batch:
        if len(parts) == 1:
            return parts[0]
        count = sum(len(part.rows) for part in parts)
        made = self._room(count, count)
        for array, pieces in zip(made, zip(*parts)):
            np.concatenate(pieces, out=array)
        return made

    def _room(self, n: int, most: int) -> Batch:
        """A batch of `n` to be filled, in arrays that have room for `most`."""
        most += -most % crop_order.BLOCK
        crops = self._array((most, len(self._picked), *self.size_px), self.dtype)
        masks = self._array((most, *self.size_px), np.dtype(bool))
        return Batch(crops[:n], masks[:n], np.empty(n, np.int64))

    def _array(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array that nobody else holds, where there is one, else a new one.

        Whoever keeps a batch, or a view or a tensor of it, keeps a reference to its array.
        """
        with self._lock:  # two threads must not both find that nobody holds it
            for i in range(len(self._spare)):
                if _fits(self._spare[i], shape, dtype) and _holders(self._spare, i) == UNUSED:
                    return self._spare[i]
            made = np.empty(shape, dtype)
            self._spare = [*self._spare[-(SPARE - 1) :], made]
            return made


def _fits(array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> bool:
    return array.dtype == dtype and array.shape[1:] == shape[1:] and len(array) >= shape[0]


def _holders(arrays: list[np.ndarray], i: int) -> int:
    return getrefcount(arrays[i])


UNUSED = _holders([np.empty(0)], 0)  # the list's own and the call's; Python versions differ


class _Chunk:
    """The chunk that was decoded last: batches in order share the one at their border."""

    def __init__(self, crops: Chunks, masks: Chunks, store: CropStore):
        self.step = crops.step
        self._readers = crops, masks
        self._rows = store.n
        self._room = tuple(np.empty((self.step, *a.shape[1:]), a.dtype)
                           for a in (store.crops, store.masks))
        self._number, self._held = -1, self._room

    def read(self, number: int) -> tuple[np.ndarray, ...]:
        """Crops (step,C,H,W) and masks (step,H,W) of a chunk; the store's last one is shorter."""
        if number != self._number:
            self._number = -1
            there = self._rows - number * self.step
            self._held = tuple(reader.read(number, array[:there])
                               for reader, array in zip(self._readers, self._room))
            self._number = number
        return self._held


def _ahead(load: Callable[[int], Batch], n: int) -> Iterator[Batch]:
    """`load(0..n-1)` in order, the next under way while one is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(load, 0) if n else None
        for i in range(n):
            assert coming
            ready = coming.result()
            coming = thread.submit(load, i + 1) if i + 1 < n else None
            yield ready


def _channel(store: CropStore, name: str) -> int:
    if name not in store.channels:
        raise DataError(f"{store.path}: channel {name!r} not found; it has "
                        f"{', '.join(store.channels)}")
    return store.channels.index(name)


def _corner(store: CropStore, size: tuple[int, int]) -> tuple[int, int]:
    """First row and column of the middle of `size`; the centre pixel stays the centre pixel."""
    if any(s > have for s, have in zip(size, store.size_px)):
        raise DataError(f"{store.path}: crops are {' x '.join(map(str, store.size_px))} px; "
                        f"{' x '.join(map(str, size))} cannot be cut out of them")
    y, x = (have // 2 - s // 2 for s, have in zip(size, store.size_px))
    return y, x


def _compartment(store: CropStore, region: str) -> str:
    """The compartment whose masks a region shows; DataError if the store has none of it."""
    centre = store.compartments[0]
    if region in ("patch", "object"):
        return centre
    wanted = COMPARTMENTS.get(region, region)
    if wanted not in store.compartments or (region == "nucleocentric" and wanted != centre):
        held = ", ".join(store.compartments)
        what = "is centred on" if region == "nucleocentric" else "holds masks of"
        raise DataError(f"{store.path}: {what} {held}; region {region!r} needs {wanted!r} (regions "
                        f"without a compartment of their own: patch, object)")
    return wanted
