"""A case: which reader, which seed, which changes; made the same again from its name."""

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.fuzz import hostile, of_trees, sandbox
from tests.fuzz.doors import Command, Door

MOST = 3  # changes in one case


@dataclass(frozen=True)
class Case:
    """`number` below the count of recipes is a recipe, above it a random one of a seed.

    `kept` are the changes that are made, all of them if None.
    """

    door: str
    seed: int
    number: int
    kept: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """What `--replay` takes."""
        told = "" if self.kept is None else ":" + ",".join(map(str, self.kept))
        return f"{self.door}:{self.seed}:{self.number}{told}"

    @staticmethod
    def parse(text: str) -> "Case":
        """The case of a name."""
        door, seed, number, *kept = text.split(":")
        parts = tuple(int(k) for k in kept[0].split(",") if k) if kept else None
        return Case(door, int(seed), int(number), parts)


@dataclass(frozen=True)
class Place:
    """Where seeds lie and where cases are run."""

    seeds: Path
    work: Path

    def make(self, case: Case, door: Door) -> tuple[Path, list[str]]:
        """A sandbox with the input of the case in it, and what was done to it."""
        folder = self.work / "case"
        shutil.rmtree(folder, ignore_errors=True)
        sandbox.prepare(folder)
        recipes = hostile.RECIPES.get(door.name, ())
        if case.number < len(recipes):
            recipe = recipes[case.number]
            of_trees.copy(self.seeds / (recipe.seed or door.seeds[0]), folder / "in")
            recipe.make(folder / "in")
            return folder, [recipe.make.__name__.strip("_")]
        rng = random.Random(f"{case.seed}/{door.name}/{case.number}")
        of_trees.copy(self.seeds / rng.choice(door.seeds), folder / "in")
        return folder, _changes(folder / "in", rng, case.kept)


def _changes(tree: Path, rng: random.Random, kept: tuple[int, ...] | None) -> list[str]:
    """One change or a few to what may be changed."""
    steps = [rng.random() for _ in range(rng.choice((1, 1, 1, 2, MOST)))]
    made = []
    with _aside(tree / "keep"):
        for i, step in enumerate(steps):
            if kept is None or i in kept:
                made.append(of_trees.mutate(tree, random.Random(step)))
    return made


@contextlib.contextmanager
def _aside(folder: Path):  # type: ignore[no-untyped-def]
    """What is to stay as it is lies elsewhere for a while."""
    away = folder.parent.parent / "keep-aside"
    there = folder.exists()
    if there:
        folder.rename(away)
    yield
    if there:
        away.rename(folder)


def run(
    case: Case, door: Door, place: Place, limits: sandbox.Limits, verbose: bool = False
) -> tuple[sandbox.Ended, list[str]]:
    """How a case ends, and what it was."""
    folder, done = place.make(case, door)
    return sandbox.run(folder, lambda: door.call(verbose), limits), done


def run_really(case: Case, door: Door, place: Place) -> tuple[int, str]:
    """Exit code and what was said, where the command is a process as users start it."""
    assert isinstance(door.call, Command)
    folder, _ = place.make(case, door)
    with contextlib.chdir(folder):
        args = door.call.args()
    stdin = folder / "in" / "stdin"
    with (stdin if stdin.is_file() else Path(os.devnull)).open("rb") as given:
        done = subprocess.run([sys.executable, "-m", f"cell_{door.call.room}", *args], cwd=folder,
                              stdin=given, capture_output=True, check=False, timeout=300)
    return done.returncode, done.stderr.decode(errors="replace")


def smallest(case: Case, ended: sandbox.Ended, again: Callable[[Case], sandbox.Ended]) -> Case:
    """The same fault with fewer of the changes, where fewer do."""
    kind = ended.fault.partition(":")[0]
    for i in range(MOST):
        few = replace(case, kept=(i,))
        if again(few).fault.partition(":")[0] == kind:
            return few
    return case
