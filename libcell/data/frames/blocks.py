"""The parts of a zstd frame (RFC 8878, section 3.1.1), as machine code.

Only what boxes in zeros need: zeros as blocks that repeat one byte, and blocks of literals with
matches that are all of the distance used last, which costs no bit. It is 1 at first.
Every function writes to `out` behind its first `at` bytes, and returns where it came to.
"""

from typing import Any

import numpy as np

from libcell.compiled import compiled
from libcell.data.frames import entropy, huffman
from libcell.data.frames.huffman import Bits

MOST = 1 << 17  # bytes that a block stands for
SHORTEST = 3  # bytes of a match
SINGLE = 1023  # literals that go into one stream; more go into four
SET = 8  # zeros that stand where a distance is told
FEW = 64  # literals that are not worth a code
_MAGIC = 0xFD2FB528
_RAW, _REPEATED, _CODED, _CODED_AGAIN = 0, 1, 2, 3  # kinds of blocks, and of literals
_TABLED, _ONE_CODE = 0, 1  # how lengths are coded
_KNOWN = 1024  # lengths whose codes are looked up
_LL_STATE, _LL_BITS, _LL_PLACE = entropy.table(entropy.LITERALS)
_ML_STATE, _ML_BITS, _ML_PLACE = entropy.table(entropy.MATCHES)
# further bits and first length of each code
_LL_EXTRA = np.array([*(0,) * 16, 1, 1, 1, 1, 2, 2, 3, 3, 4, *range(6, 17)])
_ML_EXTRA = np.array([*(0,) * 32, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, *range(7, 17)])
_LL_FIRST = np.cumsum(1 << _LL_EXTRA) - (1 << _LL_EXTRA)
_ML_FIRST = np.cumsum(1 << _ML_EXTRA) - (1 << _ML_EXTRA) + SHORTEST
_LL_CODE = np.searchsorted(_LL_FIRST, np.arange(_KNOWN), "right") - 1
_ML_CODE = np.searchsorted(_ML_FIRST, np.arange(_KNOWN), "right") - 1


@compiled
def number(value: int, size: int, out: np.ndarray, at: int) -> int:
    """A whole number in `size` bytes, little end first."""
    for k in range(size):
        out[at + k] = (value >> (8 * k)) & 255
    return at + size


@compiled
def begin(total: int, out: np.ndarray) -> int:
    """The header of a frame of `total` bytes, all of which are its window."""
    return number(total, 8, out, number(0xE0, 1, out, number(_MAGIC, 4, out, 0)))


@compiled
def end(out: np.ndarray, at: int) -> int:
    """A last block, with nothing in it."""
    return number(1, 3, out, at)


@compiled
def zeros(count: int, out: np.ndarray, at: int) -> int:
    """Blocks that stand for `count` zeros."""
    while count > 0:
        some = min(count, MOST)
        at = number(0, 1, out, number(_REPEATED << 1 | some << 3, 3, out, at))
        count -= some
    return at


@compiled
def close_block(start: int, out: np.ndarray, at: int) -> int:
    """Give the block that begins at `start`, its header left out, that header."""
    number(_CODED << 1 | (at - start - 3) << 3, 3, out, start)
    return at


@compiled
def fits(start: int, at: int, total: int) -> bool:
    """Whether a block may be as large as the one from `start` to `at`, in a frame of `total`."""
    return at - start - 3 <= min(MOST, total)


@compiled
def literals(
    some: np.ndarray, code: np.ndarray, told: np.ndarray, again: bool, out: np.ndarray, at: int
) -> tuple[int, bool]:
    """The literals of a block, in a code that is `told` unless it was before (`again`), or as they
    are where that is no longer. Returns also whether the code has been told by now."""
    n = len(some)
    head = 3 if n <= SINGLE else 5
    stop = at + head
    if n >= FEW:
        if not again:
            out[stop : stop + len(told)] = told
            stop += len(told)
        if n <= SINGLE:
            stop = huffman.write(some, code, out, stop)
        else:
            stop = _four_streams(some, code, out, stop)
    size = stop - at - head
    if n < FEW or size >= n:
        at = number(_RAW | 3 << 2 | n << 4, 3, out, at)
        out[at : at + n] = some
        return at + n, again
    kind = _CODED_AGAIN if again else _CODED
    if n <= SINGLE:
        number(kind | n << 4 | size << 14, 3, out, at)
    else:
        number(kind | 3 << 2 | n << 4 | size << 22, 5, out, at)
    return stop, True


@compiled
def _four_streams(some: np.ndarray, code: np.ndarray, out: np.ndarray, at: int) -> int:
    part = (len(some) + 3) // 4
    sizes, at = at, at + 6
    for k in range(4):
        stop = huffman.write(some[k * part : min((k + 1) * part, len(some))], code, out, at)
        if k < 3:
            sizes = number(stop - at, 2, out, sizes)
        at = stop
    return at


@compiled
def _count(n: int, out: np.ndarray, at: int) -> int:
    """The number of sequences."""
    if n < 128:
        return number(n, 1, out, at)
    if n < 0x7F00:
        return number(n & 255, 1, out, number((n >> 8) + 128, 1, out, at))
    return number(n - 0x7F00, 2, out, number(255, 1, out, at))


@compiled
def alike(n: int, before: int, match: int, out: np.ndarray, at: int) -> int:
    """n sequences of `before` literals and a match of as many bytes each."""
    at = _count(n, out, at)
    if not n:
        return at
    ll, ml = _ll_code(before), _ml_code(match)
    at = number(_ONE_CODE << 6 | _ONE_CODE << 4 | _ONE_CODE << 2, 1, out, at)
    at = number(ml, 1, out, number(0, 1, out, number(ll, 1, out, at)))
    width = np.uint64(_LL_EXTRA[ll] + _ML_EXTRA[ml])
    one = np.uint64(before - _LL_FIRST[ll] | (match - _ML_FIRST[ml]) << _LL_EXTRA[ll])
    held: Bits = np.uint64(0)
    count: Bits = np.uint64(0)
    for _ in range(n):
        held |= one << count
        count += width
        if count >= np.uint64(32):
            at = huffman.four(held, out, at)
            held, count = held >> np.uint64(32), count - np.uint64(32)
    return huffman.close(held, count, out, at)


@compiled
def sequences(before: np.ndarray, match: np.ndarray, out: np.ndarray, at: int) -> int:
    """Sequences of `before[k]` literals and a match of `match[k]` bytes (n,)."""
    n = len(before)
    at = _count(n, out, at)
    if not n:
        return at
    at = number(_TABLED << 6 | _ONE_CODE << 4 | _TABLED << 2, 1, out, at)
    at = number(0, 1, out, at)
    held: Bits = np.uint64(0)
    count: Bits = np.uint64(0)
    ll_state, ml_state = np.int64(0), np.int64(0)
    for k in range(n - 1, -1, -1):
        ll, ml = _ll_code(before[k]), _ml_code(match[k])
        ml_state, held, count = _step(ml_state, ml, _ML_STATE, _ML_BITS, _ML_PLACE, held, count)
        ll_state, held, count = _step(ll_state, ll, _LL_STATE, _LL_BITS, _LL_PLACE, held, count)
        held |= np.uint64(before[k] - _LL_FIRST[ll]) << count
        count += np.uint64(_LL_EXTRA[ll])
        if count >= np.uint64(32):
            at = huffman.four(held, out, at)
            held, count = held >> np.uint64(32), count - np.uint64(32)
        held |= np.uint64(match[k] - _ML_FIRST[ml]) << count
        count += np.uint64(_ML_EXTRA[ml])
        if count >= np.uint64(32):
            at = huffman.four(held, out, at)
            held, count = held >> np.uint64(32), count - np.uint64(32)
    held |= np.uint64(ml_state & (entropy.STATES - 1)) << count
    count += np.uint64(entropy.LOG)
    held |= np.uint64(ll_state & (entropy.STATES - 1)) << count
    return huffman.close(held, count + np.uint64(entropy.LOG), out, at)


@compiled
def _step(
    value: Any, symbol: int, state: np.ndarray, bits: np.ndarray, place: np.ndarray, held: Bits,
    count: Bits,
) -> tuple[Any, Bits, Bits]:
    """The next state; its bits behind the `count` that are held. A state of 0 only begins."""
    if value:
        width = (value + bits[symbol]) >> 16
        held |= np.uint64(value & ((1 << width) - 1)) << count
        count += np.uint64(width)
    else:
        width = (bits[symbol] + (1 << 15)) >> 16
        value = (width << 16) - bits[symbol]
    return state[(value >> width) + place[symbol]], held, count


@compiled
def set_distance(distance: int, out: np.ndarray, at: int) -> int:
    """A block of SET zeros, which lie at least that far behind others: from here on, matches are of
    this distance."""
    start = at
    at = number(0, 1, out, number(_RAW | 3 << 2 | 1 << 4, 3, out, at + 3))
    at = _count(1, out, at)
    at = number(_ONE_CODE << 6 | _ONE_CODE << 4 | _ONE_CODE << 2, 1, out, at)
    value, code = distance + 3, 0  # values up to 3 are distances used before
    while value >> (code + 1):
        code += 1
    at = number(_ml_code(SET - 1), 1, out, number(code, 1, out, number(_ll_code(1), 1, out, at)))
    at = huffman.close(np.uint64(value - (1 << code)), np.uint64(code), out, at)
    return close_block(start, out, at)


@compiled
def _ll_code(length: int) -> int:
    if length < _KNOWN:
        return _LL_CODE[length]
    code = len(_LL_FIRST) - 1
    while _LL_FIRST[code] > length:
        code -= 1
    return code


@compiled
def _ml_code(length: int) -> int:
    if length < _KNOWN:
        return _ML_CODE[length]
    code = len(_ML_FIRST) - 1
    while _ML_FIRST[code] > length:
        code -= 1
    return code
