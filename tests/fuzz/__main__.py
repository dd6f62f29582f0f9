"""`make fuzz`: damaged and hostile input through every reader, each case in a process of its own.

    python -m tests.fuzz --cases 200 --seed 3 --readers tiff,coco
    python -m tests.fuzz --replay coco:3:117
"""

import argparse
import importlib
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLCONFIGDIR", "/tmp")

from tests.fuzz import cases, hostile, sandbox, seeds
from tests.fuzz.cases import Case, Place
from tests.fuzz.doors import DOORS, WARM, Command, Door

SHOWN = 6  # faults of one reader that are named


@dataclass
class Row:
    """What was found out of one reader."""

    door: Door
    ends: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    def note(self, case: Case, ended: sandbox.Ended, done: list[str]) -> None:
        """One more case."""
        self.ends["fault" if ended.fault else str(ended.code)] += 1
        if ended.fault:
            self.faults.setdefault(ended.fault[:160], []).append(
                f"{case.name}  ({'; '.join(done)[:200]})")


def main() -> int:
    """Print the table as it grows; 1 if a case ended in a way that it must not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=150, help="random cases for each reader")
    parser.add_argument("--seconds", type=float, default=20.0, help="at most, for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", default="", help="names with commas between")
    parser.add_argument("--real", type=int, default=1,
                        help="cases of each command that are run as processes, too")
    parser.add_argument("--replay", default="", help="one case by its name, with its traceback")
    parser.add_argument("--keep", type=Path, help="where the folder of a replayed case is left")
    given = parser.parse_args()
    wanted = given.readers.split(",") if given.readers else [d.name for d in DOORS]
    with tempfile.TemporaryDirectory(prefix="libcell-fuzz-") as scratch:
        place = Place(Path(scratch) / "seeds", Path(scratch) / "work")
        if given.replay:
            return _replay(Case.parse(given.replay), place, given.keep)
        rows = [_door(door, place, given) for door in DOORS if door.name in wanted]
    bad = sum(row.ends["fault"] for row in rows)
    print(f"{sum(sum(r.ends.values()) for r in rows)} cases, {bad} of them faults, seed "
          f"{given.seed}")
    return 1 if bad else 0


def ready(door: Door, place: Place) -> None:
    """Import what the door needs, and make its seeds, in a process of their own."""
    if {"timm", "torchvision"} & set(door.warm):
        from libcell.nn import torchvision_ops

        torchvision_ops.load()
    for name in (*WARM, *door.warm):
        importlib.import_module(name)
    for name in {*door.seeds, *(r.seed for r in hostile.RECIPES.get(door.name, ()) if r.seed)}:
        if not (place.seeds / name).exists():
            _apart(name, place.seeds / name)


def _apart(name: str, to: Path) -> None:
    """Make a seed in a child, so that none of its threads are here when cases are forked."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            seeds.make(name, to)
            code = 0
        except BaseException:  # noqa: BLE001  a child says what it has to say and ends
            import traceback

            traceback.print_exc()
        os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError(f"the seed {name} could not be made")


def _door(door: Door, place: Place, given: argparse.Namespace) -> Row:
    ready(door, place)
    row, begun = Row(door), time.monotonic()
    _untouched(door, place, row)
    recipes = len(hostile.RECIPES.get(door.name, ()))
    for number in range(recipes + given.cases):
        if number >= recipes and time.monotonic() - begun > given.seconds:
            break
        case = Case(door.name, given.seed, number)
        ended, done = cases.run(case, door, place, sandbox.Limits())
        if ended.fault and len(done) > 1:
            case = cases.smallest(case, ended, lambda c: cases.run(c, door, place,
                                                                   sandbox.Limits())[0])
        row.note(case, ended, done)
    if isinstance(door.call, Command) and given.real:
        _real(door, place, row, [Case(door.name, given.seed, recipes + i)
                                 for i in range(given.real)])
    row.seconds = time.monotonic() - begun
    _print(row)
    return row


def _real(door: Door, place: Place, row: Row, some: list[Case]) -> None:
    """Some cases again, as processes of their own: the same end, and no traceback."""
    for case in some:
        code, said = cases.run_really(case, door, place)
        ended, done = cases.run(case, door, place, sandbox.Limits())
        wrong = "a traceback" if "Traceback" in said else ""
        if code != ended.code and not ended.fault:
            wrong = f"exit {code}, {ended.code} in the sandbox"
        row.note(case, sandbox.Ended(f"process: {wrong}" if wrong else "", code, said, 0.0), done)


def _untouched(door: Door, place: Place, row: Row) -> None:
    """Every seed is read as it is, or the reader was never fuzzed at all."""
    for name in door.seeds:
        shutil.rmtree(place.work / name, ignore_errors=True)
        folder = sandbox.prepare(place.work / name)
        cases.of_trees.copy(place.seeds / name, folder / "in")
        ended = sandbox.run(folder, lambda: door.call(True), sandbox.Limits(wall_s=120, cpu_s=120))
        if ended.code or ended.fault:
            print(ended.said, ended.trace)
            row.ends["fault"] += 1
            row.faults[f"seed {name}: exit {ended.code}, {ended.fault}"] = [ended.said[-200:]]
        for module in ended.modules:  # imported here, they are there in every case
            importlib.import_module(module)


def _print(row: Row) -> None:
    ends = ", ".join(f"{n} x {k}" for k, n in sorted(row.ends.items()))
    print(f"{row.door.name:12} {row.seconds:6.1f} s  {ends}")
    for fault, names in sorted(row.faults.items(), key=lambda f: -len(f[1]))[:SHOWN]:
        print(f"    {len(names)} x {fault}\n        {names[0]}")
    if len(row.faults) > SHOWN:
        print(f"    and {len(row.faults) - SHOWN} other kinds")
    sys.stdout.flush()


def _replay(case: Case, place: Place, keep: Path | None) -> int:
    door = next(d for d in DOORS if d.name == case.door)
    ready(door, place)
    ended, done = cases.run(case, door, place, sandbox.Limits(), verbose=True)
    print("\n".join(done), ended.said[-6000:], ended.trace, sep="\n")
    quiet, _ = cases.run(case, door, place, sandbox.Limits())
    print(f"exit {quiet.code} after {quiet.seconds:.2f} s: {quiet.fault or 'as it should be'}")
    if keep:
        (place.work / "case").rename(keep)
    return 1 if quiet.fault else 0


if __name__ == "__main__":
    sys.exit(main())
