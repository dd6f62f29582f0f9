"""Tables: Parquet on disk, Arrow streams in pipes, CSV from elsewhere; schema-checked both ways."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.ipc
import pyarrow.parquet as pq

from libcell.errors import DataError, MissingInput, reading, short
from libcell.schema import archives, versions
from libcell.schema.arrow import arrow_schema

ROW_GROUP = 32_768  # rows, of a table of up to WIDE columns
WIDE = 64
MAPPED = 65_536  # bytes; smaller parts are read, since a process may have 65,530 mappings
TOGETHER = 256  # rows, of parts that are put together before they wait to be written
METADATA = "Metadata_"


def from_columns(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """A table of kind `name` from columns of equal length; the required ones are cast.

    Columns beyond the required keep the order given. DataError names a required column that is
    missing or does not fit its type.
    """
    required = arrow_schema(name)
    arrays, fields = [], []
    for field in required:
        if field.name not in columns:
            raise DataError(f"table {name}: column {field.name!r} is missing")
        arrays.append(_array(columns[field.name], field.type, name, field.name))
        fields.append(field)
    for column, values in columns.items():
        if column not in required.names:
            array = _open_column(values)
            arrays.append(array)
            fields.append(pa.field(column, array.type))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _array(values: Any, kind: pa.DataType, table: str, column: str) -> pa.Array:
    try:
        if isinstance(values, (pa.Array, pa.ChunkedArray)):
            return values.cast(kind)
        return pa.array(values, type=kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        text = f"table {table}: column {column!r} does not fit {kind} ({error})"
        raise DataError(text) from error


def _open_column(values: Any) -> pa.Array:
    """The user's own columns; one with no value at all is text, so that parts can be joined."""
    array = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array


def stamp(table: pa.Table, name: str, provenance: Mapping[str, Any]) -> pa.Table:
    """The table with its schema mark and provenance as key-value metadata."""
    return table.replace_schema_metadata(
        {"schema": versions.tag(name), "provenance": json.dumps(provenance, sort_keys=True)}
    )


def mark(schema: pa.Schema) -> str | None:
    """The schema mark of a table, None if it has none."""
    found = (schema.metadata or {}).get(b"schema")
    return found.decode(errors="replace") if found else None


def provenance(schema: pa.Schema) -> dict[str, Any]:
    """The provenance of a table; empty if it has none."""
    found = (schema.metadata or {}).get(b"provenance")
    return json.loads(found) if found else {}


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file, its footer read; MissingInput or DataError in one line."""
    if not path.exists():
        raise MissingInput(f"{path}: not found")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; expected a Parquet file")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: is empty (0 bytes); expected a Parquet file")
    with reading(path, "not a readable Parquet file"):
        return pq.ParquetFile(path)


def read(path: Path, *names: str, columns: list[str] | None = None) -> pa.Table:
    """A whole table of one of the kinds `names`; CSV needs no mark, Parquet does."""
    if path.suffix.lower() == ".csv":
        table = read_csv(path)
    else:
        file = open_parquet(path)
        versions.require(mark(file.schema_arrow), *names, where=str(path))
        with reading(path, "cannot be decoded"):
            table = _sound(file.read(columns=columns))
    return _typed(table, names[0] if mark(table.schema) is None else _name(table), str(path))


def _name(table: pa.Table) -> str:
    return versions.split_tag(mark(table.schema))[0]


def read_csv(path: Path) -> pa.Table:
    if not path.exists():
        raise MissingInput(f"{path}: not found")
    with reading(path, "not a readable CSV table"):
        return _sound(pyarrow.csv.read_csv(path))


def from_stream(stream: io.BufferedReader, first: bytes, *names: str) -> pa.Table:
    """A table from standard input: an Arrow stream, a Parquet file or CSV, by its first bytes."""
    where = "standard input"
    with reading(where, "not a readable table"):
        if first.startswith(b"PAR1"):
            table = pq.read_table(io.BytesIO(stream.read()))
        elif first.startswith(b"\xff\xff\xff\xff"):
            table = pyarrow.ipc.open_stream(stream).read_all()
        elif first.startswith(b"ARROW1"):
            table = pyarrow.ipc.open_file(stream.read()).read_all()
        else:
            return _typed(_sound(pyarrow.csv.read_csv(stream)), names[0], where)
        _sound(table)
    versions.require(mark(table.schema), *names, where=where)
    return _typed(table, _name(table), where)


def _sound(table: pa.Table) -> pa.Table:
    """A table whose columns have a name each, and hold what they say; ArrowInvalid for others."""
    table.validate(full=True)
    name, count = next(iter(Counter(table.column_names).most_common(1)), ("", 0))
    if count > 1:
        raise pa.ArrowInvalid(f"column {name!r} stands in it {count} times")
    return table


def check(table: pa.Table, name: str, where: str) -> None:
    """DataError listing every required column that is missing or of another kind, and every one
    of the user's own that holds lists."""
    faults = []
    for field in arrow_schema(name):
        if field.name not in table.column_names:
            faults.append(f"column {field.name!r} is missing")
        elif not _castable(table.schema.field(field.name).type, field.type):
            kind = table.schema.field(field.name).type
            faults.append(f"column {field.name!r} is {kind}, expected {field.type}")
    known = set(arrow_schema(name).names)
    faults += [f"column {f.name!r} is {f.type}, expected single values" for f in table.schema
               if f.name.startswith(METADATA) and f.name not in known
               and pa.types.is_nested(f.type)]
    if faults:
        raise DataError(f"{where}: not a valid {versions.tag(name)}: {'; '.join(faults)}")


def _typed(table: pa.Table, name: str, where: str) -> pa.Table:
    """The table, checked, its required columns of the types that they should have: a CSV knows no
    text that looks like a number."""
    check(table, name, where)
    for field in arrow_schema(name):
        at = table.column_names.index(field.name)
        if table.schema.field(at).type != field.type:
            with reading(where, f"column {field.name!r} does not fit {field.type}"):
                table = table.set_column(at, field, table.column(at).cast(field.type))
    return table


def _castable(found: pa.DataType, wanted: pa.DataType) -> bool:
    number = (pa.types.is_integer, pa.types.is_floating)
    if any(is_kind(wanted) for is_kind in number):
        return any(is_kind(found) for is_kind in number) or pa.types.is_null(found)
    if pa.types.is_string(wanted):
        return pa.types.is_null(found) or any(
            f(found) for f in (pa.types.is_string, pa.types.is_large_string,
                               pa.types.is_dictionary, pa.types.is_integer)
        )
    return found == wanted


def read_inside(store: Path, name: str, kind: str) -> pa.Table:
    """The table `name` of a store that is a folder or a zip of one. MissingInput if it has none."""
    if not store.is_file():
        return read(store / name, kind)
    archives.require_moderate(store)
    with reading(store, f"{name} cannot be read"), zipfile.ZipFile(store) as archive:
        if name not in archive.namelist():
            raise MissingInput(f"{store}: holds no {name}")
        with archive.open(name) as file:
            return from_stream(io.BufferedReader(file), b"PAR1", kind)  # type: ignore[arg-type]


def unify(tables: Iterable[pa.Table]) -> pa.Schema:
    """One schema for parts that agree on names; a whole-number column may meet a real one.

    A part without any value in a column fits whatever the others have there: a well without a
    dose. DataError where a column is of types that do not go together.
    """
    try:
        told = list(dict.fromkeys(_told(t) for t in tables))
        joined = pa.unify_schemas(told, promote_options="permissive")
    except pa.ArrowTypeError as error:
        raise DataError(f"the parts do not make one table: {short(error)}") from error
    return pa.schema([f.with_type(pa.string()) if pa.types.is_null(f.type) else f for f in joined])


def _told(table: pa.Table) -> pa.Schema:
    """The schema; text without a value may stand for any type (see `_open_column`)."""
    return pa.schema([
        f.with_type(pa.null())
        if pa.types.is_string(f.type) and table.column(f.name).null_count == table.num_rows else f
        for f in table.schema
    ])


def write_parts(
    path: Path, parts: Iterable[pa.Table], schema: pa.Schema, name: str,
    provenance: Mapping[str, Any],
) -> int:
    """Write parts in order as one Parquet file with row groups of fixed size; returns the rows.

    The bytes depend on the rows alone, not on how they were cut into parts.
    """
    empty = stamp(schema.empty_table(), name, provenance)
    rows, size = 0, row_group(len(schema))
    # measurements seldom repeat: plain, they are smaller and read in half the time
    repeated = [f.name for f in schema if not pa.types.is_floating(f.type)]
    with pq.ParquetWriter(
            path, empty.schema, compression="zstd", use_dictionary=repeated) as writer:
        for batch in _regroup(parts, schema, size):
            rows += batch.num_rows
            writer.write_table(batch.cast(empty.schema), row_group_size=size)
    return rows


def row_group(columns: int) -> int:
    """Rows of one row group; fewer where columns are many, since a group is held as a whole."""
    return max(ROW_GROUP // max(1, -(-columns // WIDE)), 1024)


def _regroup(parts: Iterable[pa.Table], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """Tables of exactly `size` rows, the last one shorter."""
    waiting: list[list[pa.Array]] = [[] for _ in schema]  # chunks of each column
    count = 0
    for part in _joined(parts, schema):
        for chunks, column in zip(waiting, part.columns):
            chunks.extend(column.chunks)
        count += part.num_rows
        while count >= size:
            yield _taken(waiting, schema, size)
            count -= size
    if count:
        yield _taken(waiting, schema, count)


def _taken(waiting: list[list[pa.Array]], schema: pa.Schema, rows: int) -> pa.Table:
    """The first rows that wait, each column let go of as soon as it is in one piece."""
    arrays = []
    for i, field in enumerate(schema):
        column = pa.chunked_array(waiting[i], field.type)
        waiting[i] = column.slice(rows).chunks
        arrays.append(pa.concat_arrays(column.slice(0, rows).chunks))
    return pa.Table.from_arrays(arrays, schema=schema)


def _joined(parts: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Parts that hold rows, small ones put together: hundreds of columns of ten rows each take
    more for their arrays than for what is in them."""
    gathered: list[pa.Table] = []
    for part in parts:
        if part.num_rows:
            gathered.append(conform(part, schema))
        if sum(p.num_rows for p in gathered) >= TOGETHER:
            yield _one(gathered)
            gathered = []
    if gathered:
        yield _one(gathered)


def _one(some: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(some).combine_chunks() if len(some) > 1 else some[0]


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the columns of `schema`, in that order; absent ones are null."""
    if table.schema.equals(schema):
        return table.replace_schema_metadata(schema.metadata)
    there = set(table.column_names)
    columns = [
        _as(table.column(f.name), f.type) if f.name in there else pa.nulls(table.num_rows, f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column if column.type == kind else column.cast(kind)


def write_part(path: Path, table: pa.Table) -> None:
    """One block's rows as an Arrow file, there whole or not at all."""
    temporary = path.with_suffix(".tmp")
    with pyarrow.ipc.new_file(temporary, table.schema) as writer:
        writer.write_table(table)
    temporary.replace(path)


def pieces(
    parts: Iterable[tuple[Path, int]], start: int, stop: int
) -> list[tuple[Path, int, int]]:
    """Where rows start:stop of parts (file, rows) laid end to end are: file, first, last row."""
    found, first = [], 0
    for file, rows in parts:
        a, b = max(start - first, 0), min(stop - first, rows)
        if a < b:
            found.append((file, a, b))
        first += rows
    return found


def read_part(path: Path) -> pa.Table:
    """What `write_part` wrote."""
    if path.stat().st_size < MAPPED:
        return pyarrow.ipc.open_file(pa.py_buffer(path.read_bytes())).read_all()
    with pa.memory_map(str(path)) as file:
        return pyarrow.ipc.open_file(file).read_all()


@dataclass(frozen=True)
class Parts:
    """Tables that `write_part` left in `files`, each `changed`, given it and its number, if need
    be. One is read when its turn comes, as often as they are gone through, so that a million take
    no more memory than one."""

    files: Sequence[Path]
    changed: Callable[[pa.Table, int], pa.Table] | None = None

    def __iter__(self) -> Iterator[pa.Table]:
        for i, file in enumerate(self.files):
            part = read_part(file)
            yield self.changed(part, i) if self.changed else part
