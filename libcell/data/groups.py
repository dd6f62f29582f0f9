"""Zarr groups, made by many tasks at once.

zarr-python refuses a group that another task has just made. A group is one small file, so
it is written as one: whole or not at all, and twice does no harm.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from libcell.data.output import write_file
from libcell.errors import reading

EMPTY: dict[str, Any] = {"zarr_format": 3, "node_type": "group", "attributes": {}}


def ensure(root: Path, path: str = "", attributes: Mapping[str, Any] | None = None) -> Path:
    """Make the group `path` below `root` and all above it; add `attributes` to its own.

    Only the task that owns a group gives it attributes. Returns the group's folder.
    """
    folder = root
    for name in ["", *path.split("/")] if path else [""]:
        folder = folder / name if name else folder
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "zarr.json").exists():
            write_file(folder / "zarr.json", _encode(EMPTY))
    if attributes:
        update(folder, attributes)
    return folder


def update(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Add attributes to a group, replacing those of the same name."""
    with reading(folder, "its zarr.json cannot be read"):
        content = json.loads((folder / "zarr.json").read_text())
        content["attributes"] = content.get("attributes", {}) | dict(attributes)
    write_file(folder / "zarr.json", _encode(content))


def read(folder: Path) -> dict[str, Any]:
    """The attributes of a group."""
    with reading(folder, "its zarr.json cannot be read"):
        found: dict[str, Any] = dict(json.loads((folder / "zarr.json").read_text())["attributes"])
    return found


def _encode(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, ensure_ascii=False).encode()
