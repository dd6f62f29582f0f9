"""What a case reads, put away and brought back, changed and mended."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .bench import Bench
from .cases import Case


@dataclass(frozen=True)
class Given:
    """The first input of a case: a file, a store, or a folder, of which one file is taken."""

    path: Path
    file: Path
    aside: Path  # a folder where nobody looks for inputs

    @classmethod
    def of(cls, bench: Bench, case: Case) -> "Given":
        """The first argument that names something in the bench."""
        for word in case.args[1:]:
            found = sorted(bench.folder.glob(word)) if "*" in word else [bench.folder / word]
            if word and found and found[0].exists():
                return cls(found[0], _telling(found[0]), bench.logs)
        raise ValueError(f"{case.name} reads nothing")

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Afterwards the input is as it was, its times too."""
        copy = self.aside / f"kept-{self.path.name}"
        _copy(self.path, copy)
        try:
            yield
        finally:
            for path in (self.path, self._gone()):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            copy.rename(self.path)

    def vanish(self) -> None:
        """Take it away, all at once."""
        self.path.rename(self._gone())

    def _gone(self) -> Path:
        return self.aside / f"gone-{self.path.name}"

    def touch(self, when: int) -> None:
        """The same content, another time."""
        os.utime(self.file, (when, when))

    def change(self, when: int | None = None) -> None:
        """Other content, of the same size where it is no JSON; at another time, if told."""
        content = bytearray(self.file.read_bytes())
        if self.file.suffix == ".json":
            content += b"\n"
        else:
            content[-1] ^= 1
        self.file.write_bytes(content)
        if when is not None:
            os.utime(self.file, (when, when))


def _telling(path: Path) -> Path:
    """The file by which an input is known."""
    if path.is_file():
        return path
    for name in ("zarr.json", "model.json"):
        if (path / name).is_file():
            return path / name
    return sorted(p for p in path.rglob("*") if p.is_file())[0]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
