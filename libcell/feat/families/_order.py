"""Numbers in ascending order, and the order statistics that CellProfiler takes of them."""

import numpy as np

from libcell.compiled import compiled

WHOLE = 2.0**32  # whole numbers that span less are sorted by what they exceed the smallest
FEW = 48  # numbers below which moving them one by one is faster


@compiled
def sort(values: np.ndarray, n: int, keys: np.ndarray, count: np.ndarray) -> None:
    """Sort the first n of float64 values, all of them finite, in place, in time that grows with n.

    Scratch: `keys` uint64 (2, n or more); `count` int64 (256 or more,), all 0 before and after.
    """
    if n < FEW:
        for k in range(1, n):
            value, at = values[k], k
            while at > 0 and values[at - 1] > value:
                values[at] = values[at - 1]
                at -= 1
            values[at] = value
        return
    low, high, whole = values[0], values[0], True
    for k in range(n):
        low, high = min(low, values[k]), max(high, values[k])
        whole &= values[k] == np.floor(values[k])
    if whole and high - low < min(4 * n, count.size):
        _by_count(values, n, low, count)
    elif whole and high - low < WHOLE:
        for k in range(n):
            keys[0, k] = np.uint64(values[k] - low)
        side = _by_bytes(n, keys, count)
        for k in range(n):
            values[k] = low + keys[side, k]
    else:
        _as_bits(values, n, keys, count)


@compiled
def _by_count(values: np.ndarray, n: int, low: float, count: np.ndarray) -> None:
    """Sort whole numbers that span little more than there are."""
    for k in range(n):
        count[int(values[k] - low)] += 1
    k, step = 0, 0
    while k < n:
        for _ in range(count[step]):
            values[k] = low + step
            k += 1
        count[step] = 0
        step += 1


@compiled
def _as_bits(values: np.ndarray, n: int, keys: np.ndarray, count: np.ndarray) -> None:
    """Sort any numbers by what stands for them in memory."""
    bits, top = values.view(np.uint64), np.uint64(1 << 63)
    for k in range(n):
        here = bits[k]
        keys[0, k] = ~here if here & top else here | top  # in this form they order as numbers do
    side = _by_bytes(n, keys, count)
    for k in range(n):
        here = keys[side, k]
        bits[k] = here ^ top if here & top else ~here


@compiled
def _by_bytes(n: int, keys: np.ndarray, count: np.ndarray) -> int:
    """Sort keys[0]; whether they end there or in keys[1]."""
    varies, side = np.uint64(0), 0
    for k in range(n):
        varies |= keys[0, k] ^ keys[0, 0]
    for byte in range(8):
        shift = np.uint64(8 * byte)
        if (varies >> shift) & np.uint64(255):
            _by_byte(keys[side], keys[1 - side], n, shift, count)
            side = 1 - side
    return side


@compiled
def _by_byte(
    source: np.ndarray, target: np.ndarray, n: int, shift: np.uint64, count: np.ndarray
) -> None:
    """Stable order by one byte."""
    low = np.uint64(255)
    for k in range(n):
        count[(source[k] >> shift) & low] += 1
    place = 0
    for b in range(256):
        place, count[b] = place + count[b], place
    for k in range(n):
        b = (source[k] >> shift) & low
        target[count[b]] = source[k]
        count[b] += 1
    for b in range(256):
        count[b] = 0


@compiled
def at(ordered: np.ndarray, n: int, place: float) -> float:
    """The value at a place from 0 among n in order, between neighbours in proportion."""
    low = min(int(place), n - 1)
    part = place - low if low < n - 1 else 0.0
    return ordered[low] * (1 - part) + ordered[min(low + 1, n - 1)] * part


@compiled
def deviation(ordered: np.ndarray, n: int, middle: float, place: float) -> float:
    """The same among the distances from `middle`: those of both sides are in order already."""
    low = min(int(place), n - 1)
    part = place - low if low < n - 1 else 0.0
    above = 0
    while above < n and ordered[above] < middle:
        above += 1
    below, before, here = above - 1, 0.0, 0.0
    for _ in range(min(low + 1, n - 1) + 1):
        before = here
        if below < 0 or (above < n and ordered[above] - middle <= middle - ordered[below]):
            here = ordered[above] - middle
            above += 1
        else:
            here = middle - ordered[below]
            below -= 1
    return before * (1 - part) + here * part if low < n - 1 else here
