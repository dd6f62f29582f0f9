"""Validate a table against its row model, column by column."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import annotated_types
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from libcell.errors import DataError, reading
from libcell.schema.arrow import arrow_schema
from libcell.schema.records import Provenance
from libcell.schema.tables import TABLES, Table
from libcell.schema.versions import MAJOR, require, split_tag
from libcell.schema.violations import Violation, of_model

SUM_TOLERANCE = 1e-6


def check_parquet(path: Path, *kinds: str) -> list[Violation]:
    """Every violation in a Parquet file; `kinds` narrows what it may be."""
    try:
        with reading(path, "not a readable Parquet file"):
            file = pq.ParquetFile(path)
            metadata = file.schema_arrow.metadata or {}
            mark = metadata.get(b"schema", b"").decode(errors="replace") or None
            name = require(mark, *(kinds or TABLES), where="schema")
            table = file.read()
            table.validate(full=True)
    except DataError as error:
        return [Violation(str(path), str(error))]
    found = of_provenance(metadata.get(b"provenance"), str(path))
    return found + check_table(table, name, str(path))


def of_provenance(raw: bytes | None, place: str) -> list[Violation]:
    """Faults of a provenance block as it stands in Parquet metadata."""
    if raw is None:
        return [Violation(place, "provenance is missing")]
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return [Violation(f"{place}:provenance", "is not JSON")]
    return of_model(Provenance, value, f"{place}:provenance")


def check_table(table: pa.Table, name: str, place: str) -> list[Violation]:
    """Every violation in an Arrow table of kind `name`."""
    model = TABLES[name]
    twice = sorted(n for n, count in Counter(table.column_names).items() if count > 1)
    if twice:
        return [Violation(f"{place}:{n}", "stands in it twice") for n in twice]
    found: list[Violation] = []
    for field in arrow_schema(name):
        if field.name not in table.column_names:
            found.append(Violation(f"{place}:{field.name}", "column is missing"))
            continue
        found += _check_column(table.column(field.name), field, model, place)
    found += _check_open(table, model, place)
    found += _check_unique(table, model, place)
    if name == "predictions":
        found += _check_sum(table, place)
    return found


def _check_column(
    column: pa.ChunkedArray, field: pa.Field, model: type[Table], place: str
) -> list[Violation]:
    here = f"{place}:{field.name}"
    if column.type != field.type and not (pa.types.is_null(column.type) and field.nullable):
        return [Violation(here, f"is {column.type}, expected {field.type}")]
    if column.null_count and not field.nullable:
        row = _first(pc.is_null(column))
        return [Violation(f"{here}[{row}]", f"null ({column.null_count} in all)")]
    return [v for rule in _rules(model, field.name) for v in _check_rule(column, rule, here)]


def _rules(model: type[Table], column: str) -> list[Any]:
    info = model.model_fields[column]
    return [m for m in info.metadata if isinstance(m, (annotated_types.Ge, annotated_types.Le,
                                                       annotated_types.MinLen))]


def _check_rule(column: pa.ChunkedArray, rule: Any, here: str) -> list[Violation]:
    if isinstance(rule, annotated_types.Ge):
        bad, text = pc.less(column, rule.ge), f"below {rule.ge}"
    elif isinstance(rule, annotated_types.Le):
        bad, text = pc.greater(column, rule.le), f"above {rule.le}"
    else:
        bad, text = pc.less(pc.utf8_length(column), rule.min_length), "empty"
    count = pc.sum(bad).as_py() or 0
    return [Violation(f"{here}[{_first(bad)}]", f"{text} ({count} in all)")] if count else []


def _first(mask: pa.ChunkedArray) -> int:
    return int(pc.index(pc.fill_null(mask, False), True).as_py())


def _check_open(table: pa.Table, model: type[Table], place: str) -> list[Violation]:
    """Columns whose names have a meaning must hold numbers, probabilities where they say so."""
    found = []
    for name in table.column_names:
        if name in model.model_fields:
            continue
        kinds = [kind for regex, (kind, _) in model.open_columns.items() if re.search(regex, name)]
        if not kinds or kinds[0] == "any":
            continue
        column = table.column(name)
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            found.append(Violation(f"{place}:{name}", f"is {column.type}, expected a number"))
        elif kinds[0] == "probability" and column.length():
            low, high = pc.min(column).as_py(), pc.max(column).as_py()
            if low is not None and (low < 0 or high > 1):
                found.append(Violation(f"{place}:{name}", f"{low}..{high} is outside 0..1"))
    return found


def _check_unique(table: pa.Table, model: type[Table], place: str) -> list[Violation]:
    keys = [k for k in model.unique if k in table.column_names]
    if not keys or len(keys) != len(model.unique):
        return []
    counts = table.group_by(keys).aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts.column("count_all"), 1))
    if not repeated.num_rows:
        return []
    example = ", ".join(str(repeated.column(k)[0].as_py()) for k in keys)
    return [Violation(f"{place}:{','.join(keys)}",
                      f"{repeated.num_rows} values repeat, e.g. {example}")]


def _check_sum(table: pa.Table, place: str) -> list[Violation]:
    names = [n for n in table.column_names if n.startswith("p_")]
    if not names:
        return [Violation(place, "has no probability columns p_<class>")]
    if not table.num_rows:
        return []
    total = table.column(names[0])
    for name in names[1:]:
        total = pc.add(total, table.column(name))
    off = pc.greater(pc.abs(pc.subtract(total, 1.0)), SUM_TOLERANCE)
    if not pc.any(off).as_py():
        return []
    return [Violation(f"{place}:p_*[{_first(off)}]", "probabilities do not add up to 1")]


def table_kind(mark: str) -> str | None:
    """The table a schema mark names, None if it names something else."""
    name = split_tag(mark)[0]
    return name if name in TABLES and name in MAJOR else None
