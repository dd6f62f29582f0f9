"""What a gate says, and the class of every object that follows from all gates."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from libcell.data import matrix
from libcell.errors import DataError, UsageFault

UNDEFINED = "undefined"
METHODS = ("otsu", "mixture", "controls")
GATE = re.compile(r"(?P<name>[^=<>]+)=(?P<feature>[^=<>]+)(?P<operator>[<>])(?P<how>[^<>=]+)")
WHERE = re.compile(r"(?P<feature>[^=<>]+)(?P<operator>[<>])(?P<how>[^<>=]+)")


@dataclass(frozen=True)
class Wanted:
    """A gate as it was asked for: the class that it speaks for (None: every class), the column,
    > or <, how its threshold is found, and of which control wells."""

    name: str | None
    feature: str
    operator: str
    method: str
    threshold: float | None = None
    control: str | None = None


@dataclass(frozen=True)
class Gate:
    """A row of table `gates`."""

    gate: str
    feature: str
    operator: str
    threshold: float
    method: str
    group: str | None


def parse(gates: Sequence[str], where: Sequence[str]) -> list[Wanted]:
    """`CLASS=COLUMN>HOW` and `COLUMN>HOW`; UsageFault for what is neither."""
    found = [_parsed(text, GATE, "--gate", "CLASS=COLUMN>600, with < or > and a number, otsu, "
                     "mixture or controls:VALUE") for text in gates]
    found += [_parsed(text, WHERE, "--where", "COLUMN>160, with < or >") for text in where]
    classes = {w.name for w in found if w.name}
    if UNDEFINED in classes:
        raise UsageFault(f"--gate {UNDEFINED}=: this is what objects of no class are called")
    if not classes:
        raise UsageFault("no gate; give one or more with --gate CLASS=COLUMN>HOW, or --gates")
    return found


def _parsed(text: str, pattern: re.Pattern[str], option: str, expected: str) -> Wanted:
    match = pattern.fullmatch(text)
    if not match:
        raise UsageFault(f"{option} {text}: expected {expected}")
    given = {k: v.strip() for k, v in match.groupdict().items()}
    method, _, control = given["how"].partition(":")
    name = given.get("name")
    if method in METHODS:
        if (method == "controls") != bool(control):
            raise UsageFault(f"{option} {text}: controls needs the wells' value, as in "
                             "controls:DMSO; no other method takes one")
        return Wanted(name, given["feature"], given["operator"], method, None, control or None)
    try:
        threshold = float(given["how"])
    except ValueError:
        threshold = np.nan
    if not np.isfinite(threshold):
        raise UsageFault(f"{option} {text}: expected {expected}")
    return Wanted(name, given["feature"], given["operator"], "manual", threshold)


def classify(table: pa.Table, gates: Iterable[Gate], groups: Sequence[str | None]) -> np.ndarray:
    """The class of every row: the one whose gates it passes all, if it is one only (n,).

    `groups` (n,) are the rows' plates or batches; a gate without a group holds for all. A value
    that is not there passes no gate. DataError where a group has no gate.
    """
    gates = list(gates)
    group = np.array(groups, dtype=object)
    names = list(dict.fromkeys(g.gate for g in gates))
    passed = np.ones((len(names), table.num_rows), bool)
    judged = np.zeros_like(passed)
    for gate in gates:
        rows = np.ones(len(group), bool) if gate.group is None else group == gate.group
        values = column(table, gate.feature)
        high = values > gate.threshold if gate.operator == ">" else values < gate.threshold
        passed[names.index(gate.gate), rows] &= high[rows]
        judged[names.index(gate.gate), rows] = True
    if not judged.all():
        missing = sorted({str(g) for g in group[~judged.all(axis=0)]})
        raise DataError(f"no gates for group {', '.join(missing[:5])}; they are for "
                        f"{', '.join(sorted({str(g.group) for g in gates}))}")
    alone = passed.sum(axis=0) == 1
    names_of = np.array(names, dtype=object)
    return np.where(alone, names_of[passed.argmax(axis=0)], UNDEFINED)


def column(table: pa.Table, name: str) -> np.ndarray:
    """A numeric column (n,) float64, NaN where null; DataError names what there is."""
    known = matrix.numeric_columns(table)
    if name not in known:
        there = ", ".join(difflib.get_close_matches(name, known, 5, 0.4)) or ", ".join(known[:5])
        raise DataError(f"{name}: the table has no such column of numbers; there is {there}")
    return matrix.matrix(table, [name])[:, 0]


def to_table(gates: Sequence[Gate]) -> dict[str, list[object]]:
    """Columns of table `gates`."""
    return {name: [getattr(g, name) for g in gates] for name in Gate.__dataclass_fields__}


def from_table(table: pa.Table) -> list[Gate]:
    """The gates of a table `gates`; DataError where it holds none."""
    names = list(Gate.__dataclass_fields__)
    found = [Gate(**row) for row in table.select(names).to_pylist()]
    if not found:
        raise DataError("the table of gates is empty")
    return found
