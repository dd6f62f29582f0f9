"""Shared fixtures: where the real microscopy is, and how commands are run."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("LIBCELL_TEST_DATA") or ROOT.parent / "shared" / "data")
REQUIRED = os.environ.get("LIBCELL_REQUIRE_DATA") == "1"

Command = Callable[..., subprocess.CompletedProcess[str]]


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
def cell() -> Command:
    """`cell("segment", "threshold", ...)` runs cell-segment as a user does, in a process.

    Keywords: `cwd`, `input` (text or bytes for standard input), `env` (added to the
    environment), `code` (the exit code that is expected, 0 unless given; None: any).
    """

    def run(
        room: str, *args: object, code: int | None = 0, **more: object
    ) -> subprocess.CompletedProcess[str]:
        environment = os.environ | dict(more.pop("env", None) or {})  # type: ignore[call-overload]
        done = subprocess.run(
            [sys.executable, "-m", f"cell_{room}", *map(str, args)],
            capture_output=True, env=environment, text=True, timeout=300, **more,  # type: ignore[call-overload]
        )
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run
