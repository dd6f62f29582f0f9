"""The crops of one store or several, as one, in an order that mixes them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import crops
from libcell.data.crop_reader import Batch
from libcell.errors import DataError
from libcell.train.pictures import contract
from libcell.train.pictures.contract import reader_of

MIX = 2  # tells the seed of the order of stores from that of the order within each
AT_ONCE = 512


class Material:
    """`paths`, of which all look as `contract` says; `counts` (s,) crops of each store."""

    def __init__(self, paths: Sequence[Path], options: Any):
        self.paths = list(paths)
        self.counts = np.array([crops.open_crops(p).n for p in paths])
        if len(self) < 2:
            raise DataError(f"{paths[0]}: {len(self)} crop(s); learning without labels compares "
                            "crops, so give it two or more (some hundreds to learn anything)")
        _require_alike(self.paths, options)
        self.contract = _contract(self.paths, self.counts, options)
        self.blank = self._look()

    def __len__(self) -> int:
        return int(self.counts.sum())

    def index(self) -> pa.Table:
        """The stores' tables under each other; columns that one lacks are null there."""
        return pa.concat_tables([crops.open_crops(p).index() for p in self.paths],
                                promote_options="permissive")

    def batches(self, size: int, seed: int, epoch: int, start: int) -> Iterator[Batch]:
        """Batches of `size` from number `start` on, each crop at most once in an epoch; every
        batch holds crops of all stores, by chance."""
        random = np.random.default_rng((seed, epoch, MIX))
        source = random.permutation(np.repeat(np.arange(len(self.paths)), self.counts))
        before = np.bincount(source[: start * size], minlength=len(self.paths))
        streams = [_Stream(reader_of(self.contract, p).shuffled(
            size, seed=seed, epoch=epoch, start=int(b))) for p, b in zip(self.paths, before)]
        for at in range(start * size, len(source) - size + 1, size):
            wanted = np.bincount(source[at : at + size], minlength=len(streams))
            yield _joined([s.take(int(n)) for s, n in zip(streams, wanted) if n])

    def places(self, rows: np.ndarray) -> Iterator[tuple[Path, np.ndarray]]:
        """Each store that has some of the `rows` (n,), ascending and counted over all stores,
        and its own numbers of them."""
        first = np.concatenate([[0], np.cumsum(self.counts)])
        for path, a, b in zip(self.paths, first, first[1:]):
            own = rows[(rows >= a) & (rows < b)]
            if len(own):
                yield path, own - a

    def _look(self) -> int:
        """How many crops hold one value only. DataError if all do, or for NaN in any."""
        blank = 0
        for path in self.paths:
            for batch in reader_of(self.contract, path).in_order(AT_ONCE):
                flat = batch.crops.reshape(len(batch.rows), -1)
                bad = ~np.isfinite(flat).all(axis=1)
                if bad.any():
                    raise DataError(f"{path}: crop {batch.rows[bad][0]} holds NaN or infinite "
                                    "pixels")
                blank += int((flat.max(axis=1) == flat.min(axis=1)).sum())
        if blank == len(self):
            raise DataError(f"{self.paths[0]}: every crop holds one value only; there is nothing "
                            "to learn from")
        return blank


class _Stream:
    """Crops in the order of `batches`, in any numbers."""

    def __init__(self, batches: Iterator[Batch]):
        self._batches, self._left = batches, Batch(*(np.empty(0),) * 3)

    def take(self, n: int) -> Batch:
        parts = [self._left] if len(self._left.rows) else []
        while sum(len(p.rows) for p in parts) < n:
            parts.append(next(self._batches))
        whole = _joined(parts)
        self._left = whole.part(n, None)
        return whole.part(0, n)


def _joined(parts: list[Batch]) -> Batch:
    if len(parts) == 1:
        return parts[0]
    return Batch(*(np.concatenate(arrays) for arrays in zip(*parts)))


def _require_alike(paths: list[Path], options: Any) -> None:
    """DataError unless all stores can be seen in one way."""
    first, *others = (crops.open_crops(p) for p in paths)
    for other in others:
        if not options.window and other.size_px != first.size_px:
            raise DataError(f"{other.path}: crops are {_by(other.size_px)} px, those of "
                            f"{first.path} are {_by(first.size_px)}; choose what to see of both "
                            "with --window")
        if other.crops.dtype != first.crops.dtype and options.normalise != "crop":
            raise DataError(f"{other.path}: crops are {other.crops.dtype}, those of {first.path} "
                            f"are {first.crops.dtype}; use --normalise crop")
        if not options.channels and other.channels != first.channels:
            raise DataError(f"{other.path}: channels are {', '.join(other.channels)}, those of "
                            f"{first.path} are {', '.join(first.channels)}; choose with "
                            "--channels")


def _contract(paths: list[Path], counts: np.ndarray, options: Any) -> dict[str, Any]:
    """The card's `input`; mean and spread are those of all stores."""
    filled = [(p, n) for p, n in zip(paths, counts.tolist()) if n]
    made = [contract.make(p, options, np.arange(n)) for p, n in filled]
    if options.normalise != "train":
        return made[0]
    share = np.array([n for _, n in filled]) / counts.sum()
    means, spreads = (np.array([m["normalisation"][k] for m in made]) for k in ("mean", "sd"))
    mean = share @ means
    sd = np.sqrt(share @ (spreads**2 + means**2) - mean**2)
    return made[0] | {"normalisation": {"kind": "train", "mean": mean.tolist(),
                                        "sd": np.where(sd > 0, sd, 1.0).tolist()}}


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


