"""`make scale`: the whole pipeline on 1, 10, 100 and 1000 fields of view, and how its cost grows.

    python -m tests.scale [--fields 1,10,100,1000] [--commands measure,lap] [--scratch FOLDER]

A line falls short where time grows faster than the fields do, where memory grows at all of a
command that works field by field, or where a field costs more files than it should. Tables are
taken to ten times as many fields, by repeating plates: what is done to them is quick, and what
grows too fast there shows only when they are large.
"""

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from tests.scale import fields, verdict
from tests.scale.costs import Cost, cost
from tests.scale.steps import FILM, PLATE, STORES, TABLE, Step

AGAIN = 2  # times that what grows too fast is measured again: other work on a machine only adds


def main() -> int:
    """Measure, print the table; 1 where a line falls short."""
    given = _arguments()
    with contextlib.ExitStack() as stack:
        folder = given.scratch or Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="libcell-scale-")))
        folder.mkdir(parents=True, exist_ok=True)
        figures = Figures(folder / "figures.json")
        _measure(given, folder, figures)
        for _ in range(AGAIN):
            _remeasure(given, folder, figures)
    lines = [verdict.judge(s, figures.of(s)) for s in PLATE + TABLE + STORES + FILM
             if _asked(s, given.commands)]
    Console(width=max(Console().width, 170)).print(verdict.table(lines))
    for line in lines:
        for miss in line.misses:
            print(f"MISS {line.step.command} ({line.step.name}): {miss}")
    return int(any(line.misses for line in lines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fields", type=lambda t: sorted({int(n) for n in t.split(",")}),
                        default=[1, 10, 100, 1000], metavar="N,N,...", help="three or more sizes")
    parser.add_argument("--commands", type=lambda t: t.split(","), default=[], metavar="NAME,...",
                        help="only steps whose command or name holds one of these, and what they "
                        "need")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="folder where all that is made stays, and the "
                        "figures; a run that was ended goes on there [a temporary one]")
    given = parser.parse_args()
    if len(given.fields) < 3:
        parser.error("--fields: growth is fitted through three sizes; give three or more")
    return given


def _asked(step: Step, commands: list[str]) -> bool:
    return not commands or any(c in step.command or c in step.name for c in commands)


def _needed(steps: tuple[Step, ...], commands: list[str]) -> tuple[Step, ...]:
    """The steps asked for, and those that make what they read."""
    words: set[str] = set()
    kept = []
    for step in reversed(steps):
        if _asked(step, commands) or step.makes in words:
            kept.append(step)
            words.update(step.line.split())
    return tuple(reversed(kept))


class Figures:
    """Costs by command and size, kept in a file as they come."""

    def __init__(self, path: Path):
        self._path = path
        known = json.loads(path.read_text()) if path.exists() else {}
        self._known = {name: {int(n): Cost(**cost) for n, cost in some.items()}
                       for name, some in known.items()}

    def of(self, step: Step) -> dict[int, Cost]:
        """Those of one command."""
        return self._known.setdefault(step.name, {})

    def add(self, step: Step, n: int, found: Cost) -> None:
        """Note one and keep all."""
        self.of(step)[n] = found
        self._path.write_text(json.dumps({name: {n: asdict(c) for n, c in some.items()}
                                          for name, some in self._known.items()}))


def _measure(given: argparse.Namespace, scratch: Path, figures: Figures) -> None:
    """Every chain at every size; costs into `figures`, line by line to stderr."""
    plate = _needed(PLATE + TABLE + STORES, given.commands)
    tables = tuple(s for s in plate if s in TABLE)
    film = _needed(FILM, given.commands)
    most = given.fields[-1]
    for n in given.fields:
        if plate:
            _made(scratch / f"plate-{n}" / "raw", fields.write_plates, n)
            _run(plate, scratch / f"plate-{n}", n, given.workers, figures)
        if film:
            _made(scratch / f"film-{n}" / "raw", fields.write_films, n)
            _run(film, scratch / f"film-{n}", n, given.workers, figures)
    if tables:
        measured = scratch / f"plate-{most}" / "f.parquet"
        _made(scratch / "tables" / "f.parquet", lambda to, n: fields.repeat(measured, to, n), 10)
        _run(tables, scratch / "tables", 10 * most, given.workers, figures)


def _remeasure(given: argparse.Namespace, scratch: Path, figures: Figures) -> None:
    """Run what seems to take too long once more, at its last three sizes; the shorter counts."""
    for step in PLATE + TABLE + STORES + FILM:
        known = figures.of(step)
        if not _asked(step, given.commands) or not verdict.judge(step, known).slow:
            continue
        for n in sorted(known)[-3:]:
            kind = "film" if step in FILM else "plate"
            folder = scratch / ("tables" if n > given.fields[-1] else f"{kind}-{n}")
            _measured(step, folder, n, given.workers, figures)


def _made(path: Path, make: Callable[[Path, int], None], n: int) -> None:
    """Make raw data unless they are there, whole or not at all."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make(partial, n)
    partial.rename(path)


def _run(steps: Iterable[Step], folder: Path, n: int, workers: int, figures: Figures) -> None:
    for step in steps:
        if n < step.fewest or (n in figures.of(step) and (folder / step.makes).exists()):
            continue
        _measured(step, folder, n, workers, figures)


def _measured(step: Step, folder: Path, n: int, workers: int, figures: Figures) -> None:
    found = cost(f"{step.line} -q --force -j {workers}", folder, step.makes)
    figures.add(step, n, found.beside(figures.of(step).get(n)))
    print(f"{n:8} {step.name:12} {found.wall:8.1f} s {found.cpu:8.1f} s CPU "
          f"{found.memory / 1e6:7.0f} MB {found.files:8} files", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
