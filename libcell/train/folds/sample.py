"""Rows that a classifier may learn from, and the part each is in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import matrix
from libcell.errors import DataError, UsageFault
from libcell.train.kernels import held_out, split_audit
from libcell.train.kernels.split_audit import Leak

USUAL_REACH_PX = 10.0  # of an object between two frames, where its size is not told
POSITIONS = (("y", "x"), ("{}_Location_Center_Y", "{}_Location_Center_X"),
             ("{}_AreaShape_Center_Y", "{}_AreaShape_Center_X"))


@dataclass(frozen=True)
class Sample:
    """The `table`'s rows (n,) all have a class: `y` int64 (n,) into `classes`, text; `groups`
    (n,) by `columns`; `splits`, text (n,) each: one, or one per fold."""

    table: pa.Table
    y: np.ndarray
    classes: np.ndarray
    groups: np.ndarray
    columns: tuple[str, ...]
    splits: list[np.ndarray]

    @property
    def tested(self) -> np.ndarray:
        """The part of each row (n,), or, of several folds, the number of the one that tests it."""
        if len(self.splits) == 1:
            return self.splits[0]
        return np.argmax([s == "test" for s in self.splits], axis=0)


def sample(table: pa.Table, options: Any, seed: int) -> Sample:
    """From a table with keys and the options target, classes, group, split, fractions, folds,
    fold, leave_one_out, hold_out. DataError for what cannot be learnt."""
    rows = matrix.chosen_rows(table, options.target, options.classes)
    labels = matrix.column_text(rows, options.target, "--target")
    classes, y = np.unique(labels.astype(str), return_inverse=True)
    columns = options.group or matrix.default_group(rows)
    groups = matrix.groups(rows, columns)
    splits = ([_told(rows, options, y, classes)] if options.split else held_out.rounds(
        classes[y], groups, fractions=held_out.fractions_of(options.fractions), folds=options.folds,
        fold=options.fold, leave_one_out=_each(options), hold_out=options.hold_out, seed=seed))
    return Sample(rows, y.astype(np.int64), classes, groups, columns, splits)


def _each(options: Any) -> bool:
    """Whether each group is left out once; not every method can."""
    return bool(getattr(options, "leave_one_out", False))


def _told(rows: pa.Table, options: Any, y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The parts that come with the data, if every class can be learnt from them."""
    if options.folds or _each(options) or options.hold_out:
        raise UsageFault("--split: expected without --folds, --leave-one-out and --hold-out")
    told = matrix.column_text(rows, options.split, "--split")
    split = held_out.told_parts(told, f"--split {options.split}")
    if len(classes) < 2:
        raise DataError(f"only one class, {classes[0]}; a classifier needs two")
    absent = np.setdiff1d(y, y[split == "train"])
    if len(absent):
        raise DataError(f"class {', '.join(classes[absent])} has no row for training; leave it "
                        "out with --classes")
    return split


def kept(made: Sample, split: np.ndarray, most: int | None, seed: int) -> np.ndarray:
    """Places that are kept: of each class at most so many for training, all that are held out."""
    train = np.flatnonzero(split == "train")
    if most is None:
        return np.arange(len(made.y))
    some = train[matrix.sampled(made.table, made.y[train], most, seed)]
    return np.sort(np.concatenate([some, np.flatnonzero(split != "train")]))


def audit(
    keys: pa.Table, groups: np.ndarray, tested: np.ndarray, allowed: bool,
    content: np.ndarray | None,
) -> list[Leak]:
    """Groups, equal rows of `content` (n, p) and neighbours in time that are in two parts, or are
    tested by two folds (`tested`, see Sample). DataError unless they are `allowed`."""
    leaks = split_audit.audit(groups, tested, rows=content)
    found = _positions(keys)
    if found is not None:
        leaks += split_audit.audit_time(*found, tested, _reach(keys))
    if leaks and not allowed:
        raise DataError(
            f"{len(leaks)} leaks between the parts of the split, e.g. {held_out.told(leaks[0])}; "
            "choose another --group or --split, or say --allow-leaks")
    return leaks


def _positions(table: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Movie (n,), frame (n,) and y, x (n, 2) of each row; None where the table lacks them, or
    holds no movie."""
    names = set(table.column_names)
    if not {"Metadata_Image", "Metadata_T"} <= names or not table.num_rows:
        return None
    t = table.column("Metadata_T").to_numpy()
    if table.column("Metadata_T").null_count or t.min() == t.max():
        return None
    for pair in POSITIONS:
        for found in sorted({n.partition("_")[0] for n in names}):
            yx = [p.format(found) for p in pair]
            if names.issuperset(yx):
                movie = matrix.groups(table, [c for c in (*matrix.WELL, "Metadata_Image")
                                              if c in names and not table.column(c).null_count])
                return movie, t.astype(np.int64), matrix.matrix(table, yx)
    return None


def _reach(table: pa.Table) -> float:
    """How far an object moves between two frames at most, in px: half its usual height."""
    if not {"y0", "y1"} <= set(table.column_names):
        return USUAL_REACH_PX
    return max(float(np.median(np.diff(matrix.matrix(table, ["y0", "y1"]))) / 2), 1.0)
