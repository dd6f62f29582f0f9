"""How much an environment holds that has libcell and only the extras of some subcommands.

    python -m tests.peers.environment_sizes [--page docs/install.md]

Counted from the metadata of what is installed here, with all that the extras bring; a test compares
the core's with an environment that pip made. The table goes to standard output, or between two
marks of the page.
"""

import argparse
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from libcell.run import registry
from libcell.run.registry import ROOMS
from tests.release.licences import NOT_FOR_USERS, closure

ROOT = Path(__file__).parent.parent.parent
NOT_HERE = "not installed here | "
MARKS = ("<!-- sizes -->\n", "<!-- end of sizes -->\n")


@dataclass(frozen=True)
class Size:
    """Distributions of an environment, and MB of their files; absent: those that are not here."""

    extra: str
    names: frozenset[str]
    mb: float
    absent: frozenset[str]


def main() -> int:
    """The core, every extra that a subcommand names, and those that others can use."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    needs = needed()
    named = sorted({"", *needs.values()})
    others = [e for e in project()["optional-dependencies"] if e not in (*named, *NOT_FOR_USERS)]
    table = page_table([size(extra) for extra in (*named, *others)], needs)
    if given.page is None:
        sys.stdout.write(table)
        return 0
    before, rest = given.page.read_text().split(MARKS[0])
    given.page.write_text(before + MARKS[0] + table + MARKS[1] + rest.split(MARKS[1])[1])
    return 0


def project() -> dict[str, Any]:
    """What pyproject.toml says of the project."""
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def needed() -> dict[str, str]:
    """`cell-train cnn` to the extra that it needs, '' for none."""
    return {f"cell-{room} {name}": registry.load(room, name).needs
            for room in ROOMS for name in registry.names(room)}


def size(extra: str) -> Size:
    """libcell and all that it and an extra ask for, as far as it is installed here."""
    optional = project()["optional-dependencies"]
    absent: set[str] = set()
    names = closure([*project()["dependencies"], *optional.get(extra, ())], absent)
    own = [p for folder in ("libcell", "tools") for p in (ROOT / folder).rglob("*") if p.is_file()]
    files = [Path(str(f.locate())) for n in names for f in distribution(n).files or ()]
    total = sum(p.stat().st_size for p in (*own, *files)
                if p.suffix != ".pyc" and not p.suffix.startswith(".nb") and p.is_file())
    return Size(extra, frozenset({"libcell", *names}), total / 1e6, frozenset(absent))


def page_table(sizes: list[Size], needs: dict[str, str]) -> str:
    """As Markdown, the core first."""
    lines = ["| install | packages | on disk | for |", "| --- | ---: | ---: | --- |"]
    for one in sizes:
        told = f"`libcell[{one.extra}]`" if one.extra else "`libcell`"
        of = [c for c, need in needs.items() if need == one.extra]
        what = ", ".join(f"`{c}`" for c in of) or "what other subcommands can do besides"
        if not one.extra:
            what = f"{len(of)} of {len(needs)} subcommands, some of every command"
        counted = f"{len(one.names)} | {one.mb:.0f} MB"
        lines.append(f"| {told} | {NOT_HERE if one.absent else counted} | {what} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
