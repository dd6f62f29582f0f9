"""`make licences`: under which licences libcell's dependencies are, as their own metadata says.

    python -m tests.release.licences [--page docs/licences.md]

Everything that `pip install libcell` brings, and every extra that is for users, down to the last
dependency that is installed here. The exit code is 1 where one that runs with libcell is under a
licence that is not permissive.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
NOT_FOR_USERS = ("test", "dev", "docs")
PERMISSIVE = ("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
              "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense",
              "Zlib", "ZPL-2.1")
# asks for its own files' source alone, and nothing of who uses them unchanged
BY_FILE = ("MPL-2.0",)
# words that metadata use instead of SPDX's, the first that fits counts
WORDS = (
    (r"mozilla public license 2|\bMPL[- ]?2", "MPL-2.0"), (r"lesser general|\bLGPL", "LGPL"),
    (r"affero|\bAGPL", "AGPL"), (r"general public|\bGPL", "GPL"), (r"apache", "Apache-2.0"),
    (r"bsd[- ]2|simplified bsd|freebsd", "BSD-2-Clause"),
    (r"bsd[- ]3|new bsd|modified bsd", "BSD-3-Clause"), (r"\bbsd\b", "BSD"), (r"\bmit\b", "MIT"),
    (r"\bisc\b", "ISC"), (r"python software|\bpsf", "PSF-2.0"),
    (r"historical permission|\bhpnd", "HPND"), (r"unlicense", "Unlicense"),
    (r"redistribution and use in source and binary", "BSD"),
    (r"permission is hereby granted, free of charge", "MIT"),
)
INTRODUCTION = """# Licences

libcell is under the BSD 3-Clause licence. What it needs to run is under these, as the packages' own
metadata say; `make licences` writes this page, and fails where one is not permissive. MPL-2.0 asks
for the source of its own files alone, and nothing of who uses them unchanged.

Metadata speak of a package's own code. Wheels also carry libraries of others, such as GCC's under
its runtime exception; builds of torch for a GPU bring NVIDIA's under NVIDIA's terms; and
`imageio-ffmpeg` (extra `movies`) brings a build of FFmpeg under the GPL, which is run as a program
of its own."""


@dataclass(frozen=True)
class Found:
    """A distribution, the licence that it names, and by what of libcell it comes: '' is the core,
    other names are extras."""

    name: str
    licence: str
    by: tuple[str, ...]

    @property
    def fine(self) -> bool:
        """Whether what it asks for is no more than its name and its own text."""
        return allowed(self.licence)


def found() -> tuple[list[Found], list[str]]:
    """All dependencies that run with libcell, and the names of those that are not installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {"": project["dependencies"]} | {
        e: some for e, some in project["optional-dependencies"].items() if e not in NOT_FOR_USERS}
    by: dict[str, list[str]] = {}
    absent: set[str] = set()
    for extra, needs in wanted.items():
        for name in closure(needs, absent):
            by.setdefault(name, []).append(extra)
    made = [Found(n, licence(distribution(n)), ("",) if "" in some else tuple(some))
            for n, some in sorted(by.items())]
    return made, sorted(absent)


def closure(needs: list[str], absent: set[str]) -> set[str]:
    """Names of all that some requirements bring, dependencies of dependencies too."""
    seen: set[str] = set()
    waiting = list(_asked(needs, set()))
    while waiting:
        name, extras = waiting.pop()
        if name in seen:
            continue
        try:
            one = distribution(name)
        except PackageNotFoundError:
            absent.add(name)
            continue
        seen.add(name)
        waiting += _asked(one.requires or [], extras)
    return seen


def _asked(needs: list[str], extras: set[str]) -> Iterator[tuple[str, set[str]]]:
    """Names and extras of the requirements that hold here, with any of `extras`."""
    for text in needs:
        need = Requirement(text)
        if not need.marker or any(need.marker.evaluate({"extra": e}) for e in {"", *extras}):
            yield canonicalize_name(need.name), set(need.extras)


def licence(one: Distribution) -> str:
    """SPDX's name of a distribution's licence, or what its metadata say instead."""
    told = one.metadata.get("License-Expression")
    if told:
        return told
    classified = [c.rpartition(" :: ")[2] for c in one.metadata.get_all("Classifier") or []
                  if re.match(r"License :: .* :: ", c)]
    text = " AND ".join(dict.fromkeys(filter(None, map(spelled, classified))))
    return text or spelled(one.metadata.get("License") or "") or "unknown"


def spelled(text: str) -> str:
    """A licence's name as SPDX spells it, where it can be told from `text`."""
    if text in (*PERMISSIVE, *BY_FILE):
        return text
    return next((name for words, name in WORDS if re.search(words, text, re.IGNORECASE)),
                text.partition("\n")[0][:60])


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met by permissive licences: of `OR` one side is enough,
    but in an expression with brackets all that it names must be."""
    split = r"\s+OR\s+" if "(" not in expression else r"$^"
    names = re.sub(r"[()]", "", expression)
    return any(all(part.strip().partition(" WITH ")[0] in (*PERMISSIVE, *BY_FILE)
                   for part in re.split(r"\s+(?:AND|OR)\s+", side))
               for side in re.split(split, names))


def page(every: list[Found], absent: list[str]) -> str:
    """Markdown: one table for the core, one for the extras."""
    core = [f for f in every if f.by == ("",)]
    extra = [f for f in every if f.by != ("",)]
    lines = [INTRODUCTION, "", "## Brought by `pip install libcell`", "", "| package | licence |",
             "| --- | --- |",
             *(f"| {f.name} | {f.licence} |" for f in core), "", "## Brought by extras", "",
             "| package | licence | extra |", "| --- | --- | --- |",
             *(f"| {f.name} | {f.licence} | {', '.join(f.by)} |" for f in extra), ""]
    if absent:
        lines += ["Not installed where this page was made, and not looked at: "
                  f"{', '.join(absent)}.", ""]
    return "\n".join(lines)


def main() -> int:
    """Print what is not permissive, write the page; 1 where there is any."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    every, absent = found()
    if given.page:
        given.page.write_text(page(every, absent), "utf-8")
    bad = [f for f in every if not f.fine]
    for one in bad:
        where = f"extra {', '.join(one.by)}" if one.by != ("",) else "core"
        print(f"{one.name}: {one.licence} ({where})")
    print(f"{len(every)} dependencies, {len(bad)} not permissive, {len(absent)} not installed")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
