"""What is learnt from a crop store: which rows, which classes, which part each row is in."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data.crop_reader import CropReader
from libcell.errors import DataError
from libcell.train.folds import sample
from libcell.train.kernels import held_out
from libcell.train.kernels.split_audit import Leak

AT_ONCE = 512


@dataclass(frozen=True)
class Plan:
    """Rows (n,) of the store that have a class, ascending; `y` (n,) int64 into `classes`;
    `groups` and `split` (n,) of text; `keys` are the rows of the store's index."""

    path: Path
    rows: np.ndarray
    y: np.ndarray
    classes: np.ndarray
    groups: np.ndarray
    group_columns: tuple[str, ...]
    split: np.ndarray
    keys: pa.Table

    def of(self, part: str) -> np.ndarray:
        """Places (not store rows) of one part, ascending."""
        return np.flatnonzero(self.split == part)

    def card(self, leaks: list[Leak]) -> dict[str, Any]:
        return held_out.split_card(self.group_columns, self.groups, self.split, self.y,
                                   self.classes, leaks)


def plans(path: Path, index: pa.Table, options: Any, seed: int) -> tuple[Plan, list[Plan]]:
    """From a store's index: all rows, each in the part, or the number of the fold, that tests it;
    and the plan of the split, or of each fold. The options are those of `sample`, and per_class.
    DataError for what cannot be learnt."""
    made = sample.sample(index.append_column("place", pa.array(np.arange(index.num_rows))),
                         options, seed)

    def of(split: np.ndarray, kept: np.ndarray) -> Plan:
        keys = made.table.take(pa.array(kept))
        return Plan(path, keys.column("place").to_numpy(), made.y[kept], made.classes,
                    made.groups[kept], made.columns, split[kept], keys)

    each = [of(split, sample.kept(made, split, options.per_class, seed)) for split in made.splits]
    whole = each[0] if len(each) == 1 else of(made.tested, np.arange(len(made.y)))
    return whole, each


def plan(path: Path, index: pa.Table, options: Any, seed: int) -> Plan:
    """The first of `plans`: where there are folds, the one that --fold names."""
    return plans(path, index, options, seed)[1][0]


def audit(made: Plan, allowed: bool) -> list[Leak]:
    """Groups, equal crops and neighbours in time in two parts of the split. DataError unless they
    are allowed, or for a pixel that is no number: this is the one look at all of them."""
    prints = []
    for batch in CropReader(made.path, rows=made.rows).in_order(AT_ONCE):
        bad = ~np.isfinite(batch.crops).all(axis=(1, 2, 3))
        if bad.any():
            raise DataError(f"{made.path}: crop {batch.rows[bad][0]} holds NaN or infinite pixels")
        prints.append(_fingerprints(batch.crops))
    return sample.audit(made.keys, made.groups, made.split, allowed, np.concatenate(prints))


def _fingerprints(crops: np.ndarray) -> np.ndarray:
    """float64 (n,2): equal crops have equal ones. A crop of one value says nothing: NaN."""
    made = np.full((len(crops), 2), np.nan)
    for i, crop in enumerate(crops):
        if crop.min() < crop.max():
            digest = blake2b(crop.tobytes(), digest_size=16).digest()
            # 52 bits are exact in float64, which is what the audit takes
            made[i] = [int.from_bytes(digest[k : k + 8], "little") >> 12 for k in (0, 8)]
    return made
