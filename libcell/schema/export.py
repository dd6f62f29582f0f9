"""The JSON Schemas of everything, made from the models; `make schemas` writes them."""

import json
from pathlib import Path
from typing import Any

from libcell.schema.records import Provenance, Record
from libcell.schema.stores import STORES
from libcell.schema.tables import TABLES, Table
from libcell.schema.versions import tag

DRAFT = "https://json-schema.org/draft/2020-12/schema"
KINDS: dict[str, dict[str, Any]] = {
    "any": {},
    "number": {"type": ["number", "null"]},
    "probability": {"type": "number", "minimum": 0, "maximum": 1},
}


def table_schema(name: str) -> dict[str, Any]:
    """A table as `{"schema", "provenance", "rows"}`; on disk the first two are metadata."""
    model = TABLES[name]
    provenance = Provenance.model_json_schema()
    return {
        "$schema": DRAFT,
        "title": tag(name),
        "description": _about(model),
        "type": "object",
        "required": ["schema", "provenance", "rows"],
        "properties": {
            "schema": {"const": tag(name)},
            "provenance": provenance,
            "rows": {"type": "array", "items": _row(model)},
        },
        "$defs": provenance.pop("$defs"),  # references start at the document's root
        "x-unique": list(model.unique),
    }


def _row(model: type[Table]) -> dict[str, Any]:
    row = model.model_json_schema()
    row.pop("description", None)
    row["patternProperties"] = {
        regex: KINDS[kind] | {"description": about}
        for regex, (kind, about) in model.open_columns.items()
    }
    return row


def _about(model: type) -> str:
    return " ".join((model.__doc__ or "").split())


def all_schemas() -> dict[str, dict[str, Any]]:
    """File name -> JSON Schema."""
    found = {f"{name}.schema.json": table_schema(name) for name in TABLES}
    for name, model in STORES.items():
        found[f"{name}.schema.json"] = {"$schema": DRAFT} | model.model_json_schema()
    found["record.schema.json"] = {"$schema": DRAFT} | Record.model_json_schema()
    return found


def write(folder: Path) -> list[Path]:
    """Write every schema into `folder`; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, schema in sorted(all_schemas().items()):
        path = folder / name
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
        made.append(path)
    return made
