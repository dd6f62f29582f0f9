"""All commands and methods, and how each is called with the least that it takes."""

from subprocess import CompletedProcess
from typing import Any

from libcell.run import registry
from libcell.run.method import Method, option_fields

METHODS = [(room, name) for room in registry.ROOMS for name in registry.names(room)]
ids = [f"{room}-{name}" for room, name in METHODS]
ABSENT = "not-there"


def method(room: str, name: str) -> Method:
    return registry.load(room, name)


def required(room: str, name: str) -> list[str]:
    """The options without a default; those that are paths name a file that does not exist."""
    fields = [f for f in option_fields(method(room, name).options) if f.required]
    told = {"object": "A/01/0:t0:nuclei:1"}
    return [a for f in fields
            for a in (f.flags[-1], ABSENT if f.opt.path else told.get(f.name, "1"))]


def said(done: "CompletedProcess[Any]") -> str:
    """The one line that a command left on stderr."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, f"expected one line on stderr, got {lines}"
    return str(lines[0])
