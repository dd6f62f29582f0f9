"""Run the recipes and print the table."""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.recipes.known import RECIPES, Recipe

ROOT = Path(__file__).parent.parent.parent
# our own commands first, then engines that clash with them (`make engines`)
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"],
                        str(ROOT / ".engines" / "workflows" / "bin")])
CPU_MINUTES = 20.0  # of a recipe at most: ten minutes of two cores
Line = tuple[str, str, str, str, bool]  # figure, value, sign, bound, whether it holds


def main() -> int:
    """1 if a line of the table falls short, 2 for a name that is no recipe's."""
    parser = argparse.ArgumentParser(prog="python -m tests.recipes", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="recipes [all]")
    parser.add_argument("--data", type=Path, required=True, help="the shared microscopy")
    parser.add_argument("--output", type=Path, required=True, help="a folder for each recipe")
    parser.add_argument("--jobs", type=int, default=2, help="workers [%(default)s]")
    parser.add_argument("--keep", action="store_true", help="go on from what is there")
    given = parser.parse_args()
    unknown = set(given.names) - {r.name for r in RECIPES}
    if unknown:
        parser.error(f"no recipe {', '.join(sorted(unknown))}; there are "
                     f"{', '.join(r.name for r in RECIPES)}")
    table = Table("recipe", "time", "processor", "figure", "is", "must be", "ok")
    good = True
    for recipe in (r for r in RECIPES if not given.names or r.name in given.names):
        good &= _add(table, recipe, given)
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0 if good else 1


def _add(table: Table, recipe: Recipe, given: argparse.Namespace) -> bool:
    """Run one recipe and add its lines."""
    missing = absent(recipe, given.data)
    if missing:
        table.add_row(recipe.name, "", "", f"left out: {missing}", "", "", "-")
        return True
    out = given.output.resolve() / recipe.name
    if not given.keep:
        shutil.rmtree(out, ignore_errors=True)
    filled = {"out": str(out), "data": str(given.data.resolve()), "python": sys.executable,
              "jobs": str(given.jobs)}
    start, before = time.perf_counter(), _cpu_seconds()
    code = _run(recipe, recipe.command, filled)
    minutes, cpu = (time.perf_counter() - start) / 60, (_cpu_seconds() - before) / 60
    lines = judged(recipe, out, code, cpu)
    if not code and recipe.nothing_left:
        left = _run(recipe, recipe.nothing_left, filled, quiet=True)
        lines.append(("left for a second run", "something" if left else "nothing", "", "nothing",
                      left == 0))
    for i, (text, value, sign, bound, ok) in enumerate(lines):
        times = ("", "", "") if i else (recipe.name, f"{minutes:.1f} min", f"{cpu:.1f} min")
        table.add_row(*times, text, value, f"{sign} {bound}".strip(), "yes" if ok else "NO",
                      end_section=i == len(lines) - 1)
    return all(line[-1] for line in lines)


def absent(recipe: Recipe, data: Path) -> str:
    """What the recipe needs and this machine lacks; empty if nothing."""
    lacking = [p for p in recipe.programs if not shutil.which(p, path=PATH)]
    return ", ".join([f"no {p}" for p in lacking]
                     + [f"no shared {n}" for n in recipe.needs if not (data / n).exists()])


def judged(recipe: Recipe, out: Path, code: int, cpu_minutes: float) -> list[Line]:
    """A line per figure; one alone if the recipe failed."""
    if code:
        return [("exit code", str(code), "", "0", False)]
    lines = []
    for figure in recipe.figures:
        value, bound, holds = figure.judge(out)
        lines.append((figure.text, f"{value:.4g}", "above" if figure.more else "below",
                      f"{bound:.4g}", holds))
    lines.append(("processor time, min", f"{cpu_minutes:.1f}", "below", f"{CPU_MINUTES:.0f}",
                  cpu_minutes < CPU_MINUTES))
    return lines


def _run(
    recipe: Recipe, command: tuple[str, ...], filled: dict[str, str], quiet: bool = False
) -> int:
    """Its exit code; our own commands come first on the path."""
    environment = os.environ | {"PATH": PATH}
    words = [word.format(**filled) for word in command]
    print(f"\n== {recipe.name}: {' '.join(words)}", file=sys.stderr, flush=True)
    stdout = subprocess.DEVNULL if quiet else sys.stderr
    return subprocess.run(words, cwd=ROOT / "examples" / recipe.folder, env=environment,
                          stdout=stdout, check=False).returncode


def _cpu_seconds() -> float:
    """Of all processes that were started from here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
