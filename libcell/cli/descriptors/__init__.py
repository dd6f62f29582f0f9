"""Descriptors of every subcommand for workflow systems, made from what `--describe` says.

One module per system: `files(methods)`, path and text of every file that describes them.
`python -m libcell.cli.descriptors SYSTEM FOLDER` writes those.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from libcell.cli.describe import describe_room
from libcell.run import registry
from libcell.schema.tables import TABLES
from libcell.schema.versions import FILES

# common options that a workflow's author may set; the system itself sets the others
COMMON = ("seed", "device", "partial_ok")


def systems() -> list[str]:
    """The workflow systems that descriptors can be made for."""
    found = (m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return sorted(name.replace("_", "-") for name in found)


def files(system: str) -> Iterator[tuple[str, str]]:
    """Path, below the folder that they are written to, and text of every file for a system."""
    module = importlib.import_module(f"{__name__}.{system.replace('-', '_')}")
    methods = [m for room in registry.ROOMS for m in describe_room(room)["methods"]]
    yield from module.files(methods)


def write(system: str, folder: Path) -> None:
    """Write all files for a system below a folder."""
    for name, text in files(system):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


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


def is_file(output: dict[str, Any]) -> bool:
    """Whether an output is one file, not a folder; of foreign files, as far as its name tells."""
    kind = output["schema"].partition("/")[0]
    return kind in {*TABLES, "report"} or (kind == FILES and output["suffix"] != "")


def dois(method: dict[str, Any]) -> list[str]:
    """The DOIs among a method's papers, arXiv's included."""
    paper = method["paper"] or ""
    found = re.findall(r"10\.\d{4,9}/[^\s,;()]+", paper)
    return found + [f"10.48550/arXiv.{n}" for n in re.findall(r"arXiv:(\d+\.\d+)", paper)]
