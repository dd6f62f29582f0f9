"""COCO's compressed run lengths, decoded as machine code."""

import numpy as np

from libcell.compiled import compiled

BITS = 5  # of a number in one character
FIRST = 48  # the character of 0; below 0 wraps to above 63
LONGEST = 7  # characters of a number: 2^35 pixels


@compiled
def lengths(code: np.ndarray) -> np.ndarray:
    """The run lengths (m,) int64 of a code (bytes); a single -1 where it is none.

    A number is little-endian characters of 5 bits, a sixth says that more follow; from the
    fourth on it is the difference to the one before the last (maskApi.c, rleFrString).
    """
    none = np.full(1, -1, np.int64)
    made, count = np.empty(len(code), np.int64), 0
    value, place = np.int64(0), 0
    for character in code:
        bits = np.int64(character) - FIRST
        if bits < 0 or bits > 63 or place == LONGEST:
            return none
        value |= (bits & 31) << (BITS * place)
        place += 1
        if bits & 32:
            continue
        if bits & 16:
            value -= np.int64(1) << (BITS * place)
        made[count] = value + (made[count - 2] if count > 2 else 0)
        count, value, place = count + 1, np.int64(0), 0
    return none if place else made[:count].copy()
