"""Tables of finite state entropy coding (FSE), as RFC 8878 sections 4.1 and 3.1.1.3.2.2 have them.

What is coded here has fixed probabilities, so the tables are made once, in Python.
"""

from typing import NamedTuple

import numpy as np

LOG = 6  # all tables here have 2^6 states
STATES = 1 << LOG
# probabilities in 64ths, -1 for less than one; the format's own for lengths
LITERALS = (4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1,
            1, 1, 1, -1, -1, -1, -1)
MATCHES = (1, 4, 3, *(2,) * 6, *(1,) * 37, *(-1,) * 7)
# of the weights 0..11 in a code of bytes: where all 255 are told, most must be small, since
# weight w takes 2^(w-1) of 2^11 places; so they always fit in 127 bytes
WEIGHTS = (6, 12, 11, 9, 7, 5, 4, 3, 2, 2, 2, 1)


class Table(NamedTuple):
    """States of an encoder. Symbol s in state v puts (v + bits[s]) >> 16 bits of v out, and goes to
    `state[(v >> those bits) + place[s]]`. All int64."""

    state: np.ndarray
    bits: np.ndarray
    place: np.ndarray


def table(shares: tuple[int, ...]) -> Table:
    """The encoder's table for symbols of these probabilities."""
    many = np.abs(shares)
    first = np.cumsum(many) - many
    order = np.argsort(_spread(shares), kind="stable")
    bits, place = np.zeros((2, len(shares)), np.int64)
    for symbol, share in enumerate(many.tolist()):
        most = LOG - (share - 1).bit_length() + 1 if share > 1 else LOG
        bits[symbol] = (most << 16) - (share << most)
        place[symbol] = first[symbol] - share
    return Table((STATES + order).astype(np.int64), bits, place)


def _spread(shares: tuple[int, ...]) -> np.ndarray:
    """The symbol of each state."""
    symbols = np.zeros(STATES, np.int64)
    rare = [s for s, share in enumerate(shares) if share < 0]
    last = STATES - len(rare)
    symbols[last:] = rare[::-1]
    place, step = 0, (STATES >> 1) + (STATES >> 3) + 3
    for symbol, share in enumerate(shares):
        for _ in range(max(share, 0)):
            symbols[place] = symbol
            place = (place + step) % STATES
            while place >= last:
                place = (place + step) % STATES
    return symbols


def description(shares: tuple[int, ...]) -> np.ndarray:
    """The bytes that tell a decoder probabilities of 1 and more."""
    value, size, left = LOG - 5, 4, STATES
    for share in shares:
        # a number below `few` takes a bit less: see RFC 8878, 4.1.1
        width = (left + 1).bit_length()
        few = (1 << width) - 1 - (left + 1)
        coded = share + 1
        short = coded < few
        if not short and coded >= 1 << (width - 1):
            coded += few
        value |= coded << size
        size += width - 1 if short else width
        left -= share
    return np.frombuffer(value.to_bytes(-(-size // 8), "little"), np.uint8)
