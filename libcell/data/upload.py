"""Outputs in object storage: made in a folder here, then uploaded, the root's metadata last.

There is no renaming there. So an object `.uploading` says that a store is not finished, and the
root's `zarr.json` or `model.json`, without which nobody opens it, is put when all else is there.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from libcell.data import remote
from libcell.data.digests import SEALS
from libcell.data.output import Output
from libcell.errors import OutputExists, PartlyDone, UsageFault

SCRATCH = "LIBCELL_SCRATCH"
HERE = ".libcell"
AT_ONCE = 8  # files on their way


class Upload(Output):
    """An output at `url`: it grows below `.libcell/` of the current folder, or of
    `LIBCELL_SCRATCH`, which `--resume` looks into."""

    def __init__(self, url: str, *, force: bool = False, resume: bool = False):
        scheme, _, rest = url.rstrip("/").partition("://")
        if "/" not in rest.strip("/") or ".." in rest.split("/"):
            raise UsageFault(f"{url}: expected {scheme}://BUCKET/NAME")
        self.url = url.rstrip("/")
        self.base = Path(os.environ.get(SCRATCH) or HERE)
        super().__init__(self.base / scheme.lower() / rest.lstrip("/"), force=force, resume=resume)

    @property
    def name(self) -> str:
        return self.url

    def _require_free(self) -> None:
        if not self.force and exists(self.url):
            raise OutputExists(f"{self.url}: exists; use --force to replace it")

    def publish(self) -> None:
        """Upload. PartlyDone if that fails: all is kept here for `--resume`."""
        made = self._zipped()
        try:
            with remote.reaching(self.url, PartlyDone):
                _put(made, self.url)
        except FileNotFoundError as error:  # a bucket that is not there
            raise PartlyDone(f"{error}; finished here, --resume uploads it") from error
        self.abandon()
        self._remove_empty()

    def release(self) -> None:
        super().release()
        self._remove_empty()

    def _remove_empty(self) -> None:
        """The folders on the way, unless another output grows there."""
        for folder in self.path.parents:
            if not folder.is_relative_to(self.base):
                return
            try:
                folder.rmdir()
            except OSError:
                return


def exists(url: str) -> bool:
    """Whether something finished, or of another origin, is at `url`."""
    system, key = remote.filesystem(url)
    with remote.reaching(url):
        if not system.exists(key):
            return False
        if not system.isdir(key):
            return True
        names = {Path(name).name for name in system.ls(key, detail=False)}
    return remote.UPLOADING not in names or any(s in names for s in SEALS)


def _put(made: Path, url: str) -> None:
    """A file by one put; of a folder the seal last, and nothing of what was there before."""
    system, key = remote.filesystem(url)
    if made.is_file():
        system.put_file(str(made), key)
        return
    files = {p.relative_to(made).as_posix(): p for p in sorted(made.rglob("*")) if p.is_file()}
    there = {name.removeprefix(key).lstrip("/"): about
             for name, about in system.find(key, detail=True).items()}
    system.pipe_file(f"{key}/{remote.UPLOADING}", b"")
    for name in [s for s in SEALS if s in there] + [n for n in there if n not in files]:
        if name != remote.UPLOADING:
            system.rm_file(f"{key}/{name}")
    wanted = [name for name, file in files.items()
              if name not in SEALS and not _same(file, there.get(name))]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda name: system.put_file(str(files[name]), f"{key}/{name}"), wanted))
    for name in [s for s in SEALS if s in files]:
        system.put_file(str(files[name]), f"{key}/{name}")
    system.rm_file(f"{key}/{remote.UPLOADING}")


def _same(file: Path, about: dict[str, Any] | None) -> bool:
    """Whether an object has the file's content, as far as the store tells (by MD5)."""
    if about is None or about.get("size") != file.stat().st_size:
        return False
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False))
    return str(about.get("ETag", "")).strip('"') == digest.hexdigest()
