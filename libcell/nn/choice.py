"""Options of what is chosen by name: a head, a pooling, a way to explain.

Each brings a dataclass `Options` of str, int, float or bool fields, all with a default, which are
given as `name=value`, in text.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from libcell.errors import UsageFault


def pairs(flag: str, given: Iterable[str]) -> dict[str, str]:
    """`name=value` texts by name. UsageFault, naming the option `flag`, for another."""
    found = {}
    for text in given:
        name, told, value = text.partition("=")
        if not told:
            raise UsageFault(f"{flag} {text}: expected name=value")
        found[name.strip()] = value.strip()
    return found


def filled(what: str, kind: Any, given: Mapping[str, Any]) -> Any:
    """The dataclass `kind` with `given` values, which may still be text.

    UsageFault, naming `what` was chosen (`--head mlp`), for an option that it does not have and a
    value of another type.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(given) - set(fields))
    if unknown:
        raise UsageFault(f"{what}: unknown option {', '.join(unknown)}; it has "
                         f"{', '.join(fields) or 'none'}")
    return kind(**{k: _value(f"{what}: {k}={v}", v, fields[k].default) for k, v in given.items()})


def _value(what: str, value: Any, default: Any) -> Any:
    """The value as the option's own type, which its default tells."""
    if isinstance(default, bool) and isinstance(value, str):
        if value.lower() not in ("true", "false"):
            raise UsageFault(f"{what}: expected true or false")
        return value.lower() == "true"
    try:
        return type(default)(value)
    except ValueError as error:
        expected = {int: "a number without a fraction", float: "a number"}
        raise UsageFault(f"{what}: expected {expected.get(type(default), 'text')}") from error
