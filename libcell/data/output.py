"""Outputs that appear whole or not at all.

Everything is written below `.NAME.partial/` beside the output and renamed when it is complete.
The folder also holds `job.json` (what is being made, so that another job cannot continue it),
the journal of finished blocks, a lock, and for a moment the output that is being replaced.

A process may be killed at any moment, so each state on the way says by itself how to go on. While
the output is given its name the journal is called `closing.jsonl`: after a kill, what was made is
either still here, or has its name already and is not to be continued.
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

from libcell.errors import OutputExists, UsageFault, full

JOURNAL = "journal.jsonl"
CLOSING = "closing.jsonl"
MENDABLE = "failed.jsonl"
LOCK = "lock"
LOCKING = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW  # never a file elsewhere
LOCKLESS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some network file systems


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
        try:
            self._begin(job)
        except BaseException as error:
            self.release()
            if isinstance(error, OSError) and not isinstance(error, OutputExists) \
                    and not full(error):
                text = f"{self.path}: cannot be created ({error.strerror or error})"
                raise OutputExists(text) from error
            raise

    def _begin(self, job: dict[str, Any]) -> None:
        if not self.partial.exists():  # else see first what was left
            self._require_free()
        if not self.path.name or self.path.name in (".", ".."):
            raise UsageFault(f"{self.path}: is not a name for an output")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while self._lock is None:
            self.partial.mkdir(exist_ok=True)
            self._lock = self._acquire()
        self._recover()
        self._require_free()  # another process may have finished it meanwhile
        self._settle_earlier(job)
        write_file(self.partial / "job.json", json.dumps(job, sort_keys=True).encode())

    def _require_free(self) -> None:
        if self.path.exists() and not self.force:
            raise OutputExists(f"{self.path}: exists; use --force to replace it")

    def _acquire(self) -> IO[str] | None:
        """The partial folder's lock (that of a process that is gone is free); None if the folder
        was removed meanwhile by the process that had it."""
        path = self.partial / LOCK
        with contextlib.ExitStack() as undone, contextlib.suppress(FileNotFoundError):
            lock = undone.enter_context(os.fdopen(os.open(path, LOCKING, 0o666), "w"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputExists(f"{self.path}: another process is writing it") from error
            except OSError as error:
                if error.errno not in LOCKLESS:
                    raise
            if path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                undone.pop_all()
                return lock
        return None

    def _recover(self) -> None:
        """Take up a run that was killed within `publish`.

        If what it made is still here, the output that it was to replace gets its name back and
        the journal too; else all that lies here is left over.
        """
        old, whole = self._aside(), self._made().exists()
        if whole and old.exists() and not self.path.exists():
            old.rename(self.path)
        if not self._closing().exists():
            return
        if whole or self.root.exists():
            self._closing().replace(self.journal)
        else:
            self._clear()

    def _settle_earlier(self, job: dict[str, Any]) -> None:
        """Continue, discard or refuse what an earlier run left."""
        known = _read_job(self.partial / "job.json")
        finished = self.journal.read_bytes().count(b"\n") if self.journal.exists() else 0
        if known is None or not finished:
            self._clear()
        elif self.resume and self._same_job(known, job):
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
            file.unlink(missing_ok=True)

    def may_change(self, files: list[Path]) -> None:
        """Note inputs that failed: that they were mended is no reason not to continue."""
        with (self.partial / MENDABLE).open("a") as note:
            note.writelines(f"{json.dumps(str(f))}\n" for f in files
                            if not f.is_relative_to(self.partial))

    def _mendable(self) -> set[str]:
        """The inputs that failed, and the folders that hold such."""
        note = self.partial / MENDABLE
        lines = note.read_text().split("\n")[:-1] if note.exists() else []  # the last may be cut
        failed = [Path(json.loads(line)) for line in lines]
        return {str(place) for f in failed for place in (f, *f.parents)}

    def _same_job(self, known: dict[str, Any], job: dict[str, Any]) -> bool:
        """Whether an unfinished run had the same options and, but for failed ones and the
        folders that hold such, inputs. One whose notes are damaged had not."""
        try:
            return self._matches(known, job)
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return False

    def _matches(self, known: dict[str, Any], job: dict[str, Any]) -> bool:
        mendable = self._mendable()

        def settled(one: dict[str, Any]) -> Any:
            inputs = [[p, None if p in mendable else mark] for p, mark in one.get("inputs", [])]
            return json.loads(json.dumps(one | {"inputs": inputs}))

        return bool(settled(known) == settled(job))

    def _clear(self) -> None:
        """Remove everything but the lock; the journal first, for it says what is whole."""
        self.journal.unlink(missing_ok=True)
        self._closing().unlink(missing_ok=True)
        for child in self.partial.iterdir():
            if child.name != LOCK:
                _remove(child)

    def _aside(self) -> Path:
        """Where the output that is replaced waits until it is certain that it is."""
        return self.partial / "replaced"

    def _closing(self) -> Path:
        return self.partial / CLOSING

    def _made(self) -> Path:
        """What is given the output's name."""
        return self.partial / "out.zip" if self.path.name.endswith(".zarr.zip") else self.root

    @property
    def name(self) -> str:
        """What the user calls it."""
        return str(self.path)

    def _zipped(self) -> Path:
        """What is given the output's name, made."""
        source = self._made()
        return source if source == self.root else _zip(self.root, source)

    def publish(self) -> None:
        """Give the finished output its name."""
        source = self._zipped()
        if self.journal.exists():
            self.journal.replace(self._closing())
        if self.path.is_dir() or (source.is_dir() and self.path.exists()):
            _remove(self._aside())
            self.path.rename(self._aside())  # a folder takes the place of nothing but itself
        source.replace(self.path)
        self.abandon()

    def abandon(self) -> None:
        """Remove the partial folder and let go of the lock."""
        with contextlib.suppress(OSError):
            self._clear()
        with contextlib.suppress(OSError):
            (self.partial / LOCK).unlink()  # while it is held: who waits for it sees that it went
        self._unlock()
        with contextlib.suppress(OSError):  # another process may have begun
            self.partial.rmdir()

    def release(self) -> None:
        """Let go of the lock, leaving the partial folder for `--resume` if a block is finished."""
        if self._lock is None:
            return
        if self._has_lines():
            self._unlock()
        else:
            self.abandon()

    def _has_lines(self) -> bool:
        return any(f.exists() and f.stat().st_size for f in (self.journal, self._closing()))

    def _unlock(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None


def _read_job(path: Path) -> dict[str, Any] | None:
    """What an earlier run said of itself; None if it did not come so far."""
    try:
        known: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return known


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
