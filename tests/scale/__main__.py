"""`make scale`: the whole pipeline on 1, 10, 100 and 1000 fields of view, and how its cost grows.

    python -m tests.scale [--fields 1,10,100,1000] [--commands measure,lap] [--figures FILE]

A line falls short where time grows faster than the fields do, where memory grows at all of a
command that works field by field, or where a field costs more files than it should. Tables are
taken to ten times as many fields, by repeating plates: what is done to them is quick, and what
grows too fast there shows only when they are large.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from tests.scale import fields, verdict
from tests.scale.costs import Cost, cost
from tests.scale.steps import FILM, PLATE, STORES, TABLE, Step

Figures = dict[Step, dict[int, Cost]]


def main() -> int:
    """Measure, print the table; 1 where a line falls short."""
    given = _arguments()
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="libcell-scale-", dir=given.scratch) as scratch:
        _measure(given, Path(scratch), figures)
    if given.figures:
        given.figures.write_text(json.dumps(
            {s.name: {n: asdict(c) for n, c in some.items()} for s, some in figures.items()}))
    lines = [verdict.judge(s, found) for s, found in figures.items() if _asked(s, given.commands)]
    Console(width=max(Console().width, 170)).print(verdict.table(lines))
    return int(any(line.misses for line in lines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fields", type=lambda t: sorted({int(n) for n in t.split(",")}),
                        default=[1, 10, 100, 1000], metavar="N,N,...", help="three or more sizes")
    parser.add_argument("--commands", type=lambda t: t.split(","), default=[], metavar="NAME,...",
                        help="only steps whose command or name holds one of these, and what they "
                        "need")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="folder for what is made [the system's]")
    parser.add_argument("--figures", type=Path, help="write what was measured as JSON")
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


def _measure(given: argparse.Namespace, scratch: Path, figures: Figures) -> None:
    """Every chain at every size; costs into `figures`, line by line to stderr."""
    plate = _needed(PLATE + TABLE + STORES, given.commands)
    tables = tuple(s for s in plate if s in TABLE)
    film = _needed(FILM, given.commands)
    most = given.fields[-1]
    for n in given.fields if plate else ():
        folder = scratch / f"plate-{n}"
        fields.write_plates(folder / "raw", n)
        _run(plate, folder, n, given.workers, figures)
    if tables:
        (scratch / "tables").mkdir()
        fields.repeat(scratch / f"plate-{most}" / "f.parquet", scratch / "tables" / "f.parquet", 10)
        _run(tables, scratch / "tables", 10 * most, given.workers, figures)
    for n in given.fields if film else ():
        folder = scratch / f"film-{n}"
        fields.write_films(folder / "raw", n)
        _run(film, folder, n, given.workers, figures)


def _run(steps: Iterable[Step], folder: Path, n: int, workers: int, figures: Figures) -> None:
    for step in steps:
        if n < step.fewest:
            continue
        found = cost(f"{step.line} -q -j {workers}", folder, step.makes)
        figures.setdefault(step, {})[n] = found
        print(f"{n:8} {step.name:12} {found.wall:8.1f} s {found.cpu:8.1f} s CPU "
              f"{found.memory / 1e6:7.0f} MB {found.files:8} files", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
