"""Print one line per trial; the exit code is 1 if one of them went wrong."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster import chain
from tests.cluster.faults import FAULTS, Place
from tests.cluster.nodes import Nodes

WAYS = ("address", "file", "variable")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--only", default="", help="part of a trial's name")
    parser.add_argument("--scratch", type=Path, help="folder for what is made [a temporary one]")
    given = parser.parse_args()
    print(f"{'':4} {'s':>6}  trial", flush=True)
    with tempfile.TemporaryDirectory(prefix="cluster-", dir=given.scratch) as folder:
        wrong = same_bytes(Path(folder), given.only) + faults(Path(folder), given.only)
    return 1 if wrong else 0


def same_bytes(folder: Path, wanted: str) -> int:
    """Every block-wise command, its scheduler named in each way by turns; returns the failures."""
    if wanted not in "same bytes":
        return 0
    here, there = (chain.prepare(folder / name) for name in ("here", "there"))
    wrong = 0
    with Nodes(folder / "nodes") as nodes:
        nodes.start_scheduler()
        nodes.start_workers(4)
        for number, step in enumerate(chain.CHAIN):
            way = WAYS[number % len(WAYS)]
            wrong += trial(
                f"same bytes: {' '.join(step.args[:2])} -> {step.output} (by {way})",
                lambda step=step, way=way: _agree(step, here, there, nodes, way))
    return wrong


def _agree(step: chain.Step, here: Path, there: Path, nodes: Nodes, way: str) -> None:
    named = {"address": ("--scheduler", nodes.address), "file": ("--scheduler", str(nodes.file)),
             "variable": ()}[way]
    env = {"DASK_SCHEDULER_ADDRESS": nodes.address} if way == "variable" else {}
    for folder, more, added in ((here, ("-j", "2"), {}), (there, named, env)):
        done = chain.run([*step.args, "-o", step.output, *more], folder, added)
        assert done.returncode == 0, done.stderr
    assert chain.same(here / step.output, there / step.output), "bytes differ"


def faults(folder: Path, wanted: str) -> int:
    wrong = 0
    for fault in FAULTS:
        if wanted in fault.__name__:
            own = folder / fault.__name__

            def carried_out(fault=fault, own=own) -> None:
                place = Place(own / "work", large="memory" in fault.__name__)
                with Nodes(own / "nodes") as nodes:
                    nodes.start_scheduler()
                    fault(place, nodes)

            wrong += trial(f"{fault.__name__}: {fault.__doc__}", carried_out)
    return wrong


def trial(name: str, carry_out: Callable[[], None]) -> int:
    """One line of the table; 1 if it went wrong."""
    start = time.monotonic()
    try:
        carry_out()
        fault = ""
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        fault = " ".join(str(error).split()) or type(error).__name__
    took = time.monotonic() - start
    print(f"{'MISS' if fault else 'ok':4} {took:6.1f}  {name}{fault and ': '}{fault}", flush=True)
    return int(bool(fault))


if __name__ == "__main__":
    sys.exit(main())
