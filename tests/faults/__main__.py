"""`python -m tests.faults`: make things go wrong, print what came of it, exit non-zero if it is
not what docs/robustness.md promises."""

import argparse
import dataclasses
import json
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from .bench import Bench
from .cases import Case, chosen
from .table import Row, summary

Task = tuple[str, Case]
PROCESSES = ("extract images", "segment threshold", "crop cells")
FEWER = 5  # a method that is not its command's main one is killed so many times less often


def _told() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of each command's main method")
    parser.add_argument("--all", action="store_true", help="all methods, not the main ones alone")
    parser.add_argument("--commands", default="", help="train, or 'train cnn', ... with commas")
    parser.add_argument("--faults", default=",".join(FAULTS), help="which, with commas")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of kills")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folder", help="where to work (kept) [a temporary folder]")
    return parser.parse_args()


def _kill(bench: Bench, case: Case, told: argparse.Namespace) -> Row:
    from .kills import try_kills

    count = told.kills if case.main else max(1, told.kills // FEWER)
    return try_kills(bench, case, count, told.seed)


def _kill_processes(bench: Bench, case: Case, told: argparse.Namespace) -> Row:
    from .kills import try_kills

    spread = dataclasses.replace(case, args=(*case.args, "--scheduler", "processes"))
    return try_kills(bench, spread, max(1, told.kills // 10), told.seed, alone=True)


def _full(bench: Bench, case: Case, _: argparse.Namespace) -> Row:
    from .disks import try_full

    return try_full(bench, case)


def _read_only(bench: Bench, case: Case, _: argparse.Namespace) -> Row:
    from .disks import try_read_only

    return try_read_only(bench, case)


def _slow(bench: Bench, case: Case, _: argparse.Namespace) -> Row:
    from .disks import try_slow

    return try_slow(bench, case)


def _company(bench: Bench, case: Case, _: argparse.Namespace) -> Row:
    from .company import try_company

    return try_company(bench, case, rounds=4)


def _clock(bench: Bench, case: Case, _: argparse.Namespace) -> Row:
    from .clocks import try_clocks

    return try_clocks(bench, case)


def _inputs(bench: Bench, case: Case, _: argparse.Namespace) -> Row:
    from .inputs import try_inputs

    return try_inputs(bench, case, moments=4)


FAULTS: dict[str, Callable[[Bench, Case, argparse.Namespace], Row]] = {
    "kill": _kill, "processes": _kill_processes, "full": _full, "read-only": _read_only,
    "slow": _slow, "company": _company, "clock": _clock, "inputs": _inputs,
}


def main() -> int:
    """Build the inputs once, copy them for each lane, share the tasks out, print and add up."""
    from . import processes, world

    told = _told()
    cases = chosen([c.strip() for c in told.commands.split(",") if c.strip()], told.all)
    tasks = [(fault, case) for fault in told.faults.split(",") for case in cases
             if fault != "processes" or case.name in PROCESSES]
    processes.load()
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary:
        place = Path(told.folder or temporary).absolute()
        place.mkdir(parents=True, exist_ok=True)
        made = processes.start(lambda: world.build(place / "world"), place, place / "log")
        ended = made.wait(limit_s=600)
        if ended.code:
            print(ended.said)
            return 1
        rows = _share(tasks, place, told)
    text, code = summary(rows)
    print(text)
    return code or int(len(rows) < len(tasks))


def _share(tasks: list[Task], place: Path, told: argparse.Namespace) -> list[Row]:
    """Lanes take the next task from a pipe until it is empty; their rows, when all are done."""
    ours, theirs = os.pipe()
    os.write(theirs, b"".join(struct.pack("i", k) for k in range(len(tasks))))
    os.close(theirs)
    lanes = []
    for lane in range(told.jobs):
        pid = os.fork()
        if not pid:
            os._exit(_lane(ours, tasks, place, lane, told))
        lanes.append(pid)
    os.close(ours)
    for pid in lanes:
        os.waitpid(pid, 0)
    lines = [line for lane in range(told.jobs)
             for line in (place / f"rows-{lane}").read_text().splitlines()]
    return [Row(**json.loads(line)) for line in lines]


def _lane(queue: int, tasks: list[Task], place: Path, lane: int, told: argparse.Namespace) -> int:
    shutil.copytree(place / "world", place / f"world-{lane}")
    bench = Bench(place / f"world-{lane}")
    with (place / f"rows-{lane}").open("w") as rows:
        while number := os.read(queue, 4):
            fault, case = tasks[struct.unpack("i", number)[0]]
            try:
                row = FAULTS[fault](bench, case, told)
            except Exception as error:  # noqa: BLE001  one row must not stop the others
                row = Row(fault, case.name, 1, [f"{type(error).__name__}: {error}"[-600:]])
            rows.write(json.dumps(dataclasses.asdict(row)) + "\n")
            rows.flush()
            sys.stdout.write(row.text() + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
