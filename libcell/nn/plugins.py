"""Backbones and heads of other packages, through entry points:

    [project.entry-points."libcell.nn.heads"]
    mine = "my_package.my_head"
"""

import importlib
from importlib.metadata import entry_points
from typing import Any

from libcell.errors import Unavailable


def names(group: str) -> list[str]:
    """What other packages bring to the group, without importing any."""
    return sorted({e.name for e in entry_points(group=group)})


def load(group: str, name: str) -> Any:
    """The module behind one of `names(group)`. Unavailable if it cannot be imported."""
    found = next(e for e in entry_points(group=group) if e.name == name)
    try:
        return importlib.import_module(found.module)
    except ImportError as error:
        raise Unavailable(f"{name}: its package cannot be imported ({error})") from error
