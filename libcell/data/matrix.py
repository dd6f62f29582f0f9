"""From a table to a matrix of features, a target and groups."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from libcell.errors import DataError, reading

WELL = ("Metadata_Plate", "Metadata_Well")
# what stands for a well where there are none, the widest first
WIDER = ("Metadata_Plate", "Metadata_Batch", "Metadata_Donor", "Metadata_Movie", "track_id")


def matrix(table: pa.Table, names: Sequence[str], order: Literal["C", "F"] = "C") -> np.ndarray:
    """Float64 (n, p) of the columns `names`; nulls are NaN. `order` is that of numpy: F where it is
    gone through column by column."""
    made = np.empty((table.num_rows, len(names)), order=order)
    for i, name in enumerate(names):
        made[:, i] = table.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return made


def numeric_columns(table: pa.Table) -> list[str]:
    """Names of the columns that hold numbers or truth values."""
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    return [f.name for f in table.schema if any(is_kind(f.type) for is_kind in kinds)]


def column_text(table: pa.Table, name: str, what: str) -> np.ndarray:
    """A column as text (n,), None where null. DataError names the columns there are."""
    if name not in table.column_names:
        own = ", ".join(n for n in table.column_names if n.startswith("Metadata_"))
        raise DataError(f"{what} {name!r}: no such column; the table has {own}")
    return table.column(name).cast(pa.string()).to_numpy(zero_copy_only=False)


def default_group(table: pa.Table) -> tuple[str, ...]:
    """Columns whose rows must not be parted: wells where there are any, else plates, batches,
    donors, movies or tracks, else images."""
    def told(name: str) -> bool:
        return name in table.column_names and table.column(name).null_count < table.num_rows

    if told("Metadata_Well"):
        return tuple(n for n in WELL if told(n))
    return next(((n,) for n in WIDER if told(n)), ("Metadata_Image",))


def groups(table: pa.Table, columns: Sequence[str]) -> np.ndarray:
    """The group of each row (n,) as text: the values of `columns` joined by /.

    A well's name repeats on every plate, so the plate belongs to it.
    """
    parts = [column_text(table, c, "--group") for c in columns]
    missing = [c for c, p in zip(columns, parts) if any(v is None for v in p)]
    if missing:
        raise DataError(f"--group {missing[0]}: some rows have no value")
    return np.array(["/".join(row) for row in zip(*parts)], dtype=object)


def parts_of(table: pa.Table, split: Mapping[str, Any]) -> list[str]:
    """The part of a model's split (see its card) that each row's group was in; `new` for others.

    Where the table lacks a column that the groups are made of, every row is new.
    """
    with reading("the model's card", "its split is none"):
        if any(c not in table.column_names for c in split["by"]):
            return ["new"] * table.num_rows
        part = {g: name for name, some in split["groups"].items() for g in some}
        columns = [column_text(table, c, "group") for c in split["by"]]
        return [part.get("/".join(map(str, row)), "new") for row in zip(*columns)]


def chosen_rows(table: pa.Table, target: str, classes: Sequence[str]) -> pa.Table:
    """Rows that have a target, of the classes asked for (all if none is named)."""
    values = column_text(table, target, "--target")
    keep = np.array([v is not None and (not classes or v in classes) for v in values], bool)
    unknown = sorted(set(classes) - set(values.tolist()))
    if unknown:
        there = ", ".join(sorted({str(v) for v in values if v is not None}))
        raise DataError(f"--classes: {target} never is {unknown[0]!r}; it is one of {there}")
    if not keep.any():
        raise DataError(f"--target {target}: no row has a value")
    return table.filter(pa.array(keep))


def sampled(table: pa.Table, labels: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """Row numbers, sorted: at most `per_class` rows of each class, drawn without replacement."""
    random = np.random.default_rng(seed)
    kept = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        kept.append(random.permutation(rows)[:per_class])
    return np.sort(np.concatenate(kept))


def row_count(table: pa.Table, column: str) -> dict[str, int]:
    """How often each value of a column occurs."""
    counted = pc.value_counts(table.column(column).combine_chunks())
    return {str(c["values"]): int(c["counts"]) for c in counted.to_pylist()}
