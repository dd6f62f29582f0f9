"""Options from a TOML file (`--config FILE` or `CELL_CONFIG`) and from a method's presets.

Below the command line and CELL_*; a file wins over a preset.
"""

import json
import os
from collections.abc import Iterable
from typing import Any

from libcell.errors import MissingInput, UsageFault, reading


def default_map(room: str, args: list[str]) -> dict[str, Any]:
    """Defaults per method of a room: those of a preset, then of a file, that the arguments or
    the environment name.

    A file holds options of any method at its top, and tables `[segment]` and
    `[segment.threshold]` for one command or one method, the narrower one winning.
    """
    path = _named(args, "--config", "CELL_CONFIG")
    preset = _named(args, "--preset", f"CELL_{room}_PRESET".upper())
    if path is None and preset is None:
        return {}
    from libcell.run import registry

    method = next((a for a in args if a in registry.names(room)), None)
    if method is None:
        return {}
    filed = _of_file(room, method, path) if path else {}
    presets = registry.load(room, method).presets
    chosen = presets.get(preset or str(filed.get("preset")), {})
    return {method: _as_lists({**chosen, **filed}, room, method)}


def _of_file(room: str, method: str, path: str) -> dict[str, Any]:
    """What a file says for one method."""
    from libcell.run import registry

    content = _load(path)
    own = _table(content, room)
    narrow = _table(own, method)
    _require_tables(content, registry.ROOMS, path)
    _require_tables(own, registry.names(room), path)
    every = [(r, n) for r in registry.ROOMS for n in registry.names(r)]
    mine = _known([(room, method)])
    merged: dict[str, Any] = {}
    for layer, where in (
        (content, every), (own, [(room, n) for n in registry.names(room)]), (narrow, []),
    ):
        values = {k.replace("-", "_"): v for k, v in layer.items() if not isinstance(v, dict)}
        strange = set(values) - mine
        if strange:  # fine where it belongs to another method that reads the same file
            _refuse(sorted(strange - _known(where)), path, f"cell-{room} {method}", mine)
        merged |= {k: v for k, v in values.items() if k not in strange}
    return merged


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name, {})
    return found if isinstance(found, dict) else {}


def _require_tables(content: dict[str, Any], known: Iterable[str], path: str) -> None:
    strange = [k for k, v in content.items() if isinstance(v, dict) and k not in known]
    if strange:
        raise UsageFault(f"{path}: unknown table {', '.join(strange)}; "
                         f"there are {', '.join(known)}")


def _known(methods: list[tuple[str, str]]) -> set[str]:
    """Names of the options that any of these methods has, the common ones included."""
    from libcell.cli.options import Common
    from libcell.run import registry
    from libcell.run.method import option_fields

    classes = [Common, *(registry.load(r, n).options for r, n in methods)]
    return {f.name for c in classes for f in option_fields(c)}


def _refuse(strange: list[str], path: str, command: str, known: set[str]) -> None:
    if strange:
        raise UsageFault(f"{path}: unknown option {', '.join(strange)}; {command} has "
                         f"{', '.join(sorted(known))}")


def _as_lists(values: dict[str, Any], room: str, method: str) -> dict[str, Any]:
    """An option that may be given several times may stand alone, too: channels = "DNA,GFP"."""
    from libcell.run import registry
    from libcell.run.method import option_fields

    many = {f.name for f in option_fields(registry.load(room, method).options) if f.many}

    def listed(value: Any) -> list[Any]:
        return list(value) if isinstance(value, (list, tuple)) else [value]

    return {k: listed(v) if k in many else v for k, v in values.items()}


def _named(args: list[str], flag: str, variable: str) -> str | None:
    """The value of an option that must be known before all others."""
    for here, following in zip(args, [*args[1:], None]):
        if here == flag:
            return following
        if here.startswith(f"{flag}="):
            return here.partition("=")[2]
    return os.environ.get(variable) or None


def _load(path: str) -> dict[str, Any]:
    import tomllib

    if not os.path.exists(path):  # noqa: PTH110  pathlib is not worth its import here
        raise MissingInput(f"{path}: configuration file not found")
    with reading(path, "not valid TOML"), open(path, "rb") as file:  # noqa: PTH123
        return tomllib.load(file)


def dump(values: dict[str, Any]) -> str:
    """Options as TOML; unset ones as comments."""
    lines = [
        f"# {key} =" if value is None else f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
    ]
    return "\n".join(lines) + "\n"
