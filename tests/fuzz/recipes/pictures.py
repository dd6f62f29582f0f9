"""Pictures that unpack to gigabytes, or claim to."""

import struct
import zlib
from pathlib import Path

from .chunks import zlib_zeros
from .places import HUGE, first, target


def bomb_png(tree: Path) -> None:
    """60,000 px square and black: 4 MB, 4 GB unpacked."""
    edge = 60_000
    png(target(tree, "x.png"), edge, edge, zlib_zeros(edge * (edge + 1)))


def png_that_claims(tree: Path) -> None:
    png(target(tree, "x.png"), 46_000, 46_000, zlib.compress(b"\0" * 100))


def png_that_claims_colours(tree: Path) -> None:
    png(target(tree, "x.png"), 40_000, 40_000, zlib.compress(b"\0" * 100), kind=6)


def png(path: Path, width: int, height: int, data: bytes, kind: int = 0) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (struct.pack(">I", len(body)) + name + body
                + struct.pack(">I", zlib.crc32(name + body)))

    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data)
                     + chunk(b"IEND", b""))


def png_of_long_text(tree: Path) -> None:
    """A text beside the pixels that unpacks to a gigabyte."""
    path = target(tree, "x.png")
    png(path, 4, 4, zlib.compress(b"\0" * 20))
    body = b"k\0\0" + zlib_zeros(HUGE)
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(
        ">I", zlib.crc32(b"zTXt" + body))
    content = path.read_bytes()
    path.write_bytes(content[:33] + chunk + content[33:])


def jpeg_that_claims(tree: Path) -> None:
    path = first(tree)
    content = bytearray(path.read_bytes())
    at = content.find(b"\xff\xc0")
    content[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    path.write_bytes(content)


def bmp_that_claims(tree: Path) -> None:
    path = first(tree)
    content = bytearray(path.read_bytes())
    content[18:26] = struct.pack("<ii", 46_000, 46_000)
    path.write_bytes(content)


def tiff_that_claims(tree: Path) -> None:
    """One strip of nothing for 2^31 x 2^31 pixels."""
    tiff(target(tree, "x.tif"), 2**31 - 1, 2**31 - 1, zlib.compress(b"\0" * 1000), 8)


def tiff_that_claims_less(tree: Path) -> None:
    tiff(target(tree, "x.tif"), 60_000, 60_000, zlib.compress(b"\0" * 1000), 8)


def tiff_unpacked_that_claims(tree: Path) -> None:
    tiff(target(tree, "x.tif"), 60_000, 60_000, b"\0" * 1000, 1)


def bomb_tiff(tree: Path) -> None:
    tiff(target(tree, "x.tif"), 100, 100, zlib_zeros(HUGE), 8)


def tiff(path: Path, width: int, height: int, data: bytes, packing: int) -> None:
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, packing),
            (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height),
            (279, 4, 1, len(data))]
    body = b"".join(struct.pack("<HHII", *t) for t in tags)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data
                     + struct.pack("<H", len(tags)) + body + bytes(4))


def tiff_of_a_loop(tree: Path) -> None:
    """Its list of pages leads back to its beginning."""
    path = first(tree)
    content = bytearray(path.read_bytes())
    start = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, start)[0]
    struct.pack_into("<I", content, start + 2 + 12 * count, start)
    path.write_bytes(content)
