"""The committed JSON Schemas and examples say what the models say."""

import json
from pathlib import Path

import jsonschema
import pytest

from libcell.schema.export import all_schemas, write
from libcell.schema.stores import STORES
from libcell.schema.tables import TABLES
from libcell.schema.validate import validate_json

MADE = all_schemas()
SCHEMAS = Path(__file__).parent.parent.parent / "schemas"
VALID = sorted((SCHEMAS / "examples" / "valid").glob("*.json"))
INVALID = sorted((SCHEMAS / "examples" / "invalid").glob("*.json"))
# rules about several rows or columns at once, which JSON Schema cannot express
BEYOND_JSON_SCHEMA = {"objects-id-repeats", "layout-well-repeats", "predictions-sum"}


def schema_of(path):
    """The committed schema of an example: its file is named after it."""
    name = path.stem.split("-")[0]
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def test_committed_schemas_are_up_to_date(tmp_path):
    made = {p.name: p.read_text() for p in write(tmp_path)}
    committed = {p.name: p.read_text() for p in SCHEMAS.glob("*.schema.json")}
    assert committed == made, "schemas/ is out of date: run `make schemas`"


@pytest.mark.parametrize("name", sorted(MADE))
def test_schemas_are_valid_json_schema(name):
    jsonschema.Draft202012Validator.check_schema(MADE[name])


def test_everything_has_examples():
    wanted = {*TABLES, *STORES, "record"}
    assert {p.stem for p in VALID} == wanted
    assert {p.stem.split("-")[0] for p in INVALID} == wanted


@pytest.mark.parametrize("path", VALID, ids=lambda p: p.stem)
def test_valid_examples(path):
    value = json.loads(path.read_text())
    assert validate_json(value, path.name) == []
    jsonschema.Draft202012Validator(schema_of(path)).validate(value)


@pytest.mark.parametrize("path", INVALID, ids=lambda p: p.stem)
def test_invalid_examples(path):
    value = json.loads(path.read_text())
    found = validate_json(value, path.name)
    assert found
    assert all(v.place.startswith(path.name) for v in found)
    accepted = jsonschema.Draft202012Validator(schema_of(path)).is_valid(value)
    assert accepted == (path.stem in BEYOND_JSON_SCHEMA)
