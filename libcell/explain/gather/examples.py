"""Pictures of single objects, found in a crop store by their object_id."""

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from libcell.data.crop_reader import CropReader
from libcell.data.crops import CropStore
from libcell.explain.page.pictures import small, thumbnail, windows
from libcell.explain.page.sections import Picture

EDGE = 96
FOR_RANGES = 256  # crops that the display range is taken from
BATCH = 512
BUDGET = 7_000_000  # bytes that all small pictures may take; in the page they are a third more
SIZES = ((64, 80), (64, 60), (48, 60), (40, 50), (32, 40))  # px and quality, the best first
PILOT = 64  # pictures whose mean size tells what all will take


class Examples:
    """Draws up to `count` pictures at a time; the draw depends on the ids alone.

    `of` and `want` note whose picture the page needs; `thumbs` makes them all at once.
    """

    def __init__(self, store: CropStore | None, count: int):
        self._store = store
        self._count = count
        self._rows: dict[str, int] = {}
        self._wanted: dict[str, None] = {}
        if store is None or not store.n:
            return
        ids = store.index().column("object_id").to_pylist()
        self._rows = {object_id: row for row, object_id in enumerate(ids)}
        step = max(1, store.n // FOR_RANGES)
        some = [c for _, c, _ in self._read(np.arange(0, store.n, step)[:FOR_RANGES])]
        self._ranges = windows(np.stack(some))

    @property
    def known(self) -> set[str]:
        """Whose pictures there are."""
        return set(self._rows)

    def sample(self) -> list[Picture]:
        """Pictures from the whole store."""
        return self.pictures(self.draw(self._rows))

    def draw(self, ids: Iterable[str]) -> list[str]:
        """Up to `count` of the objects `ids`; those without a crop are passed over."""
        return sorted((i for i in ids if i in self._rows), key=_shuffled)[: self._count]

    def of(self, ids: Iterable[str]) -> list[str]:
        """What `draw` says; the page will have these as small pictures."""
        found = self.draw(ids)
        self.want(found)
        return found

    def want(self, ids: Iterable[str]) -> None:
        """Have small pictures of these, where there are crops."""
        self._wanted |= dict.fromkeys(i for i in ids if i in self._rows)

    def pictures(self, ids: Iterable[str]) -> list[Picture]:
        """Large pictures of single objects, in their order."""
        wanted = list(ids)
        made = {i: Picture(i, thumbnail(crop, self._ranges, mask, EDGE))
                for i, crop, mask in self._objects(wanted)}
        return [made[i] for i in wanted]

    def thumbs(self) -> dict[str, bytes]:
        """WebP by object_id of all that are wanted, as large and as good as the budget allows."""
        wanted = sorted(self._wanted)
        if not wanted:
            return {}
        pilot = list(self._objects(wanted[:: max(1, len(wanted) // PILOT)]))
        for size, quality in SIZES:
            mean = np.mean([len(small(c, self._ranges, m, size, quality)) for _, c, m in pilot])
            if mean * len(wanted) <= BUDGET:
                break
        return {i: small(crop, self._ranges, mask, size, quality)
                for i, crop, mask in self._objects(wanted)}

    def _objects(self, ids: list[str]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Crop (C,H,W) and mask (H,W) of each, in the store's order."""
        by_row = {self._rows[i]: i for i in ids}
        for row, crop, mask in self._read(np.array(sorted(by_row), np.int64)):
            yield by_row[row], crop, mask

    def _read(self, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        assert self._store
        if not len(rows):
            return
        for crops, masks, found in CropReader(self._store.path, rows=rows).in_order(BATCH):
            yield from zip(found.tolist(), crops, masks)


def _shuffled(object_id: str) -> bytes:
    """A fixed random order: the same cells whatever order they come in."""
    return hashlib.sha256(object_id.encode()).digest()
