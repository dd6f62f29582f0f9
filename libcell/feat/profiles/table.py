"""A table's features as a matrix, and back."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from libcell.data import matrix, tables
from libcell.errors import DataError, UsageFault
from libcell.schema.tables import METADATA, TABLES

KINDS = ("features", "embeddings", "profiles")


def kind_of(table: pa.Table) -> str:
    """features, embeddings or profiles; a CSV without a mark holds features."""
    return (tables.mark(table.schema) or "features/1").split("/")[0]


def feature_columns(table: pa.Table) -> list[str]:
    """The columns that are measurements: numbers, named as the table's schema says."""
    patterns = [p for p in TABLES[kind_of(table)].open_columns if p not in METADATA]
    found = [n for n in matrix.numeric_columns(table)
             if any(re.match(p, n) for p in patterns) and not n.startswith("Metadata_")]
    if not found:
        raise DataError(f"none of the {table.num_columns} columns is a feature")
    return found


def with_matrix(table: pa.Table, names: Sequence[str], values: np.ndarray) -> pa.Table:
    """The table with the columns `names` replaced by those of `values` (n,p)."""
    place = {name: i for i, name in enumerate(table.column_names)}
    arrays, fields = list(table.columns), list(table.schema)
    for i, name in enumerate(names):
        arrays[place[name]] = pa.array(np.ascontiguousarray(values[:, i]), pa.float64())
        fields[place[name]] = pa.field(name, pa.float64())
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, table.schema.metadata))


def group_rows(table: pa.Table, by: Sequence[str]) -> dict[tuple[str | None, ...], np.ndarray]:
    """Row numbers of each group of values of the columns `by`, in order of appearance.

    Rows without a value form a group of their own: a table without plates is one plate.
    """
    columns = [matrix.column_text(table, name, "--by") for name in by]
    keys = list(zip(*columns)) if columns else [()] * table.num_rows
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    place = np.array([number[k] for k in keys], np.int64)
    order = np.argsort(place, kind="stable")
    cuts = np.cumsum(np.bincount(place, minlength=len(number)))[:-1]
    return dict(zip(number, np.split(order, cuts)))


def rows_where(table: pa.Table, wanted: Sequence[str]) -> np.ndarray:
    """Rows (n,) bool that have one of the values `COLUMN=VALUE`; all where none is given."""
    if not wanted:
        return np.ones(table.num_rows, bool)
    found = np.zeros(table.num_rows, bool)
    for text in wanted:
        name, _, value = text.partition("=")
        if not value:
            raise UsageFault(f"--controls {text}: expected COLUMN=VALUE, as Metadata_Compound=DMSO")
        values = matrix.column_text(table, name, "--controls")
        found |= np.array([v == value for v in values], bool)
    if not found.any():
        raise DataError(f"--controls {', '.join(wanted)}: no row is one")
    return found
