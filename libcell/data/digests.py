"""What an input is, by its content: the digests that provenance keeps."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

SEALS = ("zarr.json", "model.json")


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
    for name in SEALS:
        root = path / name
        if root.is_file() and b'"provenance"' in root.read_bytes():
            return of_file(root)
    listing = sorted((p.relative_to(path).as_posix(), p.stat().st_size)
                     for p in path.rglob("*") if p.is_file())
    return of_json(listing).replace("sha256:", "listing:", 1)


def fingerprint(path: Path) -> str:
    """Whether an input is still what it was, without reading it: for `--resume`.

    The digest of a sealed store; of anything else size and time of the last change.
    """
    for name in SEALS:
        if (path / name).is_file():
            return of_file(path / name)
    if not path.exists():
        return "missing"
    state = path.stat()
    return f"stat:{state.st_size}:{state.st_mtime_ns}"
