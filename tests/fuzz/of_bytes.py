"""Bytes that are flipped, cut, moved and swapped, whatever they mean."""

import random
import struct

from tests.fuzz.values import INTEGERS

EDGE = 600  # bytes at either end, where most formats keep what they say of themselves


def mutate(content: bytes, rng: random.Random, other: bytes = b"") -> tuple[bytes, str]:
    """The content with one thing done to it, and what that was; `other` may be spliced in."""
    if not content:
        return rng.randbytes(rng.choice((1, 8, 100))), "filled"
    kind = rng.choice((_flip, _flip, _number, _number, _number, _cut, _middle, _insert, _double,
                       _swap, _zero, _random))
    if other and rng.random() < 0.08:
        at, from_ = _place(content, rng), _place(other, rng)
        return content[:at] + other[from_:], f"spliced at {at}"
    return kind(bytearray(content), rng)


def _place(content: bytes, rng: random.Random) -> int:
    """Somewhere; mostly near the ends."""
    size, kind = len(content), rng.random()
    if kind < 0.45:
        return rng.randrange(min(size, EDGE))
    if kind < 0.65:
        return size - 1 - rng.randrange(min(size, EDGE))
    return rng.randrange(size)


def _flip(content: bytearray, rng: random.Random) -> tuple[bytes, str]:
    places = [_place(content, rng) for _ in range(rng.choice((1, 1, 1, 2, 8)))]
    for at in places:
        content[at] ^= 1 << rng.randrange(8)
    return bytes(content), f"bits flipped at {places}"


def _random(content: bytearray, rng: random.Random) -> tuple[bytes, str]:
    at = _place(content, rng)
    many = rng.choice((1, 2, 4, 16, 64))
    content[at : at + many] = rng.randbytes(len(content[at : at + many]))
    return bytes(content), f"{many} random bytes at {at}"


def _number(content: bytearray, rng: random.Random) -> tuple[bytes, str]:
    width, order = rng.choice("BHIIQd"), rng.choice("<<<>")
    size = struct.calcsize(width)
    at = min(_place(content, rng), max(len(content) - size, 0))
    at -= at % rng.choice((1, min(size, 4)))
    value = rng.choice(INTEGERS)
    packed = (struct.pack(f"{order}d", float(value)) if width == "d"
              else (value % (1 << (8 * size))).to_bytes(size, "little" if order == "<" else "big"))
    content[at : at + size] = packed
    return bytes(content), f"{value} as {order}{width} at {at}"


def _cut(content: bytearray, rng: random.Random) -> tuple[bytes, str]:
    at = rng.choice((0, len(content) // 2, len(content) - 1, _place(content, rng)))
    return bytes(content[:at]), f"cut at {at}"


def _middle(content: bytearray, rng: random.Random) -> tuple[bytes, str]:
    at, many = _place(content, rng), rng.choice((1, 4, 16, 100, 1000))
    del content[at : at + many]
    return bytes(content), f"{many} bytes cut out at {at}"


def _insert(content: bytearray, rng: random.Random) -> tuple[bytes, str]:
    at, many = _place(content, rng), rng.choice((1, 4, 16, 100, 1000))
    content[at:at] = rng.choice((bytes(many), b"\xff" * many, rng.randbytes(many)))
    return bytes(content), f"{many} bytes inserted at {at}"


def _double(content: bytearray, rng: random.Random) -> tuple[bytes, str]:
    at, many = _place(content, rng), rng.choice((4, 16, 100, 1000))
    content[at:at] = content[at : at + many]
    return bytes(content), f"{many} bytes doubled at {at}"


def _swap(content: bytearray, rng: random.Random) -> tuple[bytes, str]:
    many = rng.choice((1, 4, 16, 100))
    a, b = sorted((_place(content, rng), _place(content, rng)))
    first, second = content[a : a + many], content[b : b + many]
    if a + many <= b and len(second) == many:
        content[a : a + many], content[b : b + many] = second, first
    return bytes(content), f"{many} bytes swapped, {a} and {b}"


def _zero(content: bytearray, rng: random.Random) -> tuple[bytes, str]:
    at, many = _place(content, rng), rng.choice((1, 4, 16, 100, 1000))
    content[at : at + many] = bytes(len(content[at : at + many]))
    return bytes(content), f"{many} bytes zeroed at {at}"
