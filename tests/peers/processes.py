"""Commands run as a user runs them: how long they take, how much memory they need."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

BIN = Path(sys.executable).parent


def remove(*paths: Path) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)


def seconds(command: Sequence[object]) -> float:
    start = time.perf_counter()
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([str(c) for c in command], check=True, env=environment,
                   stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def peak_gb(command: Sequence[object]) -> float:
    """Largest resident memory of a command, measured by the kernel, in a process of its own."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
        "stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, command)], check=True,
                          capture_output=True, text=True)
    scale = 1 if sys.platform == "darwin" else 1024
    return int(done.stdout) * scale / 1e9
