"""Which files of an input a recipe changes, and how."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

MANY = 10_000_000  # characters
HUGE = 3_900_000_000  # bytes, more than a case may have


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    value = json.loads(path.read_text())
    made = change(value)
    path.write_text(json.dumps(value if made is None else made))


def array(tree: Path) -> Path:
    """The metadata of some array below a tree, in either format."""
    found = [p for p in sorted(tree.rglob("zarr.json")) if '"array"' in p.read_text()]
    return (found or sorted(tree.rglob(".zarray")))[0]


def chunks(tree: Path) -> list[Path]:
    folder = array(tree).parent
    return [p for p in sorted(folder.rglob("*")) if p.is_file()
            and not p.name.startswith((".", "zarr.json"))]


def chunks_old(path: Path) -> list[Path]:
    return [p for p in path.parent.rglob("*") if p.is_file() and not p.name.startswith(".")]


def first(tree: Path) -> Path:
    return next(p for p in sorted(tree.iterdir()) if p.is_file())


def target(tree: Path, name: str) -> Path:
    for path in tree.iterdir():
        if path.is_file():
            path.unlink()
    return tree / name


def weights(tree: Path) -> Path:
    return next(p for p in sorted(tree.rglob("*.safetensors")) if "keep" not in p.parts)
