"""Sequences of a crop store: which crops, in which order, with which stage, in which part."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data.crops import CropStore
from libcell.errors import DataError, UsageFault
from libcell.train.pictures import plan
from libcell.train.pictures.plan import Plan

ORDERS = {  # of published data sets; our simulated films have Zhong's six
    "zhong": ("interphase", "prophase", "prometaphase", "metaphase", "anaphase", "telophase"),
    "livecellminer": ("interphase", "earlymitosis", "latemitosis"),
}


@dataclass(frozen=True)
class Course:
    """One cell in time: rows (T,) of the store, -1 in a gap; y (T,) its stages, -1 unknown."""

    name: str
    rows: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def transcript(self) -> np.ndarray:
        """The stages in their order, each stretch once; frames without a stage are passed over."""
        known = self.y[self.y >= 0]
        return known[np.flatnonzero(np.diff(known, prepend=-1))] if len(known) else known

    def part(self, start: int, stop: int) -> "Course":
        return Course(self.name, self.rows[start:stop], self.y[start:stop])


@dataclass(frozen=True)
class Material:
    """What is learnt: the plan of single crops, its classes in the order of the stages, and the
    sequences of each part, by name."""

    plan: Plan
    courses: dict[str, list[Course]]

    @property
    def classes(self) -> np.ndarray:
        return self.plan.classes


def read(store: CropStore, index: pa.Table) -> list[Course]:
    """All sequences of a store, without stages, in the table's order. DataError where a sequence
    names a crop that is not there."""
    table = store.sequences()
    place = {name: i for i, name in enumerate(index.column("object_id").to_pylist())}
    names = table.column("sequence_id").to_pylist()
    objects = table.column("object_id").to_pylist()
    lost = next((o for o in objects if o is not None and o not in place), None)
    if lost:
        raise DataError(f"{store.path}: sequences.parquet names {lost}, which has no crop")
    rows: dict[str, list[tuple[int, int]]] = {}
    for name, position, one in zip(names, table.column("position").to_pylist(), objects):
        rows.setdefault(name, []).append((position, -1 if one is None else place[one]))
    return [_course(name, sorted(found)) for name, found in rows.items()]


def _course(name: str, found: list[tuple[int, int]]) -> Course:
    """Positions that are not listed are gaps, too."""
    at = np.array([p for p, _ in found])
    rows = np.full(at[-1] - at[0] + 1, -1)
    rows[at - at[0]] = [r for _, r in found]
    return Course(name, rows, np.full(len(rows), -1))


def material(
    path: Path, store: CropStore, index: pa.Table, options: Any, seed: int
) -> Material:
    """Split the store's labelled crops by group (see `plan`), and the sequences with them.

    A sequence is in the part of its crops; DataError where they are in two, where a stage is
    unknown, or where the training part has no sequence of two frames.
    """
    made = plan.plan(path, index, options, seed)
    made = in_order(made, stage_order(made.classes.tolist(), options.stages))
    part = np.full(index.num_rows + 1, "", dtype=object)  # the last is a gap's
    part[made.rows] = made.split
    y = np.full(index.num_rows + 1, -1)
    y[made.rows] = made.y
    courses: dict[str, list[Course]] = {"train": [], "validation": [], "test": []}
    for one in read(store, index):
        parts = set(part[one.rows].tolist()) - {""}
        if len(parts) > 1:
            raise DataError(f"{path}: sequence {one.name} is in {' and '.join(sorted(parts))}; "
                            "choose a --group that does not cut sequences")
        if parts:
            courses[parts.pop()].append(replace(one, y=y[one.rows]))
    if not any((c.rows >= 0).sum() > 1 for c in courses["train"]):
        raise DataError(f"{path}: no sequence of two frames or more is for training")
    return Material(made, courses)


def stage_order(found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The stages in the order in which they come: as `wanted`, stages or the name of a published
    order, as published data have them, or else by name. DataError for a stage that `wanted` lacks
    or that never occurs; of a published order some may never occur."""
    if len(set(wanted)) < len(wanted):
        raise UsageFault("--stages: a name stands in it twice")
    plain = {str(name).lower(): str(name) for name in found}
    if len(wanted) == 1 and wanted[0].lower() in ORDERS:
        order = ORDERS[wanted[0].lower()]
        strange = [name for key, name in plain.items() if key not in order]
        if strange:
            raise DataError(f"--stages {wanted[0]}: {', '.join(strange)}, which the target has, is "
                            f"no stage of it; it has {', '.join(order)}")
        return [plain[name] for name in order if name in plain]
    if wanted:
        strange = sorted(set(found) - set(wanted))
        if strange:
            raise DataError(f"--stages lacks {', '.join(strange)}, which the target has")
        absent = [s for s in wanted if s not in set(found)]
        if absent:
            raise DataError(f"--stages: the target never is {', '.join(absent)}; it is one of "
                            f"{', '.join(map(str, found))}")
        return list(wanted)
    for order in ORDERS.values():
        if set(plain) <= set(order):
            return [plain[name] for name in order if name in plain]
    return [str(name) for name in found]


def in_order(made: Plan, order: list[str]) -> Plan:
    """The plan with its classes in another order."""
    rank = np.array([order.index(str(c)) for c in made.classes])
    return replace(made, classes=np.array(order, dtype=made.classes.dtype), y=rank[made.y])
