"""Parquet and Arrow whose columns are of other types, or whose metadata lies."""

import io
import random
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from tests.fuzz.values import INTEGERS, REALS, TEXTS

TYPES = (pa.string(), pa.large_string(), pa.binary(), pa.int8(), pa.uint64(), pa.float16(),
         pa.float64(), pa.bool_(), pa.null(), pa.timestamp("ns"), pa.date32(), pa.duration("s"),
         pa.decimal128(5, 2), pa.list_(pa.int64()), pa.struct([("a", pa.int64())]),
         pa.dictionary(pa.int32(), pa.string()), pa.map_(pa.string(), pa.int64()))
MARKS = (b"features/1", b"objects/1", b"embeddings/2", b"x", b"", b"/", b"\xff\xfe", b"links/1",
         b"features/99999999999999999999", b"image/1")


def mutate(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """One change to a table, written again as what it was. ArrowInvalid where it is none."""
    table, form = _read(content)
    kind = rng.choice(("type", "type", "null", "value", "value", "drop", "rename", "rows", "mark",
                       "provenance", "repeat", "extra", "order"))
    name = rng.choice(table.column_names) if table.column_names else ""
    made = _changed(table, name, kind, rng)
    return _write(made, form, rng), f"{kind} of {name}"


def _read(content: bytes) -> tuple[pa.Table, str]:
    if content.startswith(b"PAR1"):
        return pq.read_table(io.BytesIO(content)), "parquet"
    if content.startswith(b"ARROW1"):
        return pyarrow.ipc.open_file(content).read_all(), "file"
    return pyarrow.ipc.open_stream(content).read_all(), "stream"


def _write(table: pa.Table, form: str, rng: random.Random) -> bytes:
    sink = io.BytesIO()
    if form == "parquet":
        pq.write_table(table, sink, compression=rng.choice(("zstd", "snappy", "none", "gzip")),
                       row_group_size=rng.choice((None, 1, 7)))
    else:
        opened = pyarrow.ipc.new_stream if form == "stream" else pyarrow.ipc.new_file
        with opened(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


def _changed(table: pa.Table, name: str, kind: str, rng: random.Random) -> pa.Table:
    metadata = dict(table.schema.metadata or {})
    n, at = table.num_rows, table.column_names.index(name) if name else 0
    if kind == "mark":
        return table.replace_schema_metadata(metadata | {b"schema": rng.choice(MARKS)})
    if kind == "provenance":
        told = rng.choice((b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"null", b'{"inputs": 1}'))
        return table.replace_schema_metadata(metadata | {b"provenance": told})
    if kind == "rows":
        return rng.choice((table.slice(0, 0), table.slice(0, 1), pa.concat_tables([table, table])))
    if not name:
        return table
    if kind == "drop":
        return table.drop_columns([name])
    if kind == "rename":
        names = list(table.column_names)
        names[at] = rng.choice((*TEXTS[:30], *names)).replace("\ud800", "")
        return table.rename_columns(names)
    if kind == "order":
        names = list(table.column_names)
        rng.shuffle(names)
        return table.select(names)
    if kind == "repeat":
        return table.append_column(name, table.column(name))
    if kind == "extra":
        extra = rng.choice(("Metadata_New", "p_new", "emb_9999", "Metadata_", "z"))
        return table.append_column(extra, _filled(rng.choice(TYPES), n))
    if kind == "null":
        mask = pa.array([rng.random() < 0.5 for _ in range(n)], pa.bool_())
        import pyarrow.compute as pc

        return _set(table, at, pc.if_else(mask, pa.scalar(None, table.column(name).type),
                                          table.column(name)))
    if kind == "type":
        return _set(table, at, _retyped(table.column(name), rng.choice(TYPES), n))
    return _set(table, at, _odd(table.column(name), rng))


def _set(table: pa.Table, at: int, column: Any) -> pa.Table:
    made = table.set_column(at, table.column_names[at], column)
    return made.replace_schema_metadata(table.schema.metadata)


def _retyped(column: pa.ChunkedArray, kind: pa.DataType, n: int) -> Any:
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return _filled(kind, n)


def _filled(kind: pa.DataType, n: int) -> pa.Array:
    values = {pa.binary(): b"\xff", pa.struct([("a", pa.int64())]): {"a": 1},
              pa.list_(pa.int64()): [1, 2], pa.map_(pa.string(), pa.int64()): [("a", 1)],
              pa.bool_(): True}
    try:
        return pa.array([values.get(kind, 1)] * n, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array(["1"] * n).dictionary_encode() if pa.types.is_dictionary(kind) \
            else pa.array(["x"] * n, kind) if pa.types.is_string(kind) or pa.types.is_large_string(
                kind) else pa.nulls(n, kind)


def _odd(column: pa.ChunkedArray, rng: random.Random) -> pa.Array:
    """Some values of a column, in its own type, are ones that nobody expects."""
    pool: Any = TEXTS
    if pa.types.is_integer(column.type):
        pool = INTEGERS
    elif pa.types.is_floating(column.type):
        pool = REALS
    values = column.to_pylist()
    for i in range(len(values)):
        if rng.random() < 0.3:
            values[i] = rng.choice(pool)
    try:
        return pa.array(values, column.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError, TypeError):
        return column
