"""How much a chunk of zarr's may unpack to.

A few kilobytes of zstd or gzip can say that they are gigabytes, so both are unpacked here only as
far as the chunk goes; blosc cannot say more than 2 GiB. Importing this module makes zarr-python use
it; what is written stays the same.
"""

import zlib
from typing import Any

import numcodecs
import numpy as np
import zarr
from zarr.codecs import GzipCodec, ZstdCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer
from zarr.registry import register_codec

from libcell.errors import DataError

LARGEST = 2**30  # bytes that one chunk may be
UNTOLD = 2**28  # bytes that one of format 2 may unpack to where nobody has said how large it is
ROOM = 8  # times as large as its array's may such a chunk be before filters have seen it
MAGIC = b"\x28\xb5\x2f\xfd"
HEAD = 18  # bytes of a zstd frame that may tell its size
SIZES = (0, 2, 4, 8)  # bytes of a zstd frame's size, by its flag


class Zstd(ZstdCodec):
    """zarr's, for frames that do not say more than their chunk holds."""

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        _require_fits(_told(chunk_bytes[:HEAD].to_bytes()), chunk_spec)
        return super()._decode_sync(chunk_bytes, chunk_spec)


class Gzip(GzipCodec):
    """zarr's, but that it stops where the chunk does."""

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        plain = _unpacked(chunk_bytes.to_bytes(), _size(chunk_spec) + 1)
        _require_fits(len(plain), chunk_spec)
        return chunk_spec.prototype.buffer.from_bytes(plain)


def _told(head: bytes) -> int:
    """What a zstd frame says that it unpacks to (RFC 8878, 3.1.1); -1 where it says nothing."""
    if len(head) < 6 or not head.startswith(MAGIC):
        return -1
    flags = head[4]
    single, size = flags >> 5 & 1, SIZES[flags >> 6]
    if not size and not single:
        return -1
    at = 5 + (0 if single else 1) + SIZES[flags & 3] // 2 + (flags & 3 == 1)
    value = int.from_bytes(head[at : at + (size or 1)], "little")
    return value + 256 if size == 2 else value


def _size(spec: ArraySpec) -> int:
    return int(np.prod(spec.shape, dtype=object)) * spec.dtype.to_native_dtype().itemsize + 2**16


def _require_fits(found: int, spec: ArraySpec) -> None:
    if found > _size(spec):
        raise ValueError(f"a chunk that unpacks to {found} bytes, more than it holds")


def require_plain(array: zarr.Array, where: str) -> None:
    """DataError unless an array is of numbers, its chunks of a size that can be held."""
    if array.dtype.kind not in "buif":
        raise DataError(f"{where}: is an array of {array.dtype}, not of numbers")
    require_moderate(array, where)


def require_moderate(array: zarr.Array, where: str) -> None:
    """DataError where a chunk of an array would take too much memory."""
    chunk = int(np.prod(array.chunks, dtype=object)) * array.dtype.itemsize
    if chunk > LARGEST:
        raise DataError(f"{where}: its chunks are of {chunk} bytes; more than {LARGEST} cannot be "
                        "read at once (write it again in smaller chunks)")
    old = getattr(array.metadata, "compressor", None)
    if isinstance(old, (OldZstd, _Old)):
        old.most = ROOM * chunk + 2**16


class _Old:
    """A compressor of format 2 that stops at `most` bytes; `buf` are bytes, so is what comes back.
    """

    most: int = UNTOLD

    def decode(self, buf: Any, out: Any = None) -> Any:
        plain = _unpacked(buf, self.most)
        if out is None:
            return plain
        memoryview(out).cast("B")[: len(plain)] = plain
        return out


class OldZlib(_Old, numcodecs.Zlib):
    """numcodecs', bounded."""


class OldGzip(_Old, numcodecs.GZip):
    """numcodecs', bounded."""


class OldZstd(numcodecs.Zstd):
    """numcodecs', bounded."""

    most: int = UNTOLD

    def decode(self, buf: Any, out: Any = None) -> Any:
        told = _told(bytes(memoryview(buf)[:HEAD]))
        if told > self.most:
            raise ValueError(f"a chunk that unpacks to {told} bytes")
        return super().decode(buf, out)


def _unpacked(packed: Any, most: int) -> bytes:
    """What zlib's or gzip's data unpack to, or at least `most` bytes of it."""
    parts, rest, size = [], bytes(packed), 0
    while rest and size < most:
        packer = zlib.decompressobj(wbits=47)  # either head
        parts.append(packer.decompress(rest, most - size))
        size += len(parts[-1])
        if size < most and not packer.eof:
            raise ValueError("a chunk that is cut short")
        rest = packer.unused_data
    return b"".join(parts) if len(parts) > 1 else (parts or [b""])[0]


for _kind in (OldZstd, OldZlib, OldGzip):
    numcodecs.register_codec(_kind)
register_codec("zstd", Zstd)
register_codec("gzip", Gzip)
zarr.config.set({"codecs.zstd": f"{__name__}.Zstd", "codecs.gzip": f"{__name__}.Gzip"})
