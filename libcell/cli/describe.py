"""`--describe`: a command's parameters, inputs and outputs as JSON, for workflow systems."""

import json
import sys
from typing import Any

from libcell import __version__
from libcell.cli.options import Common
from libcell.run import registry
from libcell.run.method import Method, OptionField, option_fields
from libcell.schema.versions import shown

KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def describe_room(room: str) -> dict[str, Any]:
    """All methods of a command."""
    methods = [describe_method(room, registry.load(room, n)) for n in registry.names(room)]
    return {"command": f"cell-{room}", "version": __version__, "methods": methods}


def describe_method(room: str, method: Method) -> dict[str, Any]:
    """One subcommand: what it reads and writes, and every option with its type."""
    return {
        "command": f"cell-{room} {method.name}",
        "version": __version__,
        "summary": method.summary,
        "inputs": [shown(r) for r in method.reads],
        "output": {"schema": shown(method.writes), "suffix": method.suffix,
                   "streams": method.streams, "optional": method.optional,
                   "also": [{"schema": shown(n), "suffix": s} for n, s in method.also]},
        "parameters": [_option(f, f"CELL_{room}_{f.name}") for f in option_fields(method.options)],
        "common": [_option(f, f"CELL_{f.name}") for f in option_fields(Common)],
        "needs": method.needs or None,
        "paper": method.paper or None,
        "example": method.example,
    }


def _option(field: OptionField, variable: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": field.name,
        "flags": [flag for pair in field.flags for flag in pair.split("/")],
        "type": "path" if field.opt.path else KINDS[field.kind],
        "many": field.many,
        "first_input": field.opt.first,
        "last_input": field.opt.last,
        "required": field.required,
        "default": None if field.required else field.default,
        "help": field.opt.help,
        "env": variable.upper(),
    }
    limits = {"choices": list(field.opt.choices), "min": field.opt.least, "max": field.opt.most}
    return described | {k: v for k, v in limits.items() if v not in (None, [])}


def write(value: dict[str, Any]) -> None:
    """JSON to standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
