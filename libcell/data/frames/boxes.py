"""One frame of many boxes, or of many runs of 1, in zeros."""

import numpy as np

from libcell.compiled import compiled
from libcell.data.frames import blocks, huffman

LIMIT = blocks.MOST - 4096  # bytes that one block stands for: literals alone must not fill it


@compiled
def pack_boxes(
    content: np.ndarray, places: np.ndarray, rows: np.ndarray, widths: np.ndarray, pitch: int,
    total: int, out: np.ndarray,
) -> int:
    """Write the frame of `total` bytes; returns its size, 0 where it cannot be written so.

    Box i has its first byte at `places[i]` (ascending), and rows[i] rows of widths[i] bytes,
    `pitch` apart; `content` are the rows of all boxes, one behind the other. `out` must have
    `room` for it.
    """
    counts = _histogram(content)
    copies = _can_copy(places, rows, widths, pitch)
    counts[0] += 1 if copies else rows.sum()
    counts[1] += 1
    bits = huffman.lengths(counts)
    code, told = huffman.codes(bits), np.empty(huffman.SYMBOLS, np.uint8)
    told = told[: huffman.describe(bits, told)]
    if not len(told) or widths.max() > LIMIT:
        return 0
    plain = copies and pitch - widths.max() > blocks.SHORTEST  # rows stay as they are
    spare = np.empty(0 if plain else blocks.MOST, np.uint8)
    at, done, read, again = blocks.begin(total, out), 0, 0, False
    if copies:
        done = places[0]
        at = blocks.set_distance(pitch, out, blocks.zeros(done - blocks.SET, out, at))
    for i in range(len(places)):
        most = (LIMIT - widths[i]) // pitch + 1
        for row in range(0, rows[i], most):
            n = min(most, rows[i] - row)
            place, size = places[i] + row * pitch, n * widths[i]
            at = blocks.zeros(place - done, out, at)
            start = at
            at, again = _rows(content[read : read + size], n, pitch - widths[i], copies, spare,
                              code, told, again, out, at)
            if not blocks.fits(start, at, total):
                return 0
            done, read = place + (n - 1) * pitch + widths[i], read + size
    return blocks.end(out, blocks.zeros(total - done, out, at))


@compiled
def _can_copy(places: np.ndarray, rows: np.ndarray, widths: np.ndarray, pitch: int) -> bool:
    """Whether every gap behind a row has zeros above it, a pitch before, and the first box room
    for what tells that distance."""
    if places[0] < blocks.SET + pitch:
        return False
    done = places[0]
    for i in range(len(places)):
        if i and places[i] + widths[i] - pitch < done:
            return False
        done = places[i] + (rows[i] - 1) * pitch + widths[i]
    return True


@compiled
def room(content: int, boxes: int, rows: int, total: int) -> int:
    """Bytes that a frame needs while it is written, at most."""
    return 2 * (content + 16 * rows) + 512 * (boxes + 8) + 512 * (total // LIMIT + 1)


@compiled
def _histogram(content: np.ndarray) -> np.ndarray:
    """How often each byte occurs (256,) int64; four counts, so that none waits for the last."""
    counts = np.zeros((4, huffman.SYMBOLS), np.int64)
    whole = len(content) // 4 * 4
    for k in range(0, whole, 4):
        counts[0, content[k]] += 1
        counts[1, content[k + 1]] += 1
        counts[2, content[k + 2]] += 1
        counts[3, content[k + 3]] += 1
    for k in range(whole, len(content)):
        counts[0, content[k]] += 1
    return counts.sum(axis=0)


@compiled
def _rows(
    content: np.ndarray, n: int, gap: int, copies: bool, spare: np.ndarray, code: np.ndarray,
    told: np.ndarray, again: bool, out: np.ndarray, at: int,
) -> tuple[int, bool]:
    """One block: n rows with `gap` zeros between them. A long gap is a match: a copy of the one
    above it (`copies`), or a zero and what repeats it."""
    width, start = len(content) // n, at
    long = gap > blocks.SHORTEST
    first = 0 if copies else 1
    behind = first if long else gap
    some = content
    if behind:
        some = spare[: n * (width + behind) - behind]
        for row in range(n):
            place = row * (width + behind)
            some[place : place + width] = content[row * width : (row + 1) * width]
            some[place + width : place + width + behind] = 0
    at, again = blocks.literals(some, code, told, again, out, at + 3)
    at = blocks.alike(n - 1 if long else 0, width + first, gap - first, out, at)
    return blocks.close_block(start, out, at), again


@compiled
def pack_runs(starts: np.ndarray, lengths: np.ndarray, total: int, out: np.ndarray) -> int:
    """Write the frame of `total` bytes, 1 in the runs (m,) that begin at `starts`, ascending, 0
    elsewhere; returns its size, 0 where it cannot be written so."""
    code = np.zeros(huffman.SYMBOLS, np.uint64)
    code[0], code[1] = 1, 1 << 8 | 1  # a bit for each
    told = np.array([127 + 1, 1 << 4], np.uint8)
    room = 2 * len(starts) + 1
    before, match = np.empty((2, room), np.int64)
    some = np.empty(blocks.SHORTEST * room, np.uint8)
    at, done, again, first = blocks.begin(total, out), 0, False, 0
    while first < len(starts):
        stop = first + 1
        while stop < len(starts) and starts[stop] + lengths[stop] - starts[first] <= LIMIT:
            stop += 1
        if lengths[first] > LIMIT:
            return 0
        at = blocks.zeros(starts[first] - done, out, at)
        n, count = _stretches(starts[first:stop], lengths[first:stop], some, before, match)
        start = at
        at, again = blocks.literals(some[:n], code, told, again, out, at + 3)
        at = blocks.sequences(before[:count], match[:count], out, at)
        at = blocks.close_block(start, out, at)
        if not blocks.fits(start, at, total):
            return 0
        done, first = starts[stop - 1] + lengths[stop - 1], stop
    return blocks.end(out, blocks.zeros(total - done, out, at))


@compiled
def room_for_runs(runs: int, total: int) -> int:
    """Bytes that a frame of runs needs while it is written, at most."""
    return 32 * runs + 512 * (total // LIMIT + 2)


@compiled
def _stretches(
    starts: np.ndarray, lengths: np.ndarray, some: np.ndarray, before: np.ndarray,
    match: np.ndarray,
) -> tuple[int, int]:
    """Runs and what is between them as literals and matches; returns how many there are."""
    n, count, waiting = 0, 0, 0
    for k in range(2 * len(starts) - 1):
        run = k // 2
        length = starts[run + 1] - starts[run] - lengths[run] if k & 1 else lengths[run]
        long = length > blocks.SHORTEST
        for _ in range(1 if long else length):
            some[n] = 1 - (k & 1)
            n, waiting = n + 1, waiting + 1
        if long:
            before[count], match[count] = waiting, length - 1
            count, waiting = count + 1, 0
    return n, count
