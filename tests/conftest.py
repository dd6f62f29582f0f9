"""Shared fixtures: where the real microscopy is, and how commands are run."""

import contextlib
import os

# one thread each, for the tests themselves run side by side; torch reads it at its import
os.environ.setdefault("OMP_NUM_THREADS", "1")

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import small_plate
from forks import Forks

# the makes that tests run are nobody's children: told of a parent they announce their folders
for told in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
    os.environ.pop(told, None)

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("LIBCELL_TEST_DATA") or ROOT.parent / "shared" / "data")
REQUIRED = os.environ.get("LIBCELL_REQUIRE_DATA") == "1"

Command = Callable[..., subprocess.CompletedProcess[str]]
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared("dsb2018_nuclei")` is that folder of the shared microscopy.

    Without it the test is skipped by name; in CI, where it must be there, the test fails.
    """

    def find(name: str) -> Path:
        folder = DATA / name
        if not folder.exists():
            if REQUIRED:
                pytest.fail(f"shared data {name} is not at {DATA}")
            pytest.skip(f"shared data {name} is not at {DATA}; set LIBCELL_TEST_DATA")
        return folder

    return find


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """A process to fork commands from."""
    made = Forks()
    yield made
    made.close()


@pytest.fixture(scope="session")
def cell(forks: Forks) -> Command:
    """`cell("segment", "threshold", ...)` runs cell-segment as a user does, in a process.

    Keywords: `cwd`, `input` (text or bytes for standard input), `env` (added to the
    environment), `fresh` (an interpreter of its own, as with `env`; else it is forked from one
    that has imported what commands need), `code` (the exit code that is expected, 0 unless given;
    None: any).
    """

    def run(
        room: str, *args: object, code: int | None = 0, cwd: object = ".", fresh: bool = False,
        input: str | bytes | None = None, env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        words = [str(a) for a in args]
        if fresh or env or not hasattr(os, "pidfd_open"):  # which Linux alone has
            done = subprocess.run(
                [sys.executable, "-m", f"cell_{room}", *words], cwd=cwd, input=input,  # type: ignore[call-overload]
                capture_output=True, env=os.environ | (env or {}), text=True, timeout=300)
        else:
            done = forks.run(room, words, str(Path(str(cwd)).resolve()), input)
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """`spawn("segment", "threshold", ...)` starts a command and returns its process.

    All three streams are pipes unless given; whatever still runs at the end is killed.
    """
    started: list[subprocess.Popen[str]] = []

    def start(room: str, *args: object, **more: object) -> "subprocess.Popen[str]":
        environment = os.environ | dict(more.pop("env", None) or {})  # type: ignore[call-overload]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [sys.executable, "-m", f"cell_{room}", *map(str, args)],
            env=environment, text=True, **(pipes | more),  # type: ignore[call-overload]
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream and not stream.closed:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@pytest.fixture(scope="session")
def plate(tmp_path_factory: pytest.TempPathFactory, cell: Command) -> Path:
    """A folder with a small plate on its way: raw/, p.ome.zarr, n.labels.ome.zarr, f.parquet.

    Four wells of 128 x 128 px and two channels. The feature table is another plate's. Tests
    that change anything copy it first.
    """
    folder = tmp_path_factory.mktemp("plate")
    small_plate.write_raw(folder / "raw")
    small_plate.write_features(folder / "f.parquet")
    cell("extract", "images", "raw/*.tif", "--pattern", small_plate.PATTERN,
         "-o", "p.ome.zarr", cwd=folder)
    cell("segment", "threshold", "p.ome.zarr", "-c", "DNA", "-o", "n.labels.ome.zarr", cwd=folder)
    return folder
