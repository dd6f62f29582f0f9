"""A little of `make fuzz`, always the same; and its sandbox sees what it is there to see."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import sandbox

ROOT = Path(__file__).parents[2]
READERS = "table,records,napari,validator"


def test_a_few_cases():
    """In a process of its own, since it forks for every case."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--cases", "3", "--seed", "1", "--real", "0",
         "--readers", READERS], cwd=ROOT, check=False, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 of them faults" in done.stdout


BODIES = {
    "error: ValueError: no": "raise ValueError('no')",
    "error: exit 1": "sys.stderr.write('cell-x: internal error\\n'); code = 1",
    "silent: exit 65": "code = 65",
    "noise: a warning": "sys.stderr.write('a warning\\n')",
    "outside: opened": "open('../x', 'w')",
    "outside: os.remove": "os.remove('in/x')",
    "outside: socket.connect": "socket.socket().connect_ex(('127.0.0.1', 9))",
    "outside: subprocess.Popen": "subprocess.run(['true'])",
    "code run": "os.mkdir('MARK')",
    "crash: SIGSEGV": "os.kill(os.getpid(), signal.SIGSEGV)",
    "hang: CPU": "resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass",
    "hang: killed": "time.sleep(60)",
    "error: MemoryError": "bytearray(2**40)",
    "": "sys.stderr.write('cell-x: no such thing\\n'); code = 65; open('out/x', 'w').close()",
}


@pytest.mark.parametrize("fault", BODIES)
def test_what_the_sandbox_sees(tmp_path, fault):
    folder = sandbox.prepare(tmp_path / "case")
    (folder / "in" / "x").write_text("x")
    script = (f"import os, sys; sys.path[:0] = [{str(ROOT)!r}]\n"
              "import resource, signal, socket, subprocess, time\n"
              "from pathlib import Path\nfrom tests.fuzz import sandbox\n"
              "def body():\n    code = 0\n"
              + "".join(f"    {line}\n" for line in BODIES[fault].splitlines())
              + f"    return code\nended = sandbox.run(Path({str(folder)!r}), body, "
              f"sandbox.Limits(wall_s={3 if 'killed' in fault else 90}))\nprint(ended.fault)")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          check=False, timeout=100, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(fault) and bool(done.stdout.strip()) == bool(fault)
