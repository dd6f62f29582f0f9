"""Descriptors of every subcommand for workflow systems, made from what `--describe` says.

One module per system: `SUFFIX`, and `text(method)`, the file for one described subcommand.
`python -m libcell.cli.descriptors SYSTEM FOLDER` writes a file for each.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from libcell.cli.describe import describe_room
from libcell.run import registry
from libcell.schema.tables import TABLES

# common options that a workflow's author may set; the system itself sets the others
COMMON = ("seed", "device", "partial_ok")


def systems() -> list[str]:
    """The workflow systems that descriptors can be made for."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def files(system: str) -> Iterator[tuple[str, str]]:
    """Name and text of a descriptor per subcommand."""
    module = importlib.import_module(f"{__name__}.{system}")
    for room in registry.ROOMS:
        for method in describe_room(room)["methods"]:
            yield identifier(method) + module.SUFFIX, module.text(method)


def identifier(method: dict[str, Any]) -> str:
    """`cell-feat-measure`."""
    return str(method["command"]).replace(" ", "-")


def parameters(method: dict[str, Any]) -> list[dict[str, Any]]:
    """The options that a workflow's author sets: the method's own, and a few of the common."""
    return [*method["parameters"], *(p for p in method["common"] if p["name"] in COMMON)]


def flag(parameter: dict[str, Any], value: bool = True) -> str:
    """The long flag of an option; of a pair `--x/--no-x` the one that says `value`."""
    long = [f for f in parameter["flags"] if f.startswith("--")]
    return str(long[0] if value or len(long) == 1 else long[1])


def is_table(output: dict[str, Any]) -> bool:
    """Whether an output is one file, not a folder."""
    return output["schema"].partition("/")[0] in {*TABLES, "report"}
