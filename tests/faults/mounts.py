"""File systems of one child's own: small, or read-only. Without being root, where the kernel lets
every user have a namespace of its own."""

import ctypes
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import processes

NEW_MOUNTS, NEW_USER = 0x20000, 0x10000000
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


class Impossible(Exception):
    """The kernel, or the container's keeper, does not allow it."""


def alone(work: Callable[[], Any]) -> Any:
    """What `work` returns (JSON), done in a child whose mounts nobody else sees."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        answer = Path(name) / "answer.json"

        def child() -> int:
            try:
                _unshare()
            except OSError as error:
                answer.write_text(json.dumps({"impossible": str(error)}))
                return 0
            answer.write_text(json.dumps({"found": work()}))
            return 0

        ended = processes.start(child, Path(name), Path(name) / "log").wait(limit_s=1200)
        if ended.code:
            raise RuntimeError(ended.said)
        found = json.loads(answer.read_text())
    if "impossible" in found:
        raise Impossible(found["impossible"])
    return found["found"]


def _unshare() -> None:
    user, group = os.getuid(), os.getgid()
    try:
        _call("unshare", NEW_MOUNTS)
    except OSError:
        _call("unshare", NEW_MOUNTS | NEW_USER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", Path("/"), None, RECURSIVE | PRIVATE, "")


def small(folder: Path, size: int, files: int = 0) -> None:
    """An empty file system of so many bytes, in memory; of so many files at most, if told."""
    _mount("tmpfs", folder, "tmpfs", 0, _limits(size, files))


def enlarge(folder: Path, size: int) -> None:
    """More room in it, all files kept."""
    _mount("tmpfs", folder, "tmpfs", REMOUNT, _limits(size, 1_000_000))


def lock(folder: Path) -> None:
    """Nothing can be written there any more; what is mounted below stays as it is."""
    _mount(str(folder), folder, None, BIND, "")
    _mount(str(folder), folder, None, BIND | REMOUNT | READ_ONLY, "")


def leave(folder: Path) -> None:
    """Unmount."""
    _call("umount2", os.fsencode(folder), 0)


def _limits(size: int, files: int) -> str:
    return f"size={max(4096, size)}" + (f",nr_inodes={files}" if files else "")


def _mount(source: str, target: Path, kind: str | None, flags: int, options: str) -> None:
    _call("mount", source.encode(), os.fsencode(target), kind and kind.encode(),
          ctypes.c_ulong(flags), options.encode())


def _call(name: str, *args: Any) -> None:
    if getattr(_libc, name)(*args):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
