"""Pictures of single objects, found in a crop store by their object_id."""

import hashlib
from collections.abc import Iterable

import numpy as np

from libcell.data.crops import CropStore
from libcell.explain.page.pictures import thumbnail, windows
from libcell.explain.page.sections import Picture

EDGE = 96
FOR_RANGES = 256  # crops that the display range is taken from


class Examples:
    """Draws up to `count` pictures at a time; the draw depends on the ids alone."""

    def __init__(self, store: CropStore | None, count: int):
        self._store = store
        self._count = count
        self._rows: dict[str, int] = {}
        self._ranges = np.zeros((0, 2))
        if store is None or not store.n:
            return
        ids = store.index().column("object_id").to_pylist()
        self._rows = {object_id: row for row, object_id in enumerate(ids)}
        step = max(1, store.n // FOR_RANGES)
        some = [store.read(slice(r, r + 1))[0] for r in range(0, store.n, step)][:FOR_RANGES]
        self._ranges = windows(np.concatenate(some))

    def sample(self) -> list[Picture]:
        """Pictures from the whole store."""
        return self.of(self._rows)

    def of(self, ids: Iterable[str]) -> list[Picture]:
        """Pictures of some of the objects `ids`; those without a crop are passed over."""
        known = sorted((i for i in ids if i in self._rows), key=_shuffled)[: self._count]
        return [self._picture(i) for i in known]

    def _picture(self, object_id: str) -> Picture:
        assert self._store
        row = self._rows[object_id]
        crops, masks = self._store.read(slice(row, row + 1))
        return Picture(object_id, thumbnail(crops[0], self._ranges, masks[0], EDGE))


def _shuffled(object_id: str) -> bytes:
    """A fixed random order: the same cells whatever order they come in."""
    return hashlib.sha256(object_id.encode()).digest()
