"""Chunks of an array along its first axis, decoded from memory-mapped shards.

zarr-python reads about a thousand scattered rows a second; here a chunk costs what its codec
does. The layout is that of `libcell.data.shards`, uncompressed or compressed with zstd or Blosc;
an array of any other layout (another program's store) is read through zarr, chunk by chunk.
"""

import functools
import mmap
import zipfile
from pathlib import Path
from typing import Protocol

import numpy as np
import zarr
from google_crc32c import value as crc32c
from numcodecs import blosc, zstd
from zarr.codecs import BloscCodec, BytesCodec, ShardingCodec, ZstdCodec

from libcell.data import remote
from libcell.data.shards import ABSENT
from libcell.errors import DataError, reading

OPEN = 64  # shards that stay mapped; each holds one file descriptor
MOST, STEP = 64, 16  # rows per chunk that are too many to be read at once, and how many then are


class Chunks(Protocol):
    """What reads `step` rows at a time."""

    step: int

    def read(self, number: int, out: np.ndarray) -> np.ndarray:
        """Rows from `number * step` on (step or, at the end, fewer; ...): `out`, filled, or where
        they lie in the file as they are."""


def open_chunks(array: zarr.Array, store: Path, step: int | None = None) -> Chunks:
    """The fastest reader for an array of the store (folder or `.zip`) at `store`.

    `step` is how many rows it must read at a time [a chunk's].
    """
    if step in (None, array.chunks[0]) and _is_ours(array) and _mappable(array, store):
        return ShardReader(array, store)
    return PlainReader(array, step)


def _is_ours(array: zarr.Array) -> bool:
    """Shards and chunks that span all axes but the first, in a codec that is known here."""
    codecs: tuple[object, ...] = getattr(array.metadata, "codecs", ())
    if len(codecs) != 1 or not isinstance(codecs[0], ShardingCodec) or array.shards is None:
        return False
    sharding = codecs[0]
    inner: tuple[object, ...] = sharding.codecs
    end = sharding.index_location.value == "end"
    little = isinstance(inner[0], BytesCodec) and (
        array.dtype.itemsize == 1 or getattr(inner[0].endian, "value", None) == "little")
    known = len(inner) == 1 or (len(inner) == 2 and isinstance(inner[1], (ZstdCodec, BloscCodec)))
    return bool(end and little and known and len(sharding.index_codecs) == 2
                and array.chunks[1:] == array.shape[1:] == array.shards[1:])


def _mappable(array: zarr.Array, store: Path) -> bool:
    if store.is_dir():
        return not remote.is_elsewhere(store)
    with reading(store, "not a readable zip"), zipfile.ZipFile(store) as archive:
        entries = archive.infolist()
    return all(e.compress_type == zipfile.ZIP_STORED for e in entries
               if e.filename.startswith(f"{array.path}/"))


class PlainReader:
    """Chunks of any zarr array."""

    def __init__(self, array: zarr.Array, step: int | None = None):
        self._array = array
        self.step = step or (array.chunks[0] if array.chunks[0] <= MOST else STEP)

    def read(self, number: int, out: np.ndarray) -> np.ndarray:
        """See `Chunks.read`."""
        start = number * self.step
        out[:] = self._array[start : start + len(out)]
        return out


class ShardReader:
    """Chunks of an array that `libcell.data.shards` wrote."""

    def __init__(self, array: zarr.Array, store: Path):
        assert array.shards
        self.step = array.chunks[0]
        self._where = f"{store}/{array.path}"
        self._files = _Folder(store) if store.is_dir() else _Zip(store)
        self._place = f"{array.path}/c/{{}}{'/0' * (array.ndim - 1)}"
        self._per_shard = array.shards[0] // array.chunks[0]
        self._fill = array.metadata.fill_value
        codecs = array.metadata.codecs[0].codecs  # type: ignore[union-attr]
        self._codec = codecs[1] if len(codecs) == 2 else None
        self._chunk = (self.step, *array.shape[1:])
        self._dtype = array.dtype
        self._shard = functools.lru_cache(maxsize=OPEN)(self._open)

    def read(self, number: int, out: np.ndarray) -> np.ndarray:
        """See `Chunks.read`; `out` must be contiguous. DataError if the shard is damaged."""
        shard, within = divmod(number, self._per_shard)
        data, index = self._shard(shard)
        start, length = (int(v) for v in index[within])
        if data is None or start == ABSENT:
            out[:] = self._fill
            return out
        if start + length > len(data):
            raise DataError(f"{self._where}: shard {shard} is damaged (a chunk lies outside it)")
        try:
            return self._decode(data[start : start + length], out)
        except (RuntimeError, ValueError, AssertionError) as error:
            raise DataError(f"{self._where}: shard {shard} is damaged ({error})") from error

    def _decode(self, packed: memoryview, out: np.ndarray) -> np.ndarray:
        """A whole chunk is decoded in place, the last of the array beside it."""
        if self._codec is None:
            return np.frombuffer(packed, self._dtype).reshape(self._chunk)[: len(out)]
        whole = out if len(out) == self.step else np.empty(self._chunk, self._dtype)
        decompress = zstd.decompress if isinstance(self._codec, ZstdCodec) else blosc.decompress
        decompress(packed, whole.view(np.uint8))
        return whole[: len(out)]

    def _open(self, shard: int) -> tuple[memoryview | None, np.ndarray]:
        """A shard's bytes and its index (chunks, 2): offset and length; no file: fill value."""
        data = self._files.map(self._place.format(shard))
        if data is None:
            return None, np.full((self._per_shard, 2), ABSENT, "<u8")
        raw = bytes(data[-(16 * self._per_shard + 4) : -4])
        if crc32c(raw) != int.from_bytes(data[-4:], "little"):
            raise DataError(f"{self._where}: the index of shard {shard} is damaged")
        return data, np.frombuffer(raw, "<u8").reshape(-1, 2)


class _Folder:
    def __init__(self, store: Path):
        self._store = store

    def map(self, name: str) -> memoryview | None:
        try:
            with (self._store / name).open("rb") as file:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except FileNotFoundError:
            return None


class _Zip:
    """Entries that are stored as they are, mapped where they lie in the archive."""

    def __init__(self, store: Path):
        with store.open("rb") as file:
            self._data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        with zipfile.ZipFile(store) as archive:
            self._entries = {e.filename: e for e in archive.infolist()}

    def map(self, name: str) -> memoryview | None:
        entry = self._entries.get(name)
        if entry is None:
            return None
        head = self._data[entry.header_offset : entry.header_offset + 30]
        names = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        start = entry.header_offset + 30 + names
        return self._data[start : start + entry.file_size]
