"""Huffman codes of bytes as zstd writes them (RFC 8878, section 4.2), as machine code."""

from typing import Any

import numpy as np

from libcell.compiled import compiled
from libcell.data.frames import entropy

SYMBOLS = 256
LONGEST = 11  # bits of a code, at most
Bits = Any  # np.uint64, which counts no int
LARGEST = 127  # bytes of a description in states
PLAIN = 128  # weights, at most, that are told as they are
_WEIGHTS = entropy.table(entropy.WEIGHTS)
_STATE, _BITS, _PLACE = _WEIGHTS
_TOLD = entropy.description(entropy.WEIGHTS)
_ONE = np.uint64(1)


@compiled
def lengths(counts: np.ndarray) -> np.ndarray:
    """Bits (256,) int64 of each byte's code, 0 where it has none, for `counts` of at least two."""
    symbols = np.flatnonzero(counts)
    symbols = symbols[np.argsort(counts[symbols], kind="mergesort")]
    n = len(symbols)
    weight = np.empty(2 * n, np.int64)
    parent = np.zeros(2 * n, np.int64)
    weight[:n] = counts[symbols]
    leaf, node = 0, n
    for made in range(n, 2 * n - 1):  # leaves and nodes both stand in ascending order
        total = np.int64(0)
        for _ in range(2):
            if leaf < n and (node >= made or weight[leaf] <= weight[node]):
                chosen, leaf = leaf, leaf + 1
            else:
                chosen, node = node, node + 1
            total += weight[chosen]
            parent[chosen] = made
        weight[made] = total
    depth = np.zeros(2 * n, np.int64)
    for k in range(2 * n - 3, -1, -1):
        depth[k] = depth[parent[k]] + 1
    bits = np.zeros(SYMBOLS, np.int64)
    bits[symbols] = _limited(depth[:n])
    return bits


@compiled
def _limited(depth: np.ndarray) -> np.ndarray:
    """Depths of at most LONGEST that fill a tree exactly; `depth` descends, rare symbols first."""
    depth = np.minimum(depth, LONGEST)
    free = 1 << LONGEST
    for bits in depth:
        free -= 1 << (LONGEST - bits)
    k = 0
    while free < 0:  # what was cut off costs the rarest that are not yet as deep
        while depth[k] == LONGEST:
            k += 1
        depth[k] += 1
        free += 1 << (LONGEST - depth[k])
    while free > 0:  # what is left over helps the most frequent
        for k in range(len(depth) - 1, -1, -1):
            if free >= 1 << (LONGEST - depth[k]) and depth[k] > 1:
                free -= 1 << (LONGEST - depth[k])
                depth[k] -= 1
    return depth


@compiled
def codes(bits: np.ndarray) -> np.ndarray:
    """What is written for each byte (256,) uint64: the code, and in the low 8 bits its length."""
    longest = bits.max()
    made = np.zeros(SYMBOLS, np.uint64)
    place = 0
    for length in range(longest, 0, -1):
        for symbol in range(SYMBOLS):
            if bits[symbol] == length:
                made[symbol] = np.uint64(((place >> (longest - length)) << 8) | length)
                place += 1 << (longest - length)
    return made


@compiled
def describe(bits: np.ndarray, out: np.ndarray) -> int:
    """Write the description of a code to `out` (256,); returns its size, 0 where it is too long.

    It tells the weights of all bytes but the last, which follows from the others.
    """
    last = SYMBOLS - 1
    while not bits[last]:
        last -= 1
    weights = np.where(bits > 0, bits.max() + 1 - bits, 0)[:last]
    if last <= PLAIN:
        out[0] = 127 + last
        out[1 : 1 + last // 2 + 1] = 0
        for k in range(last):
            out[1 + k // 2] |= np.uint8(weights[k] << (0 if k & 1 else 4))
        return 1 + (last + 1) // 2
    size = _coded(weights, out)
    return size if size <= 1 + LARGEST else 0


@compiled
def _coded(weights: np.ndarray, out: np.ndarray) -> int:
    """Weights in two states that take turns, the last one first; returns the size."""
    size = 1 + len(_TOLD)
    out[1:size] = _TOLD
    states = np.zeros(2, np.int64)
    held: Bits = np.uint64(0)
    count: Bits = np.uint64(0)
    for k in range(len(weights) - 1, -1, -1):
        weight, value = weights[k], states[k & 1]
        width = (value + _BITS[weight]) >> 16
        if not value:  # a state begins in one that leads to its first symbol for nothing
            width = (_BITS[weight] + (1 << 15)) >> 16
            value = (width << 16) - _BITS[weight]
        else:
            held |= np.uint64(value & ((1 << width) - 1)) << count
            count += np.uint64(width)
        states[k & 1] = _STATE[(value >> width) + _PLACE[weight]]
        while count >= np.uint64(8):
            out[size], size = np.uint8(held & np.uint64(255)), size + 1
            held, count = held >> np.uint64(8), count - np.uint64(8)
    for k in (1, 0):
        held |= np.uint64(states[k] & (entropy.STATES - 1)) << count
        count += np.uint64(entropy.LOG)
    size = close(held, count, out, size)
    out[0] = size - 1
    return size


@compiled
def close(held: Bits, count: Bits, out: np.ndarray, size: int) -> int:
    """Write the last bits of a stream and the 1 that ends it; returns the size."""
    held |= _ONE << count
    for _ in range(int(count) // 8 + 1):
        out[size], size = np.uint8(held & np.uint64(255)), size + 1
        held >>= np.uint64(8)
    return size


@compiled
def write(literals: np.ndarray, code: np.ndarray, out: np.ndarray, size: int) -> int:
    """Write one stream behind the `size` bytes of `out`, the last byte first; returns the size."""
    held: Bits = np.uint64(0)
    count: Bits = np.uint64(0)
    low, eight = np.uint64(255), np.uint64(8)
    k = len(literals) - 1
    while k >= 2:
        for j in range(3):
            one = code[literals[k - j]]
            held |= (one >> eight) << count
            count += one & low
        k -= 3
        while count >= np.uint64(32):
            size = four(held, out, size)
            held, count = held >> np.uint64(32), count - np.uint64(32)
    while k >= 0:
        one = code[literals[k]]
        held |= (one >> eight) << count
        count += one & low
        k -= 1
    return close(held, count, out, size)


@compiled
def four(held: Bits, out: np.ndarray, size: int) -> int:
    """Write the low 32 bits; returns the size."""
    out[size] = np.uint8(held & np.uint64(255))
    out[size + 1] = np.uint8((held >> np.uint64(8)) & np.uint64(255))
    out[size + 2] = np.uint8((held >> np.uint64(16)) & np.uint64(255))
    out[size + 3] = np.uint8((held >> np.uint64(24)) & np.uint64(255))
    return size + 4
