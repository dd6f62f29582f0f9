"""Sequences of one cell each, frame by frame, out of the tracks of a field of view."""

from typing import NamedTuple

import numpy as np


class Followed(NamedTuple):
    """One entry per frame of each sequence, sequences one after the other, frames in order.

    `owner` (m,) track that the sequence follows; `row` (m,) of the tracks' table, -1 in a gap;
    `t` (m,) frame; `position` (m,) from 0 in each sequence.
    """

    owner: np.ndarray
    row: np.ndarray
    t: np.ndarray
    position: np.ndarray


def follow(
    t: np.ndarray, track: np.ndarray, parent: np.ndarray, least: int = 1, before: int = 0
) -> Followed:
    """One sequence for each track that has at least `least` objects.

    `t`, `track` and `parent` (n,) are one field's rows of table `links`, in any order. The last
    `before` objects of its ancestors come first. A frame between a sequence's first and last that
    has no object is a gap.
    """
    order = np.lexsort((t, track))
    names, first = np.unique(track[order], return_index=True)
    rows = dict(zip(names.tolist(), np.split(order, first[1:])))
    mothers = {name: int(parent[some[0]]) for name, some in rows.items()}
    parts = [(name, _filled(t, _with_ancestors(name, rows, mothers, before)))
             for name, some in rows.items() if len(some) >= least]
    chains = [chain for _, chain in parts]
    lengths = [len(chain) for chain in chains]
    joined = np.concatenate([np.zeros((0, 2), np.int64), *chains])
    return Followed(np.repeat(np.array([name for name, _ in parts], np.int64), lengths),
                    joined[:, 0], joined[:, 1],
                    np.concatenate([np.zeros(0, np.int64), *map(np.arange, lengths)]))


def _with_ancestors(
    name: int, rows: dict[int, np.ndarray], mothers: dict[int, int], before: int
) -> np.ndarray:
    chain = rows[name]
    own = len(chain)
    mother = mothers[name]
    while mother in rows and len(chain) < own + before:
        missing = own + before - len(chain)
        chain = np.concatenate([rows[mother][-missing:], chain])
        mother = mothers[mother]
    return chain


def _filled(t: np.ndarray, chain: np.ndarray) -> np.ndarray:
    """(frames, 2): row and frame of every frame from the chain's first to its last."""
    times = t[chain]
    whole = np.full((int(times[-1] - times[0]) + 1, 2), -1, np.int64)
    whole[:, 1] = np.arange(times[0], times[-1] + 1)
    whole[times - times[0], 0] = chain
    return whole
