"""A scheduler and workers, each a process, started as a user starts them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
START_S = 180.0


class Nodes:
    """One scheduler on 127.0.0.1 and its workers; `folder` holds their logs and files.

    Use as a context: all of them are gone at its end.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._workers: list[subprocess.Popen[bytes]] = []
        self._scheduler: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def file(self) -> Path:
        """The scheduler file."""
        return self.folder / "scheduler.json"

    @property
    def address(self) -> str:
        return str(json.loads(self.file.read_text())["address"])

    def start_scheduler(self, port: int = 0) -> None:
        """Returns when it listens."""
        self.file.unlink(missing_ok=True)
        self._scheduler = self._spawn("scheduler", [
            "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--scheduler-file", self.file])
        _until(lambda: bool(self.file.exists() and self.address), "the scheduler")

    def start_workers(
        self, count: int, memory: str = "1GiB", *, env: Mapping[str, str] | None = None,
        before: Sequence[str] = (), awaited: bool = True,
    ) -> "subprocess.Popen[bytes]":
        """`count` worker processes of one thread, each under a nanny; returns when all are there.

        `before` is a command that starts the command. The process returned is the nannies'.
        """
        known = len(self.pids()) if awaited else 0
        started = self._spawn("worker", [
            self.address, "--host", "127.0.0.1", "--nworkers", count, "--nthreads", 1,
            "--memory-limit", memory, "--no-dashboard", "--death-timeout", "120",
            "--local-directory", self.folder / "spill"], env, before)
        self._workers.append(started)
        if awaited:
            _until(lambda: len(self.pids()) >= known + count, f"{count} workers")
        return started

    def pids(self) -> list[int]:
        """The worker processes that the scheduler knows."""
        with self._client() as client:
            return [int(p) for p in client.run(os.getpid, on_error="ignore").values()]

    @contextlib.contextmanager
    def _client(self) -> Any:
        from distributed import Client

        with Client(self.address, timeout=START_S, set_as_default=False) as client:
            yield client

    def kill_scheduler(self) -> None:
        assert self._scheduler
        _end(self._scheduler, signal.SIGKILL)

    def kill_workers(self) -> None:
        for process in list(self._workers):
            self.stop(process)

    def stop(self, process: "subprocess.Popen[bytes]") -> None:
        """End a process that `start_workers` returned, first itself, lest it start others."""
        import psutil

        self._workers.remove(process)
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid).children(recursive=True)
            _end(process, signal.SIGKILL)
            for child in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()

    def _spawn(
        self, name: str, args: Sequence[object], env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*before, str(BIN / "dask"), name, *map(str, args)], cwd=self.folder, stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, env=os.environ | dict(env or {}))

    def __enter__(self) -> "Nodes":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_workers()
        if self._scheduler:
            _end(self._scheduler, signal.SIGKILL)


def _end(process: "subprocess.Popen[bytes]", number: int) -> None:
    if process.poll() is None:
        process.send_signal(number)
    process.wait(30)


def _until(true: Any, what: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        with contextlib.suppress(ValueError, KeyError, OSError):
            if true():
                return
        time.sleep(0.5)
    raise TimeoutError(f"{what} did not come within {START_S:g} s; see their logs")
