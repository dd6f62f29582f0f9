"""Shards of an array along its first axis, written chunk by chunk.

zarr-python takes a whole shard in memory and spends about as long on each inner chunk as zstd
does; here a shard costs the memory of one chunk. The layout is the codec `sharding_indexed` of
https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/index.html
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from google_crc32c import value as crc32c
from numcodecs import blosc, zstd
from zarr.codecs import BloscCodec

Buffer = Any  # bytes, or an array of them
ABSENT = 2**64 - 1  # offset and length of a chunk that holds the fill value alone
LEVEL = 1
LZ4 = BloscCodec(typesize=2, cname="lz4", clevel=1, shuffle="bitshuffle", blocksize=2**18)
blosc.use_threads = False  # its threads write their blocks in the order in which they finish


def codec(dtype: np.dtype) -> BloscCodec | None:
    """What suits pixels of that type; None: zstd.

    A camera's 12 to 14 bits in 16: Blosc's bit shuffle with lz4 is smaller than zstd (0.40 beside
    0.46, 0.36 beside 0.40), 3 times as fast to write and twice to read. On 8 bits, and on masks,
    zstd is much smaller.
    """
    return LZ4 if dtype.itemsize == 2 else None


class ShardWriter:
    """One shard of `array`, whose chunks span all axes but the first.

    `add` the chunks in order; the file appears by `close`, whole or not at all. Only an array
    that `libcell.data.arrays.create` made is understood (zstd, `LZ4` or as it is, index at the end,
    fill 0).
    """

    def __init__(self, array: zarr.Array, root: Path, start: int):
        shards, chunks = array.shards, array.chunks
        assert shards and chunks[1:] == array.shape[1:], "chunks must span all further axes"
        if start % shards[0]:
            raise ValueError(f"{array.path}: row {start} is not the first of a shard")
        place = "/".join(["c", str(start // shards[0]), *("0" for _ in chunks[1:])])
        self._target = root / array.path / place
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = self._target.with_name(f".{self._target.name}.{os.getpid()}.tmp")
        self._file = self._temporary.open("wb")
        self._index = np.full((shards[0] // chunks[0], 2), ABSENT, "<u8")
        self._chunk = chunks
        self._dtype = array.dtype
        self._codec = codec(array.dtype)
        self._compress = _compressor(array)
        self._next = 0
        self._rows = min(shards[0], array.shape[0] - start)
        self._offset = 0

    def add(self, values: np.ndarray) -> None:
        """The next chunk (rows, ...); the last of an array may hold fewer rows."""
        if len(values) < self._chunk[0]:
            whole = np.zeros(self._chunk, self._dtype)
            whole[: len(values)] = values
            values = whole
        if values.shape != self._chunk or values.dtype != self._dtype:
            raise ValueError(f"chunk is {values.shape} {values.dtype}, expected {self._chunk} "
                             f"{self._dtype}")
        there = values[0].any() or values.any()
        self._append(self._compress(np.ascontiguousarray(values)) if there else b"")

    def add_frame(self, frame: Buffer) -> None:
        """The next chunk as the zstd frame (bytes) that stands for it, of an array of zstd."""
        if self._codec:
            raise ValueError(f"{self._target}: its chunks are no zstd frames")
        self._append(frame)

    def _append(self, packed: Buffer) -> None:
        if len(packed):
            self._file.write(packed)
            self._index[self._next] = self._offset, len(packed)
            self._offset += len(packed)
        self._next += 1

    def close(self) -> None:
        """Write the index and give the file its name; a shard without content is no file."""
        if self._next != -(-self._rows // self._chunk[0]):
            self.abandon()
            raise ValueError(f"{self._target}: {self._next} chunks of {self._chunk[0]} rows were "
                             f"written, the shard has {self._rows} rows; the rest would be lost")
        if self._offset:
            index = self._index.tobytes()
            self._file.write(index + crc32c(index).to_bytes(4, "little"))
            self._file.close()
            self._temporary.replace(self._target)
        else:
            self.abandon()

    def abandon(self) -> None:
        """Forget what was written."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.abandon() if kind else self.close()


def _compressor(array: zarr.Array) -> Callable[[np.ndarray], bytes]:
    if not array.compressors:
        return np.ndarray.tobytes
    if isinstance(array.compressors[0], BloscCodec):
        return lambda values: blosc.compress(values, b"lz4", LZ4.clevel, blosc.BITSHUFFLE,
                                             LZ4.blocksize)
    return lambda values: zstd.compress(values, LEVEL)
