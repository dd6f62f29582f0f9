"""What a process does to files, seen through Python's audit hook, and a moment to act at.

The hook cannot be taken away again, so only forked children install it. It does not see what
compiled libraries write by themselves (Arrow, safetensors); kills at random times do.
"""

import mmap
import os
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANGES = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.link")
IN_FOLDER = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.link")  # dir_fd comes last
LOOKS = ("os.listdir", "os.scandir")
Act = Callable[[int], None]


class Watch:
    """Counts events below a folder in memory that parent and child share.

    `act(n)` is called before the n-th one (from 1) takes place. `reads` counts looks, too.
    """

    def __init__(self, folder: Path, act: Act | None = None, reads: bool = False):
        self._folder = f"{folder}/"
        self._act = act
        self._events = (*CHANGES, *LOOKS) if reads else CHANGES
        self._reads = reads
        self._shared = mmap.mmap(-1, 4096)

    @property
    def count(self) -> int:
        return int(struct.unpack_from("q", self._shared)[0])

    @property
    def last(self) -> str:
        """The last event: what was done to which file."""
        return self._shared[8:].rstrip(b"\0").decode()

    def install(self) -> None:
        """From now on this process is watched."""
        import sys

        sys.addaudithook(self._heard)

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            writes = args[2] is not None and args[2] & (os.O_WRONLY | os.O_RDWR)
            if not (writes or self._reads):
                return
        elif event not in self._events:
            return
        path = _place(event, args)
        if not f"{path}/".startswith(self._folder):
            return
        number = self.count + 1
        struct.pack_into("q", self._shared, 0, number)
        told = f"{event} {path.removeprefix(self._folder)}".encode()[:1000]
        self._shared[8 : 8 + 1000] = told.ljust(1000, b"\0")
        if self._act:
            self._act(number)


def _place(event: str, args: tuple[Any, ...]) -> str:
    """The absolute path that an event is about; empty if it is about none."""
    path = args[0]
    if isinstance(path, int) or path is None:
        return ""
    path = os.fsdecode(path)
    if not path.startswith("/") and event in IN_FOLDER and args[-1] >= 0:
        return str(Path(f'/proc/self/fd/{args[-1]}').readlink() / path)
    return os.path.abspath(path)  # noqa: PTH100  links are not followed


def die_at(number: int, later_s: float) -> Act:
    """Killed before the event, or a moment after it began."""

    def act(n: int) -> None:
        if n != number:
            return
        if later_s <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        signal.setitimer(signal.ITIMER_REAL, later_s)  # SIGALRM ends a process as SIGKILL does

    return act


def wait_at_each(seconds: float) -> Act:
    """A disk that takes its time."""
    return lambda _: time.sleep(seconds)


def once_at(number: int, change: Callable[[], None]) -> Act:
    """Something happens at the event."""

    def act(n: int) -> None:
        if n == number:
            change()

    return act
