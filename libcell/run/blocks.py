"""The unit of work. A file of its own, since every method names it and `--help` loads them all."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Block:
    """A field of view, a tile, a shard: `key` names it in the journal and in messages.

    `args` says what to do, as paths and slices, never as arrays.
    """

    key: str
    args: dict[str, Any] = field(default_factory=dict)
