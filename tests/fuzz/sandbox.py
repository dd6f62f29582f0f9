"""One case in a process of its own: limited, watched, and judged by how it ends.

Good ends are success and a documented exit code with one line a fault. Everything else is a fault
of the product: a traceback, an unexpected error (exit 1), a signal, the memory limit, the time
limit, anything written outside the output, anything executed, an output that does not conform.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCUMENTED = (0, 2, 65, 66, 69, 73, 75)
WRITES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate",
          "os.chmod", "os.chown", "shutil.copyfile", "shutil.move", "shutil.rmtree")
RUNS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.startfile", "pty.spawn",
        "socket.connect", "socket.bind", "socket.sendto", "ctypes.dlopen/data")
FOLDERS = ("in", "out", "tmp", "home")  # of a sandbox; what else appears in it was written outside
MARKER = "MARK"  # what hostile code would leave in a sandbox


@dataclass(frozen=True)
class Limits:
    """What one case may take."""

    memory: int = 2 * 2**30  # bytes above what the process has already
    cpu_s: int = 20
    wall_s: float = 180.0  # for what waits for ever; other work on the machine must not count
    file: int = 2**30  # bytes


@dataclass(frozen=True)
class Ended:
    """How a case ended. `fault` is empty where that is fine."""

    fault: str
    code: int
    said: str
    seconds: float
    trace: str = ""
    modules: tuple[str, ...] = ()  # of ours, that it imported


def prepare(folder: Path) -> Path:
    """An empty sandbox."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    return folder


def run(folder: Path, body: Callable[[], int], limits: Limits) -> Ended:
    """Call `body` in a child process with `folder` as its place; it returns an exit code.

    It finds its input in `in/`, which it may not change, and writes to `out/`.
    """
    before = _state(folder / "in")
    begun = time.monotonic()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        _child(folder, body, limits)
    status = _wait(pid, limits.wall_s)
    seconds = time.monotonic() - begun
    said = (folder / "stderr").read_text(errors="replace")
    report = (folder / "report.json").read_text() or "{}"  # empty where it was killed
    told = json.loads(report)
    fault = _judge(folder, status, told, said, before)
    return Ended(fault, told.get("code", -1), said, seconds, told.get("trace", ""),
                 tuple(told.get("modules", ())))


def _wait(pid: int, limit: float) -> int | None:
    """The status of a child, None where it had to be killed."""
    end = time.monotonic() + limit
    pause = 0.001
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


# -- in the child ------------------------------------------------------------------------------


def _child(folder: Path, body: Callable[[], int], limits: Limits) -> None:
    """Never returns."""
    os.setpgid(0, 0)
    found: dict[str, Any] = {"code": -1, "strange": [], "trace": ""}
    report = os.open(folder / "report.json", os.O_WRONLY | os.O_CREAT)
    os.chdir(folder)
    os.environ |= {"TMPDIR": str(folder / "tmp"), "HOME": str(folder / "home"),
                   "XDG_CACHE_HOME": str(folder / "home"),
                   "LIBCELL_MODELS": str(folder / "home" / "models")}
    _streams(folder)
    _limit(limits)
    sys.addaudithook(_hook(folder, found["strange"]))
    try:
        found["code"] = body()
    except BaseException as error:  # noqa: BLE001  whatever it is, it is the result
        import traceback

        found["code"] = 1
        found["trace"] = "".join(traceback.format_exception(error))[-6000:]
    found["modules"] = [name for name in sys.modules if name.startswith("libcell.")]
    sys.stderr.flush()
    sys.stdout.flush()
    os.write(report, json.dumps(found).encode())
    os._exit(0)


def _streams(folder: Path) -> None:
    """Standard input from `in/stdin` if there is one; output and errors to files."""
    given = folder / "in" / "stdin"
    for number, path, how in ((0, given if given.is_file() else Path(os.devnull), os.O_RDONLY),
                              (1, folder / "stdout", os.O_WRONLY | os.O_CREAT),
                              (2, folder / "stderr", os.O_WRONLY | os.O_CREAT)):
        opened = os.open(path, how)
        os.dup2(opened, number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def _limit(limits: Limits) -> None:
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for what, most in ((resource.RLIMIT_AS, held + limits.memory),
                       (resource.RLIMIT_FSIZE, limits.file), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (most, most))
    spent = resource.getrusage(resource.RUSAGE_SELF)
    most = int(spent.ru_utime + spent.ru_stime) + limits.cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))


def _hook(folder: Path, strange: list[str]) -> Callable[[str, tuple[Any, ...]], None]:
    """Notes what is written outside the sandbox's own places, and what is run."""
    mine = tuple(f"{folder / name}{os.sep}" for name in ("out", "tmp", "home"))

    def allowed(path: Any, folder: Any = -1, link: bool = False) -> bool:
        if isinstance(path, int) or path is None:
            return True
        above = f"/proc/self/fd/{folder}" if isinstance(folder, int) and folder >= 0 else "."
        given = Path(above) / os.fsdecode(path)
        # what goes is a link itself, what is written is what it leads to
        full = os.path.realpath(given.parent if link else given)
        full += f"{os.sep}{given.name}" if link else ""
        return (f"{full}{os.sep}".startswith(mine) or "__pycache__" in full
                or full.startswith(("/dev/", "/proc/")))

    def note(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            written = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if flags else any(
                c in (mode or "r") for c in "wax+")
            if written and not allowed(path, link=bool(flags & os.O_NOFOLLOW)):
                strange.append(f"opened {path!r} for writing")
        elif event in WRITES:
            strange.extend(f"{event} {p!r}" for p, at in _changed(event, args)
                           if not allowed(p, at, link=True))
        elif event in RUNS:
            strange.append(f"{event} {args!r:.200}")

    return note


def _changed(event: str, args: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    """Paths that an event changes, each with the number of the open folder that it is in, or -1."""
    if event in ("os.rename", "os.link"):
        return [(args[0], args[2]), (args[1], args[3])]
    if event == "os.symlink":
        return [(args[1], args[2])]
    if event in ("shutil.copyfile", "shutil.move"):
        return [(p, -1) for p in (args[1:2] if event.endswith("file") else args[:2])]
    if event == "os.mkdir" and Path(args[0]).is_dir():
        return []  # it will fail, and was meant to (exist_ok)
    inside = event in ("os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.chown")
    return [(args[0], args[-1] if inside else -1)]


# -- judging -----------------------------------------------------------------------------------


def _judge(
    folder: Path, status: int | None, told: dict[str, Any], said: str, before: dict[str, Any]
) -> str:
    if (folder / MARKER).exists():
        return "code run: the marker is there"
    if told.get("strange"):
        return f"outside: {told['strange'][0]}"
    extra = {p.name for p in folder.iterdir()} - {*FOLDERS, "stdout", "stderr", "report.json"}
    if extra:
        return f"outside: {', '.join(sorted(extra))}"
    if _state(folder / "in") != before:
        return "outside: its input is changed"
    if status is None:
        return "hang: killed after the time limit"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name
        return "hang: CPU limit" if number in (signal.SIGXCPU, signal.SIGKILL) else f"crash: {name}"
    return _ending(told, said)


def _ending(told: dict[str, Any], said: str) -> str:
    code = told.get("code", -1)
    lines = said.splitlines()
    if told.get("trace"):
        return f"error: {told['trace'].splitlines()[-1]:.300}"
    if "Traceback" in said:
        return "error: a traceback"
    if "MemoryError" in said or "not enough memory" in said:
        return f"memory: {lines[-1]:.300}"
    if code not in DOCUMENTED:
        return f"error: exit {code}: {lines[-1] if lines else ''}"[:300]
    if code and not lines:
        return f"silent: exit {code} without a word"
    noise = [line for line in lines if not line.startswith("cell-")]
    return f"noise: {noise[0]:.200}" if noise else ""


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file."""
    return {str(p): ((s := p.lstat()).st_size, s.st_mtime_ns)
            for p in folder.rglob("*") if not p.is_dir()}
