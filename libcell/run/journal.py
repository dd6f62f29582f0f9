"""Which blocks are finished, one JSON line each, so that a killed run continues exactly."""

import json
import os
from pathlib import Path
from typing import Any

from libcell.errors import reading


class Journal:
    """Finished blocks by phase and key, with the small result each returned.

    A line is written after the block's data are; a line cut short by a kill is as if the block
    had not been done. In memory are those of an earlier run alone: nobody asks for this run's own,
    and a million of them are a gigabyte.
    """

    def __init__(self, path: Path | None):
        self._done: dict[tuple[str, str], Any] = {}
        self._file = None
        if path is None:
            return
        if path.exists():
            self._read(path)
        self._file = path.open("a")

    def _read(self, path: Path) -> None:
        whole = path.read_bytes()
        end = whole.rfind(b"\n") + 1
        with reading(path, "damaged; use --force to start over"):
            for line in whole[:end].splitlines():
                entry = json.loads(line)
                self._done[entry["phase"], entry["key"]] = entry["result"]
        if end < len(whole):
            os.truncate(path, end)  # a kill meanwhile loses no line

    def __len__(self) -> int:
        return len(self._done)

    def get(self, phase: str, key: str) -> tuple[bool, Any]:
        """Whether an earlier run finished a block, and its result."""
        found = self._done.get((phase, key), _ABSENT)
        return found is not _ABSENT, None if found is _ABSENT else found

    def add(self, phase: str, key: str, result: Any) -> None:
        """Note a finished block."""
        if self._file:
            entry = {"phase": phase, "key": key, "result": result}
            self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Before the output is published: network file systems keep what is open."""
        if self._file:
            self._file.close()
            self._file = None


_ABSENT = object()
