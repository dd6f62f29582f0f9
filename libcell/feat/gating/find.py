"""From gates as they are asked for to gates with thresholds, group by group."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from libcell.data import matrix
from libcell.errors import DataError, UsageFault
from libcell.feat.gating import thresholds
from libcell.feat.gating.rules import Gate, Wanted, column


@dataclass(frozen=True)
class How:
    """What thresholds are found with: the column of the control wells, the part of their objects
    that stays outside the gate, and whether distributions are looked at on a logarithmic scale."""

    controls: str | None
    quantile: float
    log: bool


def groups_of(table: pa.Table, by: str | None) -> list[str | None]:
    """The group of every row (n,); None where there is one group only."""
    if by is None:
        return [None] * table.num_rows
    found = matrix.column_text(table, by, "--by")
    if any(v is None for v in found):
        raise DataError(f"--by {by}: some rows have no value")
    return [str(v) for v in found]


def find(
    table: pa.Table, wanted: Sequence[Wanted], groups: Sequence[str | None], how: How
) -> list[Gate]:
    """Every gate with its threshold, for each group; those without a class for each class."""
    if not table.num_rows:
        raise DataError("the table has no row; there is nothing to find thresholds on")
    classes = list(dict.fromkeys(w.name for w in wanted if w.name))
    every = np.array(groups, dtype=object)
    found = []
    for group in dict.fromkeys(groups):
        rows = np.ones(len(every), bool) if group is None else every == group
        for one in wanted:
            threshold = _threshold(table, one, rows, how, group)
            found += [Gate(name, one.feature, one.operator, threshold, one.method, group)
                      for name in ([one.name] if one.name else classes)]
    return found


def _threshold(
    table: pa.Table, wanted: Wanted, rows: np.ndarray, how: How, group: str | None
) -> float:
    values = column(table, wanted.feature)
    if wanted.threshold is not None:
        return wanted.threshold
    if wanted.control is not None:
        rows = rows & _controls(table, wanted.control, how.controls)
    values = values[rows & np.isfinite(values)]
    try:
        if wanted.method == "controls":
            return thresholds.of_controls(values, how.quantile, wanted.operator)
        function = thresholds.otsu if wanted.method == "otsu" else thresholds.mixture
        if how.log:
            return float(np.exp(function(np.log(values[values > 0]))))
        return function(values)
    except DataError as error:
        place = f" of {group}" if group else ""
        raise DataError(f"{wanted.feature}{place}: {error}") from error


def _controls(table: pa.Table, value: str, name: str | None) -> np.ndarray:
    """Rows (n,) bool of the control wells with that value."""
    if name is None:
        raise UsageFault(f"controls:{value} needs --controls, the column that says which wells "
                         "are controls, e.g. Metadata_Compound")
    texts = matrix.column_text(table, name, "--controls")
    found = np.array([t == value for t in texts], bool)
    if not found.any():
        there = ", ".join(sorted({str(t) for t in texts})[:8])
        raise DataError(f"--controls {name}: no row is {value}; there is {there}")
    return found
