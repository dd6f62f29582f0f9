"""What one command costs: time, memory with its workers', what it leaves on the disk."""

import os
import shlex
import subprocess
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import psutil

from tests.peers.processes import BIN

LOOK_S = 0.05


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of all processors; `memory` bytes at the worst moment, of the
    command and its workers together, without pages of files; `files` and folders of what it made,
    and their `size` in bytes."""

    wall: float
    cpu: float
    memory: int
    files: int
    size: int

    def beside(self, other: "Cost | None") -> "Cost":
        """Of two runs of one thing: the shorter time, the larger memory."""
        if not other:
            return self
        return replace(self, wall=min(self.wall, other.wall), cpu=min(self.cpu, other.cpu),
                       memory=max(self.memory, other.memory))


def cost(line: str, folder: Path, makes: str) -> Cost:
    """Run a command in `folder` and measure it; `makes` is its output. The records that it prints
    are thrown away. RuntimeError with the end of its messages where it fails."""
    errors = folder / f"{makes}.err"
    before = monotonic()
    with errors.open("wb") as told:
        process = subprocess.Popen(shlex.split(line), cwd=folder, stdout=subprocess.DEVNULL,
                                   stderr=told, env=_environment())
        watch = _Watch(process.pid)
        _, status, used = os.wait4(process.pid, 0)  # counts the workers, which it waited for
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.over.set()
        watch.join()
    wall = monotonic() - before
    if process.returncode:
        raise RuntimeError(f"{line}: exit {process.returncode}\n{errors.read_text()[-2000:]}")
    files, size = on_disk(folder / makes)
    return Cost(wall, used.ru_utime + used.ru_stime, watch.most, files, size)


def _environment() -> dict[str, str]:
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return os.environ | one_thread | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def on_disk(path: Path) -> tuple[int, int]:
    """Files and folders at and below a path, and the bytes that the files hold."""
    if path.is_file():
        return 1, path.stat().st_size
    every = [path, *path.rglob("*")]
    return len(every), sum(p.stat().st_size for p in every if p.is_file())


class _Watch(threading.Thread):
    """Adds up the memory of a process and all below it, again and again, and keeps the most."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.most = 0
        self.over = threading.Event()
        self._top = psutil.Process(pid)
        self.start()

    def run(self) -> None:
        while not self.over.wait(LOOK_S):
            try:
                every = [self._top, *self._top.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
            self.most = max(self.most, sum(map(_own, every)))


def _own(process: psutil.Process) -> int:
    try:
        found = process.memory_info()
    except psutil.NoSuchProcess:
        return 0
    return int(found.rss - getattr(found, "shared", 0))
