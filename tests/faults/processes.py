"""Commands in forked children: no interpreter to start, nothing to import, and easily killed."""

import importlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 120.0
ARRAYS = ("typer", "libcell.cli.app", "libcell.cli.execute", "numpy", "scipy.ndimage",
          "skimage.measure", "zarr", "pyarrow.parquet", "pyarrow.compute", "pydantic", "tifffile",
          "imagecodecs", "numba")
HEAVY = (*ARRAYS, "sklearn.ensemble", "PIL.Image", "jinja2", "plotly", "torch", "lightgbm",
         "networkx", "pandas", "geff", "msgspec")


@dataclass(frozen=True)
class Ended:
    """How a child ended: exit code (-9 if it was killed), what it wrote, how long it took."""

    code: int
    out: str
    said: str
    seconds: float

    @property
    def killed(self) -> bool:
        return self.code in (-signal.SIGKILL, -signal.SIGALRM)


@dataclass
class Child:
    """A running child, with its streams in files."""

    pid: int
    streams: tuple[Path, Path]
    begun: float

    def kill(self, alone: bool = False) -> None:
        """It, and all that it started unless `alone`."""
        try:
            (os.kill if alone else os.killpg)(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # it does not lead its group yet
            os.kill(self.pid, signal.SIGKILL)

    def wait(
        self, kill_after: float | None = None, limit_s: float = LIMIT_S,
        meanwhile: Callable[[], None] | None = None, alone: bool = False,
    ) -> Ended:
        """Wait for its end, or kill it after so many seconds; TimeoutError past the limit.
        `meanwhile` is called about every millisecond."""
        ending = os.pidfd_open(self.pid)
        try:
            limit = limit_s if kill_after is None else kill_after
            while meanwhile and not select.select([ending], [], [], 0.001)[0]:
                meanwhile()
            left = max(0.0, self.begun + limit - time.monotonic())
            if not select.select([ending], [], [], left)[0]:
                self.kill(alone)
                if kill_after is None:
                    os.waitpid(self.pid, 0)
                    raise TimeoutError(f"still running after {limit_s:g} s")
            _, status = os.waitpid(self.pid, 0)
        finally:
            os.close(ending)
        seconds = time.monotonic() - self.begun
        out, said = (p.read_text(errors="replace") for p in self.streams)
        return Ended(os.waitstatus_to_exitcode(status), out, said, seconds)


def load(names: tuple[str, ...] = HEAVY) -> None:
    """Import what commands need, once for all children."""
    for name in names:
        importlib.import_module(name)
    if "torch" in names:
        from libcell.nn import torchvision_ops

        torchvision_ops.load()
        importlib.import_module("timm")


def start(
    work: Callable[[], int], folder: Path, logs: Path, given: Path = Path(os.devnull)
) -> Child:
    """Fork; the child does `work` in the folder, leading a group of its own, and exits with what
    that returns. The streams go to `logs`, which is unique to the child; `given` is its standard
    input."""
    streams = logs.with_suffix(".out"), logs.with_suffix(".err")
    begun = time.monotonic()
    pid = os.fork()
    if pid:
        return Child(pid, streams, begun)
    code = 99
    try:
        os.setsid()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which a test runner may have taken
        os.chdir(folder)
        redirect(given, *streams)
        code = work()
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001  of the work; the child must not go on as its parent
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def redirect(given: Path, out: Path, said: Path) -> None:
    """Standard input, output and errors of this process, from now on."""
    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path, how in ((0, given, os.O_RDONLY), (1, out, new), (2, said, new)):
        opened = os.open(path, how)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, closefd=False) for n in (1, 2))


def command(room: str, args: list[str]) -> int:
    """The command as its console script runs it; returns the exit code."""
    from libcell.cli import app

    sys.argv = [f"cell-{room}", *args]
    try:
        app.run_command(room, "")
    except SystemExit as end:
        return int(end.code or 0)
