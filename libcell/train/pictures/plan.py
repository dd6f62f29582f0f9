"""What is learnt from a crop store: which rows, which classes, which part each row is in."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import matrix
from libcell.data.crop_reader import CropReader
from libcell.errors import DataError, UsageFault
from libcell.train.kernels import held_out, split_audit
from libcell.train.kernels.split_audit import Leak

AT_ONCE = 512


@dataclass(frozen=True)
class Plan:
    """Rows (n,) of the store that have a class, ascending; `y` (n,) int64 into `classes`;
    `groups` and `split` (n,) of text."""

    path: Path
    rows: np.ndarray
    y: np.ndarray
    classes: np.ndarray
    groups: np.ndarray
    group_columns: tuple[str, ...]
    split: np.ndarray

    def of(self, part: str) -> np.ndarray:
        """Places (not store rows) of one part, ascending."""
        return np.flatnonzero(self.split == part)

    def card(self, leaks: list[Leak]) -> dict[str, Any]:
        return held_out.split_card(self.group_columns, self.groups, self.split, self.y,
                                   self.classes, leaks)


def plan(path: Path, index: pa.Table, options: Any, seed: int) -> Plan:
    """From a store's index and the options target, classes, group, split, fractions, folds, fold,
    per_class. DataError for what cannot be learnt."""
    labels = matrix.column_text(index, options.target, "--target")
    chosen = matrix.chosen_rows(
        index.append_column("place", pa.array(np.arange(index.num_rows))), options.target,
        options.classes)
    rows = chosen.column("place").to_numpy()
    classes, y = np.unique(labels[rows].astype(str), return_inverse=True)
    columns = options.group or matrix.default_group(chosen)
    groups = matrix.groups(chosen, columns)
    if options.split:
        told = matrix.column_text(chosen, options.split, "--split")
        split = held_out.told_parts(told, f"--split {options.split}")
        _require_two(y, split, classes)
    else:
        split = held_out.parts(y, groups, fractions=held_out.fractions_of(options.fractions),
                               folds=options.folds, fold=options.fold, hold_out=options.hold_out,
                               seed=seed)
    kept = _per_class(chosen, y, split, options.per_class, seed)
    return Plan(path, rows[kept], y[kept], classes, groups[kept], columns, split[kept])


def _require_two(y: np.ndarray, split: np.ndarray, classes: np.ndarray) -> None:
    """A split that comes with the data is not made so that every class can be learnt."""
    if len(classes) < 2:
        raise DataError(f"only one class, {classes[0]}; a classifier needs two")
    absent = set(range(len(classes))) - set(y[split == "train"].tolist())
    if absent:
        raise DataError(f"class {', '.join(str(classes[i]) for i in sorted(absent))} has no row "
                        "for training; leave it out with --classes")


def _per_class(
    table: pa.Table, y: np.ndarray, split: np.ndarray, most: int | None, seed: int
) -> np.ndarray:
    """Places that are kept: of each class at most so many for training, all that are held out."""
    train = np.flatnonzero(split == "train")
    if most is None:
        return np.arange(len(y))
    some = train[matrix.sampled(table, y[train], most, seed)]
    return np.sort(np.concatenate([some, np.flatnonzero(split != "train")]))


def audit(made: Plan, allowed: bool) -> list[Leak]:
    """Groups and equal crops in two parts of the split. UsageFault unless they are allowed.

    DataError for a pixel that is no number: this is the one look at all of them.
    """
    prints = []
    for batch in CropReader(made.path, rows=made.rows).in_order(AT_ONCE):
        bad = ~np.isfinite(batch.crops).all(axis=(1, 2, 3))
        if bad.any():
            raise DataError(f"{made.path}: crop {batch.rows[bad][0]} holds NaN or infinite pixels")
        prints.append(_fingerprints(batch.crops))
    leaks = split_audit.audit(made.groups, made.split, rows=np.concatenate(prints))
    if leaks and not allowed:
        raise UsageFault(
            f"{len(leaks)} leaks between the parts of the split, e.g. {held_out.told(leaks[0])}; "
            "choose another --group or --split, or say --leaky")
    return leaks


def _fingerprints(crops: np.ndarray) -> np.ndarray:
    """float64 (n,2): equal crops have equal ones. A crop of one value says nothing: NaN."""
    made = np.full((len(crops), 2), np.nan)
    for i, crop in enumerate(crops):
        if crop.min() < crop.max():
            digest = blake2b(crop.tobytes(), digest_size=16).digest()
            # 52 bits are exact in float64, which is what the audit takes
            made[i] = [int.from_bytes(digest[k : k + 8], "little") >> 12 for k in (0, 8)]
    return made
