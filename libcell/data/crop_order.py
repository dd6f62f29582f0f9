"""In which order crops are read: as they lie, or shuffled by blocks."""

from typing import NamedTuple

import numpy as np

BLOCK = 64  # neighbouring rows that are read together
POOL = 2048  # rows that are mixed with each other


class Order(NamedTuple):
    """`rows` (n,) int64 in the order in which they are given out, and where each pool begins.

    Pool i holds rows `starts[i]:starts[i + 1]` (`starts` ends in n); what lies within a pool is
    decoded at once.
    """

    rows: np.ndarray
    starts: np.ndarray


def in_order(rows: np.ndarray, pool: int) -> Order:
    """The `rows` (n,) as they are given, in pools of `pool`."""
    return Order(rows, np.append(np.arange(0, len(rows), pool), len(rows)))


def shuffled(rows: np.ndarray, seed: int, epoch: int, pool: int = POOL) -> Order:
    """The `rows` (n,) in an order that seed and epoch decide, whatever order they came in.

    The store's blocks of 64 rows are shuffled, then dealt into pools of at least `pool` rows
    (the last holds what is left), and each pool is shuffled. So a row is read with its
    neighbours, and meets some 2048 / 64 others that lie far from it; every row comes once.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
    ordered = np.sort(rows)
    block, counts = np.unique(ordered // BLOCK, return_counts=True)
    turn = random.permutation(len(block))
    first = np.empty(len(block), np.int64)  # rows that come before each block
    first[turn] = np.cumsum(counts[turn]) - counts[turn]
    of_row = np.repeat(first // pool, counts)
    made = np.lexsort((random.random(len(ordered)), of_row))
    starts = np.flatnonzero(np.diff(of_row[made], prepend=-1))
    return Order(ordered[made], np.append(starts, len(ordered)))
