"""From a table's row model to an Arrow schema."""

import types
import typing

import pyarrow as pa

from libcell.schema.tables import TABLES, Arrow

PLAIN = {str: "string", int: "int64", float: "float64", bool: "bool"}


def _arrow_type(annotation: object, metadata: list[object]) -> tuple[pa.DataType, bool]:
    """Arrow type and nullability of one model field."""
    marks = [m.name for m in metadata if isinstance(m, Arrow)]
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = [a for a in typing.get_args(annotation) if a is not type(None)]
        return _arrow_type(inner[0], metadata)[0], True
    if origin is typing.Annotated:
        base, *extra = typing.get_args(annotation)
        return _arrow_type(base, [*metadata, *extra])
    if origin is typing.Literal:
        return pa.string(), False
    name = marks[0] if marks else PLAIN[typing.cast(type, annotation)]
    return pa.type_for_alias(name), False


def arrow_schema(name: str) -> pa.Schema:
    """The required columns of table `name` in order, without open columns or metadata."""
    fields = []
    for column, info in TABLES[name].model_fields.items():
        kind, nullable = _arrow_type(info.annotation, list(info.metadata))
        fields.append(pa.field(column, kind, nullable=nullable))
    return pa.schema(fields)
