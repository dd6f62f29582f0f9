"""Stages that are known elsewhere: a table joined to a crop store's index by its keys."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from libcell.data import matrix, tables
from libcell.errors import DataError, UsageFault

KEYS = ("object_id", "Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_Image",
        "Metadata_T", "Metadata_Label")
LEAST = ("Metadata_T", "Metadata_Label")


def joined(index: pa.Table, path: str | None, column: str) -> pa.Table:
    """The index with `column` of the table at `path` (CSV or Parquet), found by `object_id` or by
    all keys that both have; null where the table has no row. Without a path the index as it is.

    DataError where the table lacks the column or the keys, or names an object twice.
    """
    if not path:
        return index
    table = read(Path(path))
    values = matrix.column_text(table, column, "--target")
    ids = _keys(index, table, path)
    known: dict[tuple[str, ...], str | None] = {}
    for key, value in zip(_rows(table, ids), values):
        if known.setdefault(key, value) != value:
            raise DataError(f"{path}: names {', '.join(key)} ({', '.join(ids)}) twice, as "
                            f"{known[key]} and {value}")
    found = [known.get(key) for key in _rows(index, ids)]
    if index.num_rows and not any(v is not None for v in found):
        raise DataError(f"{path}: no row is of an object of the crop store, by {', '.join(ids)}")
    if column in index.column_names:
        index = index.drop_columns([column])
    return index.append_column(column, pa.array(found, pa.string()))


def read(path: Path) -> pa.Table:
    """A table in CSV or Parquet."""
    if path.suffix.lower() == ".csv":
        return tables.read_csv(path)
    return tables.open_parquet(path).read()


def _keys(index: pa.Table, table: pa.Table, path: str) -> list[str]:
    there = [k for k in KEYS if k in table.column_names and k in index.column_names
             and index.column(k).null_count == 0]
    if "object_id" in there:
        return ["object_id"]
    if not set(LEAST) <= set(there):
        raise UsageFault(f"--truth {path}: needs object_id, or {' and '.join(LEAST)} and what "
                         f"tells the field of view; it has {', '.join(table.column_names)}")
    return there


def _rows(table: pa.Table, keys: list[str]) -> list[tuple[str, ...]]:
    columns = [np.asarray(matrix.column_text(table, k, "--truth")).astype(str) for k in keys]
    return list(zip(*(c.tolist() for c in columns)))
