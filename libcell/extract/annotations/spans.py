"""Masks of all objects of a picture as runs of pixels, from polygons and from columns of pixels."""

from typing import NamedTuple

import numpy as np

from libcell.compiled import compiled
from libcell.extract.annotations import border

WORD = 64  # columns in a word of bits
_TURN = np.uint64(0x03F79D71B4CB0A89)  # each 6 bits of it in a row are another number
_PLACE = np.zeros(WORD, np.int64)
_PLACE[[(int(_TURN) << k) % 2**64 >> 58 for k in range(WORD)]] = np.arange(WORD)


class Spans(NamedTuple):
    """Masks of n objects as runs of pixels within a row, object by object, top to bottom.

    `counts` (n,): runs of each; `y`, `x`, `length` (m,) int32: the first pixel, how many to the
    right. `boxes` (n,4): y0, x0, y1, x1, ends exclusive; `areas` (n,); `sums` (n,2): of the y and
    of the x of all pixels. All but y, x, length are int64, and 0 where nothing is.
    """

    counts: np.ndarray
    y: np.ndarray
    x: np.ndarray
    length: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    sums: np.ndarray


@compiled
def draw(
    height: int, width: int, points: np.ndarray, ends: np.ndarray, polygons: np.ndarray,
    starts: np.ndarray, lengths: np.ndarray, columns: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """The fields of `Spans` for objects in an image of height x width px.

    Polygon k has `points` ends[k]:ends[k+1] (x, y, x, y, ... in px); object i has polygons
    `polygons[i]` (n,2: first, stop), or runs `columns[i]` of `starts` and `lengths`: pixels
    x * height + y, below each other. What several polygons cover counts once.
    """
    n = len(polygons)
    counts, areas = np.zeros(n, np.int64), np.zeros(n, np.int64)
    boxes, sums = np.zeros((n, 4), np.int64), np.zeros((n, 2), np.int64)
    runs, used = np.empty((256 + 96 * n, 3), np.int32), 0
    for i in range(n):
        first, stop = polygons[i]
        if stop > first:
            bits, top, left = _polygons(points, ends, first, stop, height, width)
        else:
            bits, top, left = _columns(starts, lengths, columns[i, 0], columns[i, 1], height)
        room = used + bits.shape[0] * (bits.shape[1] * WORD // 2 + 1)
        if room > len(runs):
            wider = np.empty((2 * room, 3), np.int32)
            wider[:used] = runs[:used]
            runs = wider
        before = used
        used = _runs(bits, top, left, runs, used)
        counts[i] = used - before
        _measure(runs[before:used], boxes[i], sums[i], areas[i : i + 1])
    made = runs[:used]
    return (counts, made[:, 0].copy(), made[:, 1].copy(), made[:, 2].copy(), boxes, areas, sums)


@compiled
def _polygons(
    points: np.ndarray, ends: np.ndarray, first: int, stop: int, height: int, width: int
) -> tuple[np.ndarray, int, int]:
    """The bits of some polygons together, and the pixel that their (0,0) is."""
    y0, x0, y1, x1 = border.bounds(points[ends[first] : ends[first + 1]], height, width)
    for k in range(first + 1, stop):
        a0, b0, a1, b1 = border.bounds(points[ends[k] : ends[k + 1]], height, width)
        y0, x0, y1, x1 = min(y0, a0), min(x0, b0), max(y1, a1), max(x1, b1)
    bits = np.zeros((y1 - y0, (x1 - x0 + WORD - 1) // WORD), np.uint64)
    border.cross(points[ends[first] : ends[first + 1]], bits, y0, x0, height, width)
    _fill(bits)
    for k in range(first + 1, stop):
        more = np.zeros_like(bits)
        border.cross(points[ends[k] : ends[k + 1]], more, y0, x0, height, width)
        _fill(more)
        bits |= more
    return bits, y0, x0


@compiled
def _columns(
    starts: np.ndarray, lengths: np.ndarray, first: int, stop: int, height: int
) -> tuple[np.ndarray, int, int]:
    """The bits of runs that go down columns, and over the end of one into the next."""
    x0, x1 = 0, 0
    if stop > first:
        x0, x1 = starts[first] // height, (starts[stop - 1] + lengths[stop - 1] - 1) // height + 1
    bits = np.zeros((height if stop > first else 0, (x1 - x0 + WORD - 1) // WORD), np.uint64)
    for k in range(first, stop):
        begin, end = starts[k], starts[k] + lengths[k]
        for x in range(begin // height, (end - 1) // height + 1):
            border.flip(bits, max(begin - x * height, 0), x - x0)
            border.flip(bits, min(end - x * height, height), x - x0)
    _fill(bits)
    return bits, 0, x0


@compiled
def _fill(bits: np.ndarray) -> None:
    """Crossings to insides: every bit changes those below it."""
    for row in range(1, bits.shape[0]):
        for word in range(bits.shape[1]):
            bits[row, word] ^= bits[row - 1, word]


@compiled
def _runs(bits: np.ndarray, top: int, left: int, runs: np.ndarray, used: int) -> int:
    """Write the runs of set bits behind the `used` ones; returns how many are used then."""
    one = np.uint64(1)
    for row in range(bits.shape[0]):
        begin, carry = -1, np.uint64(0)
        for word in range(bits.shape[1]):
            here = bits[row, word]
            turns = here ^ ((here << one) | carry)
            carry = here >> np.uint64(WORD - 1)
            while turns:
                lowest = turns & (~turns + one)
                turns ^= lowest
                place = word * WORD + _PLACE[(lowest * _TURN) >> np.uint64(58)]
                if begin < 0:
                    begin = place
                else:
                    runs[used] = top + row, left + begin, place - begin
                    used, begin = used + 1, -1
        if begin >= 0:
            runs[used] = top + row, left + begin, bits.shape[1] * WORD - begin
            used += 1
    return used


@compiled
def _measure(runs: np.ndarray, box: np.ndarray, total: np.ndarray, area: np.ndarray) -> None:
    """Box, sums of coordinates and area of one object's runs."""
    if not len(runs):
        return
    box[0], box[2] = runs[0, 0], runs[-1, 0] + 1
    box[1], box[3] = runs[0, 1], 0
    for k in range(len(runs)):
        y, x, length = np.int64(runs[k, 0]), np.int64(runs[k, 1]), np.int64(runs[k, 2])
        box[1], box[3] = min(box[1], x), max(box[3], x + length)
        area[0] += length
        total[0] += length * y
        total[1] += length * x + length * (length - 1) // 2
