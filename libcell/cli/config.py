"""Options from a TOML file: `--config FILE` or `CELL_CONFIG`; below the command line and CELL_*."""

import json
import os
from typing import Any

from libcell.errors import DataError, MissingInput, UsageFault


def default_map(room: str, args: list[str]) -> dict[str, Any]:
    """Defaults per method of a room, from the file that the arguments or CELL_CONFIG name.

    A file holds options of any method at its top, and tables `[segment]` and
    `[segment.threshold]` for one command or one method, the narrower one winning.
    """
    path = _config_path(args)
    if path is None:
        return {}
    from libcell.run import registry

    content = _load(path)
    method = next((a for a in args if a in registry.names(room)), None)
    if method is None:
        return {}
    own = content.get(room, {})
    layers = [content, own, own.get(method, {})]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= {k.replace("-", "_"): v for k, v in layer.items() if not isinstance(v, dict)}
    _require_known(merged, room, method, path)
    return {method: merged}


def _require_known(merged: dict[str, Any], room: str, method: str, path: str) -> None:
    from libcell.cli.options import Common
    from libcell.run import registry
    from libcell.run.method import option_fields

    options = registry.load(room, method).options
    known = {f.name for f in [*option_fields(Common), *option_fields(options)]}
    unknown = sorted(set(merged) - known)
    if unknown:
        raise UsageFault(
            f"{path}: unknown option {', '.join(unknown)}; cell-{room} {method} has "
            f"{', '.join(sorted(known))}"
        )


def _config_path(args: list[str]) -> str | None:
    for here, following in zip(args, [*args[1:], None]):
        if here == "--config":
            return following
        if here.startswith("--config="):
            return here.partition("=")[2]
    return os.environ.get("CELL_CONFIG") or None


def _load(path: str) -> dict[str, Any]:
    import tomllib

    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib is not worth its import here
            return tomllib.load(file)
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: configuration file not found") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path}: not valid TOML ({error})") from error


def dump(values: dict[str, Any]) -> str:
    """Options as TOML; unset ones as comments."""
    lines = [
        f"# {key} =" if value is None else f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
    ]
    return "\n".join(lines) + "\n"
