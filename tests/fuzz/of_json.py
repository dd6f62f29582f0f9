"""JSON that is well formed and not what was meant, or no longer well formed."""

import copy
import json
import random
from typing import Any

from tests.fuzz.values import DEEP, HUGE, INTEGERS, TEXTS, hostile

LEVELS = 100_000
LONG = 10_000_000


def mutate(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """One change to a JSON document. ValueError where it is none."""
    value = json.loads(content)
    places = list(_places(value, ()))
    place = rng.choice(places)
    kind = rng.choice(("value", "value", "value", "number", "text", "delete", "rename", "wrap",
                       "repeat", "twice", "swap", "add"))
    if kind == "twice":
        return _twice(value, rng), "a key twice"
    value = _change(value, place, places, kind, rng)
    return dump(value), f"{kind} at {'.'.join(map(str, place)) or 'top'}"


def dump(value: Any) -> bytes:
    """JSON text; lone surrogates as escapes, the stand-ins as what they stand for."""
    text = json.dumps(value)
    if json.dumps(DEEP) in text:
        text = text.replace(json.dumps(DEEP), "[" * LEVELS + "]" * LEVELS, 1)
    if json.dumps(HUGE) in text:
        text = text.replace(json.dumps(HUGE), f'"{"x" * LONG}"', 1)
    return text.encode()


def _places(value: Any, here: tuple[Any, ...]) -> Any:
    yield here
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _places(one, (*here, key))
    elif isinstance(value, list):
        for i, one in enumerate(value[:50]):
            yield from _places(one, (*here, i))


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def _change(
    value: Any, place: tuple[Any, ...], places: list[Any], kind: str, rng: random.Random
) -> Any:
    if not place:
        return hostile(rng) if kind != "wrap" else [value]
    parent, key = _at(value, place[:-1]), place[-1]
    old = parent[key]
    if kind == "delete":
        del parent[key]
    elif kind == "rename" and isinstance(parent, dict):
        parent[rng.choice(TEXTS)] = parent.pop(key)
    elif kind == "repeat" and isinstance(old, list):
        parent[key] = old * rng.choice((2, 3, 1000))
    elif kind == "swap":
        parent[key] = copy.deepcopy(_at(value, rng.choice(places)))
    elif kind == "add" and isinstance(old, dict):
        old[rng.choice(TEXTS)] = hostile(rng)
    else:
        parent[key] = {"number": lambda: rng.choice(INTEGERS), "text": lambda: rng.choice(TEXTS),
                       "wrap": lambda: [old]}.get(kind, lambda: hostile(rng))()
    return value


def _twice(value: Any, rng: random.Random) -> bytes:
    """A key of the top that stands there twice, the second time with another value."""
    text = json.dumps(value)
    if not isinstance(value, dict) or not value:
        return text.encode()
    key = rng.choice(list(value))
    extra = dump(hostile(rng)).decode()
    return f"{text[:-1]}, {json.dumps(key)}: {extra}}}".encode()
