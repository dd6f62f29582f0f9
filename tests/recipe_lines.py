"""A recipe's commands, run one by one in this process: make says what it would run, and checks."""

import shlex
import subprocess
import sys
from pathlib import Path

from hand_made import call

EXAMPLES = Path(__file__).parent.parent / "examples"


def lines(name: str, *settings: str, cwd: Path) -> list[list[str]]:
    """The words of every command that `make` would run now, in `cwd`, for the recipe `name`."""
    done = _make(name, "-n", *settings, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    joined = done.stdout.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in joined if line.strip()]


def run(name: str, *settings: str, cwd: Path) -> list[str]:
    """Run the recipe; returns the commands. Afterwards make must find nothing left to do."""
    asked = lines(name, *settings, cwd=cwd)
    for words in asked:
        if words[0].startswith("cell-"):
            call(words[0].removeprefix("cell-"), *words[1:])
        else:
            subprocess.run([sys.executable if w == "python" else w for w in words], cwd=cwd,
                           check=True, capture_output=True)
    assert _make(name, "-q", *settings, cwd=cwd).returncode == 0, lines(name, *settings, cwd=cwd)
    return [" ".join(words[:2]) for words in asked]


def _make(name: str, *words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", "-f", EXAMPLES / name / "Makefile", *words], cwd=cwd,
                          capture_output=True, text=True, check=False)
