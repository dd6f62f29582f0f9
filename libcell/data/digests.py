"""What an input is, by its content: the digests that provenance keeps."""

import functools
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import remote

SEALS = ("zarr.json", "model.json")
UNDER_WAY = ".partial"  # what the folder ends in where an output grows (`libcell.data.output`)


def of_bytes(content: bytes | memoryview) -> str:
    """`sha256:` and the hexadecimal digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def of_json(value: Any) -> str:
    """Digest of a JSON value, independent of key order and spacing."""
    return of_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def of_file(path: Path) -> str:
    """Digest of a file, read in pieces; once in a run, as long as the file stays the same."""
    state = path.stat()
    return _of_file(path.absolute(), (state.st_ino, state.st_size, state.st_mtime_ns))


@functools.lru_cache(maxsize=4096)
def _of_file(path: Path, _state: tuple[int, int, int]) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def of_path(path: Path) -> str:
    """Digest of any input.

    Our stores seal their pixels in the root metadata, so that file is enough. Of a foreign
    store the names and sizes of all its files are taken (`listing:`), since reading terabytes
    twice is no price for a digest.
    """
    if path.is_file():
        return of_file(path)
    seal = _seal(path)
    if seal:
        return of_file(seal)
    listing = remote.listing(path) or sorted((p.relative_to(path).as_posix(), p.stat().st_size)
                     for p in path.rglob("*") if p.is_file())
    return of_json(listing).replace("sha256:", "listing:", 1)


def _seal(path: Path) -> Path | None:
    """The file of a store of ours that stands for all of it."""
    found = (path / name for name in SEALS)
    return next((f for f in found if f.is_file() and b'"provenance"' in f.read_bytes()), None)


@dataclass(frozen=True)
class State:
    """What an input is at a time, without reading it: for `--resume`, and while it is read.

    `mark` is the digest of a sealed store, size and time of the last change of a file, a digest
    over such of all files of a folder; of the latter `files` keeps 8 bytes each, uint64 (n,).
    """

    mark: str
    files: np.ndarray | None = None

    def holds(self, now: "State") -> bool:
        """Whether all that was there is there as it was; a folder may have got more."""
        if self.files is None or now.files is None:
            return self.mark == now.mark
        return bool(np.isin(self.files, now.files).all())


def state(path: Path) -> State:
    """The present state of an input. Folders of outputs that are under way are no part of it."""
    if not path.exists():
        return State("missing")
    elsewhere = remote.seal(path)
    if elsewhere:
        return State(elsewhere)
    if not path.is_dir():
        return State(f"stat:{_stat(path.stat())}" if path.is_file() else "a stream")
    seal = _seal(path)
    if seal:
        return State(of_file(seal))
    files = np.array(sorted(_files(str(path), "")), np.uint64)
    return State(of_bytes(files.tobytes()).replace("sha256:", "files:", 1), files)


def glance(path: Path) -> tuple[int, int, int] | None:
    """A first look whether an input is what it was: of its seal, or of itself. None: not there."""
    for place in (*(path / name for name in SEALS), path):
        try:
            found = place.stat()
        except OSError:
            continue
        return found.st_ino, found.st_size, found.st_mtime_ns
    return None


def _files(folder: str, name: str) -> Iterator[int]:
    """A number for each file below a folder that tells its name, size and time."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if not entry.name.endswith(UNDER_WAY):
                    yield from _files(entry.path, f"{name}{entry.name}/")
            elif entry.is_file():
                text = f"{name}{entry.name}:{_stat(entry.stat())}"
                yield int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _stat(found: os.stat_result) -> str:
    return f"{found.st_size}:{found.st_mtime_ns}"
