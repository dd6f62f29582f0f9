"""Chunks and zips that unpack to gigabytes, arrays that claim to be."""

import gzip
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .places import HUGE, array, chunks, chunks_old, edit


def chunk_zstd_bomb(tree: Path) -> None:
    """Four megabytes of the file are thirty gigabytes of zeros."""
    for chunk in chunks(tree):
        chunk.write_bytes(zstd_zeros(30 * 2**30))
    edit(array(tree), lambda v: unsharded(v, {"name": "zstd", "configuration": {
        "level": 1, "checksum": False}}))


def raw_zeros(size: int) -> bytes:
    """About `size` zeros, deflated, in no time: one part that stands for itself, many times."""
    part = 2**24
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(9, zlib.DEFLATED, -15)
    return one * (size // part) + end.compress(bytes(size % part)) + end.flush()


def zlib_zeros(size: int) -> bytes:
    """The same with zlib's head and sum (Adler-32 of zeros)."""
    return b"\x78\xda" + raw_zeros(size) + struct.pack(">I", (size % 65521) << 16 | 1)


def zstd_zeros(size: int) -> bytes:
    """A zstd frame of `size` zeros in blocks of one repeated byte (RFC 8878)."""
    block, count = 2**17, size // 2**17
    head = b"\x28\xb5\x2f\xfd" + bytes([0b11000000]) + b"\x38" + struct.pack("<Q", size)
    one = ((block << 3) | 2).to_bytes(3, "little") + b"\0"
    last = ((block << 3) | 3).to_bytes(3, "little") + b"\0"
    return head + one * (count - 1) + last


def chunk_gzip_bomb(tree: Path) -> None:
    packed = gzip.compress(b"")[:10] + raw_zeros(HUGE) + bytes(8)  # a wrong sum at its very end
    for chunk in chunks(tree):
        chunk.write_bytes(packed)
    edit(array(tree), lambda v: unsharded(v, {"name": "gzip", "configuration": {"level": 5}}))


def chunk_zlib_bomb_old(tree: Path) -> None:
    path = sorted(tree.rglob(".zarray"))[0]
    edit(path, lambda v: v | {"compressor": {"id": "zlib", "level": 1}})
    for chunk in chunks_old(path):
        chunk.write_bytes(zlib_zeros(HUGE))


def chunk_zstd_bomb_old(tree: Path) -> None:
    path = sorted(tree.rglob(".zarray"))[0]
    edit(path, lambda v: v | {"compressor": {"id": "zstd", "level": 1}})
    for chunk in chunks_old(path):
        chunk.write_bytes(zstd_zeros(30 * 2**30))


def unsharded(value: Any, codec: dict[str, Any]) -> None:
    """The array's shards are plain chunks of another codec."""
    value["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}, codec]


def frame_zstd_bomb(tree: Path) -> None:
    """A shard of one chunk whose frame says thirty gigabytes, its index right."""
    from google_crc32c import value as crc32c

    about = json.loads(array(tree).read_text())
    sharding = about["codecs"][0]["configuration"]
    inner = np.prod([s // c for s, c in zip(about["chunk_grid"]["configuration"]["chunk_shape"],
                                           sharding["chunk_shape"])])
    packed = zstd_zeros(30 * 2**30)
    index = np.full((int(inner), 2), 2**64 - 1, "<u8")
    index[0] = 0, len(packed)
    raw = index.tobytes()
    for shard in chunks(tree):
        shard.write_bytes(packed + raw + struct.pack("<I", crc32c(raw)))


def absurd_shape(tree: Path) -> None:
    edit(array(tree), lambda v: v.update(shape=[1] * (len(v["shape"]) - 2) + [2**40, 2**40]))


def absurd_frames(tree: Path) -> None:
    edit(array(tree), lambda v: v.update(shape=[2**40, *v["shape"][1:]]))


def absurd_chunks(tree: Path) -> None:
    """One chunk of a terabyte, which is not even there."""
    def change(value: Any) -> None:
        n = len(value["shape"])
        value["shape"] = [1] * (n - 2) + [2**20, 2**20]
        if "chunk_grid" in value:
            value["chunk_grid"]["configuration"]["chunk_shape"] = value["shape"]
            unsharded(value, {"name": "zstd", "configuration": {"level": 1, "checksum": False}})
        else:
            value["chunks"] = value["shape"]

    edit(array(tree), change)


def zip_bomb(tree: Path) -> None:
    """Members of four gigabytes in four megabytes each, under the names that are read."""
    path = next(p for p in tree.iterdir() if p.is_file())
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/")]
    packed, body, central = raw_zeros(HUGE), b"", b""
    for name in map(str.encode, names):
        about = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(packed), HUGE, len(name), 0)
        central += (b"PK\x01\x02" + struct.pack("<H", 20) + about
                    + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name)
        body += b"PK\x03\x04" + about + name + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(names), len(names), len(central), len(body), 0)
    path.write_bytes(body + central + b"PK\x05\x06" + end)
