"""The unit of work. A file of its own, since every method names it and `--help` loads them all."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Block:
    """A field of view, a tile, a shard: `key` names it in the journal and in messages.

    `args` says what to do, as paths and slices, never as arrays.
    """

    key: str
    args: dict[str, Any] = field(default_factory=dict)

    def files(self) -> list[Path]:
        """The files that the block is to read, as far as its arguments name them; those that
        went away, and those that it is to write, are among them."""
        return [p for p in self.paths() if not p.is_dir()]

    def paths(self) -> list[Path]:
        """All files, stores and folders that the arguments name."""
        return list(_paths(list(self.args.values())))


def _paths(values: list[Any]) -> Iterator[Path]:
    for value in values:
        if isinstance(value, Path):
            yield value
        elif isinstance(value, dict):
            yield from _paths(list(value.values()))
        elif isinstance(value, (list, tuple)):
            yield from _paths(list(value))
        elif isinstance(getattr(value, "path", None), Path):  # a Source
            yield value.path
