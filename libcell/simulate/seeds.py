"""Random streams by name: what is drawn in one place never moves what is drawn in another."""

from zlib import crc32

import numpy as np

Key = tuple[int | str, ...]


def generator(key: Key) -> np.random.Generator:
    """The stream of a key such as `(seed, "plate", "P1", "B03", 1, "noise", "DNA")`.

    The first entry is the user's seed (>= 0); the others form the spawn key of a SeedSequence,
    so that streams are independent however many of them are made, and in whatever order.
    """
    seed, *path = key
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"a seed is an integer from 0, not {seed!r}")
    spawn = tuple(crc32(p.encode()) if isinstance(p, str) else int(p) for p in path)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn))
