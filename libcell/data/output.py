"""Outputs that appear whole or not at all.

Everything is written below `.NAME.partial/` beside the output and renamed when it is complete.
The folder also holds `job.json` (what is being made, so that another job cannot continue it),
the journal of finished blocks, and a lock.
"""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import threading
import zipfile
from pathlib import Path
from typing import IO, Any

from libcell.errors import OutputExists, UsageFault

JOURNAL = "journal.jsonl"
MENDABLE = "failed.json"


def partial_path(path: Path) -> Path:
    """Where an output grows until it is complete."""
    return path.with_name(f".{path.name}.partial")


class Output:
    """One output path on its way into being.

    `root` is what to write: a folder for stores, a file for tables. Use `begin`, then write,
    then `publish`; `abandon` forgets everything written so far.
    """

    def __init__(self, path: Path, *, force: bool = False, resume: bool = False):
        self.path = path
        self.force = force
        self.resume = resume
        self.partial = partial_path(path)
        self.root = self.partial / "out"
        self.journal = self.partial / JOURNAL
        self._lock: IO[str] | None = None

    def begin(self, job: dict[str, Any]) -> None:
        """Make the partial folder, or take up an unfinished one of the same job.

        Raises OutputExists if the output is there (without `force`), if another process is
        writing it, if an unfinished run lies there and neither `resume` nor `force` says what
        to do with it, or if the folder cannot be written.
        """
        self._recover()
        if self.path.exists() and not self.force:
            raise OutputExists(f"{self.path}: exists; use --force to replace it")
        if not self.path.name or self.path.name in (".", ".."):
            raise UsageFault(f"{self.path}: is not a name for an output")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.partial.mkdir(exist_ok=True)
            self._acquire()
            self._settle_earlier(job)
            (self.partial / "job.json").write_text(json.dumps(job, sort_keys=True))
        except OutputExists:
            self.release()
            raise
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise OutputExists(f"{self.path}: cannot be created ({error.strerror})") from error
        except OSError as error:
            if error.errno == errno.EROFS:
                raise OutputExists(f"{self.path}: cannot be created (read-only)") from error
            raise

    def _acquire(self) -> None:
        lock = (self.partial / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise OutputExists(f"{self.path}: another process is writing it") from error
        self._lock = lock

    def _settle_earlier(self, job: dict[str, Any]) -> None:
        """Continue, discard or refuse what an earlier run left."""
        known = self.partial / "job.json"
        finished = self.journal.read_bytes().count(b"\n") if self.journal.exists() else 0
        if not known.exists() or not finished:
            self._clear()
        elif self.resume and self._same_job(json.loads(known.read_text()), job):
            self._sweep()
        elif self.force:
            self._clear()
        elif self.resume:
            raise OutputExists(
                f"{self.path}: the unfinished run there had other inputs or options; "
                "use --force to start over"
            )
        else:
            raise OutputExists(
                f"{self.path}: an unfinished run lies there ({finished} blocks done); "
                "use --resume to continue it or --force to start over"
            )

    def _sweep(self) -> None:
        """Remove half-written files, ours and zarr's, that a killed run left in the store."""
        for file in [*self.partial.rglob("*.tmp"), *self.partial.rglob("*.partial")]:
            file.unlink()

    def may_change(self, files: list[Path]) -> None:
        """Note inputs that failed: that they were mended is no reason not to continue."""
        write_file(self.partial / MENDABLE, json.dumps([str(f) for f in files]).encode())

    def _same_job(self, known: dict[str, Any], job: dict[str, Any]) -> bool:
        """Whether an unfinished run had the same options and, but for failed ones, inputs."""
        note = self.partial / MENDABLE
        mendable = set(json.loads(note.read_text())) if note.exists() else set()

        def settled(one: dict[str, Any]) -> Any:
            inputs = [[p, None if p in mendable else mark] for p, mark in one.get("inputs", [])]
            return json.loads(json.dumps(one | {"inputs": inputs}))

        return bool(settled(known) == settled(job))

    def _clear(self) -> None:
        for child in self.partial.iterdir():
            if child.name != "lock":
                shutil.rmtree(child) if child.is_dir() else child.unlink()

    def _recover(self) -> None:
        """A run killed between the two renames of `publish` left the old output aside."""
        old = self._aside()
        if old.exists() and not self.path.exists():
            old.rename(self.path)

    def _aside(self) -> Path:
        return self.path.with_name(f".{self.path.name}.replaced")

    def publish(self) -> None:
        """Give the finished output its name."""
        source = self.root
        if self.path.name.endswith(".zarr.zip"):
            source = _zip(self.root, self.partial / "out.zip")
        old = self._aside()
        if self.path.is_dir() or (source.is_dir() and self.path.exists()):
            self.path.rename(old)  # a folder takes the place of nothing but itself
        source.replace(self.path)
        _remove(old)
        self.abandon()

    def abandon(self) -> None:
        """Remove the partial folder and let go of the lock."""
        shutil.rmtree(self.partial, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Let go of the lock, leaving the partial folder for `--resume`."""
        if self._lock:
            self._lock.close()
            self._lock = None


def _zip(folder: Path, target: Path) -> Path:
    """Pack a store into one file, uncompressed (its chunks are), in a fixed order and date."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as into, file.open("rb") as source:
                shutil.copyfileobj(source, into)
    return target


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def write_file(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
