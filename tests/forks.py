"""Commands in children of a process that has imported what they need: no start-up for each.

`python -m forks SOCKET` is such a process. It ends with its standard input.
"""

import gc
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

from faults import processes

LIMIT_S = 300.0


class Forks:
    """Asks such processes to run commands. `close` ends them."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="forks-")
        self._numbers = count()
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def _address(self, room: str) -> str:
        """Of a process that has imported what the room needs; without torch a fork is cheaper."""
        kind = "networks" if room in ("train", "explain") else "arrays"
        address = f"{self._folder.name}/{kind}"
        if kind not in self._servers:
            self._servers[kind] = subprocess.Popen(
                [sys.executable, "-m", "forks", address], cwd=Path(__file__).parent,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            told = self._servers[kind].stdout
            assert told and told.readline(), "the process of forks died"
        return address

    def run(
        self, room: str, args: list[str], cwd: str, given: str | bytes | None
    ) -> "subprocess.CompletedProcess[str]":
        """The command's end, as subprocess.run has it of `python -m cell_room` with this
        process's environment. TimeoutExpired after five minutes."""
        logs = Path(self._folder.name) / str(next(self._numbers))
        stdin = logs.with_suffix(".in")
        stdin.write_bytes(given.encode() if isinstance(given, str) else given or b"")
        asked = {"room": room, "args": args, "folder": cwd, "logs": str(logs),
                 "environment": dict(os.environ)}
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(self._address(room))
            line.sendall(f"{json.dumps(asked)}\n".encode())
            told = line.makefile().read()
        code = json.loads(told)["code"]
        streams = [logs.with_suffix(end) for end in (".out", ".err")]
        out, said = (path.read_text() for path in streams)
        for path in (stdin, *streams):
            path.unlink()
        if code is None:
            raise subprocess.TimeoutExpired([room, *args], LIMIT_S, out, said)
        return subprocess.CompletedProcess([f"cell-{room}", *args], code, out, said)

    def close(self) -> None:
        for server in self._servers.values():
            server.communicate()
        self._folder.cleanup()


def serve(address: str) -> None:
    """Fork a child for whoever asks, and tell how it ended, until standard input ends."""
    processes.load(processes.HEAVY if address.endswith("networks") else processes.ARRAYS)
    gc.freeze()  # children that collect would copy what they share
    running: dict[int, tuple[processes.Child, socket.socket]] = {}
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(16)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([door, sys.stdin, *running], [], [], 1.0)
            if sys.stdin in ready:
                return
            for ending, (child, line) in list(running.items()):
                late = time.monotonic() > child.begun + LIMIT_S
                if ending in ready or late:
                    del running[ending]
                    os.close(ending)
                    code = child.wait(kill_after=0.0).code
                    line.sendall(json.dumps({"code": None if late else code}).encode())
                    line.close()
            if door in ready:
                line, _ = door.accept()
                child = _begin(json.loads(line.makefile().readline()))
                running[os.pidfd_open(child.pid)] = child, line


def _begin(asked: dict[str, Any]) -> processes.Child:
    logs = Path(asked["logs"])
    return processes.start(lambda: _command(asked), Path(asked["folder"]), logs,
                           logs.with_suffix(".in"))


def _command(asked: dict[str, Any]) -> int:
    os.environ.clear()
    os.environ.update(asked["environment"])
    tempfile.tempdir = None
    return processes.command(asked["room"], asked["args"])


if __name__ == "__main__":
    serve(sys.argv[1])
