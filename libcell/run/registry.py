"""Which methods a room has: the files in its folder, and entry points of other packages.

Listing imports nothing; a method is imported when it is asked for. Another lab adds one with

    [project.entry-points."libcell.segment"]
    mymethod = "my_package.my_module"

where the module holds a `METHOD`.
"""

import importlib
import re
import sys
from pathlib import Path

from libcell.errors import Unavailable, UsageFault
from libcell.run.method import Method

SUMMARY = re.compile(r'^    summary="([^"\\]+)",$', re.MULTILINE)
ROOMS = ("extract", "segment", "align", "crop", "feat", "train", "track", "explain")


def names(room: str) -> list[str]:
    """All methods of a room, our own first."""
    own = _own(room)
    return own + sorted(set(_plugins(room)) - set(own))


def _own(room: str) -> list[str]:
    folder = Path(__file__).parent.parent / room
    found = (p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))
    return sorted(name.replace("_", "-") for name in found)


def _plugins(room: str) -> dict[str, str]:
    """Entry points of a group: name -> module.

    The entry-point files are searched for the group's name first, since importlib.metadata
    takes as long as everything else that `--help` does.
    """
    mark = f"[libcell.{room}]".encode()
    if not any(mark in file.read_bytes() for file in _entry_point_files()):
        return {}
    from importlib.metadata import entry_points

    return {e.name: e.value for e in entry_points(group=f"libcell.{room}")}


def _entry_point_files() -> list[Path]:
    folders = [Path(p) for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
    return [f for folder in folders for f in folder.glob("*.dist-info/entry_points.txt")]


def summary(room: str, name: str) -> str:
    """What a method does, in a line; read off its file, since `--help` of a room with many
    methods would spend most of its time on importing them."""
    if name in _own(room):
        file = Path(__file__).parent.parent / room / f"{name.replace('-', '_')}.py"
        found = SUMMARY.search(file.read_text())
        if found:
            return found[1]
    return load(room, name).summary


def load(room: str, name: str) -> Method:
    """Import one method. UsageFault if there is none of that name."""
    if name in _own(room):
        module = importlib.import_module(f"libcell.{room}.{name.replace('-', '_')}")
        return module.METHOD
    plugins = _plugins(room)
    if name not in plugins:
        raise UsageFault(f"no method {name!r}; there are {', '.join(names(room))}")
    try:
        module = importlib.import_module(plugins[name].partition(":")[0])
    except ImportError as error:
        raise Unavailable(f"{name}: its package cannot be imported ({error})") from error
    return module.METHOD
