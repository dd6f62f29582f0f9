"""Judge whatever lies at a path against the contract."""

import json
from pathlib import Path
from typing import Any

from libcell.errors import DataError, reading
from libcell.schema.check_store import check_folder, check_zarr
from libcell.schema.check_table import check_parquet, check_table
from libcell.schema.records import Provenance, Record
from libcell.schema.stores import BUNDLE, STORES
from libcell.schema.tables import TABLES
from libcell.schema.violations import Violation, of_model


def validate(path: Path) -> list[Violation]:
    """Every violation at `path`: a table, store, model, bundle, or a JSON example of one."""
    if not path.exists():
        return [Violation(str(path), "not found")]
    if path.is_file():
        return _validate_file(path)
    if (path / "model.json").exists() or path.suffix == ".model":
        return check_folder(path, "model.json", "model")
    if path.suffix == ".tracks":
        return check_folder(path, "zarr.json", "tracks")
    if (path / "zarr.json").exists() or path.suffix == ".zarr":
        return check_zarr(path)
    return _validate_bundle(path)


def _validate_file(path: Path) -> list[Violation]:
    if path.suffix == ".json":
        return _validate_json(path)
    if path.suffix == ".zip":
        return check_zarr(path)
    return check_parquet(path)


def _validate_bundle(path: Path) -> list[Violation]:
    members = [name for name in BUNDLE if (path / name).exists()]
    if not members:
        text = f"not an output of libcell; a bundle holds {', '.join(BUNDLE)}"
        return [Violation(str(path), text)]
    return [v for name in members for v in validate(path / name)]


def _validate_json(path: Path) -> list[Violation]:
    try:
        with reading(path, "is not JSON"):
            value = json.loads(path.read_text())
    except DataError as error:
        return [Violation(str(path), str(error))]
    return validate_json(value, str(path))


def validate_json(value: Any, place: str) -> list[Violation]:
    """A record, the attributes of a store, a model card, or a table as `{schema, rows}`."""
    if not isinstance(value, dict) or not isinstance(value.get("schema"), str):
        return [Violation(f"{place}:schema", "is missing")]
    name, _, major = value["schema"].partition("/")
    if "path" in value:
        return of_model(Record, value, place)
    if name in TABLES and major == "1":
        return _validate_rows(name, value, place)
    if name in STORES and major == "1":
        return of_model(STORES[name], value, place)
    return [Violation(f"{place}:schema", f"{value['schema']} is not known")]


def _validate_rows(name: str, value: dict[str, Any], place: str) -> list[Violation]:
    import pyarrow as pa

    from libcell.schema.arrow import arrow_schema

    found = of_model(Provenance, value.get("provenance"), f"{place}:provenance")
    rows = value.get("rows")
    if not isinstance(rows, list):
        return [*found, Violation(f"{place}:rows", "is missing")]
    for i, row in enumerate(rows):
        found += of_model(TABLES[name], row, f"{place}:rows[{i}]")
    if found or not rows:
        return found
    columns = {c: [r.get(c) for r in rows] for c in {k: None for r in rows for k in r}}
    kinds = {f.name: f.type for f in arrow_schema(name)}
    made = {}
    for column, values in columns.items():
        try:
            made[column] = pa.array(values, type=kinds.get(column))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            found.append(Violation(f"{place}:{column}", f"holds values of mixed types ({error})"))
    return found or check_table(pa.table(made), name, place)
