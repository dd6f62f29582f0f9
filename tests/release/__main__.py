"""`make release`: build, look at what was built, run it in environments that hold nothing else.

    python -m tests.release [--pythons python3.11,python3.12] [--dist dist]

A table of checks; the exit code is 1 where one fails. Nothing is uploaded (docs/releasing.md).
"""

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.release.smoke import smoke

ROOT = Path(__file__).parent.parent.parent
PYTHONS = ("python3.11", "python3.12", "python3.13")
MOST_BYTES = 2_000_000
ABSENT = "not on this machine, not tried"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "constraints.txt", "Makefile")


def main() -> int:
    """All checks, in order; those after a failed build have nothing to look at."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pythons", type=lambda t: t.split(","), default=list(PYTHONS))
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    given = parser.parse_args()
    shutil.rmtree(given.dist, ignore_errors=True)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("history", history), ("build", lambda: build(given.dist)),
        ("twine", lambda: twine(given.dist)), ("wheel", lambda: wheel(given.dist)),
        ("sources", lambda: sources(given.dist)), ("changelog", lambda: changelog(given.dist)),
        *((f"on {p}", lambda p=p: installed(p, given.dist)) for p in given.pythons)]
    bad = 0
    for name, check in checks:
        try:
            text = check()
            mark = "skip" if text == ABSENT else "ok"
        except (AssertionError, subprocess.CalledProcessError) as error:
            told = getattr(error, "stderr", None) or str(error)
            mark, text, bad = "MISS", str(told).strip()[-400:], bad + 1
        print(f"{mark:4} {name:14} {text}", flush=True)
    return int(bool(bad))


def _run(*command: object) -> str:
    return subprocess.run([str(c) for c in command], check=True, cwd=ROOT, capture_output=True,
                          text=True).stdout


def history() -> str:
    """What is built is what is committed."""
    changed = _run("git", "status", "--porcelain", "--untracked-files=no").splitlines()
    assert not changed, f"{len(changed)} files are changed and not committed, e.g. {changed[0]}"
    return _run("git", "describe", "--tags", "--always").strip()


def build(dist: Path) -> str:
    """Sources, and from them, not from here, the wheel."""
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist)
    return ", ".join(sorted(f.name for f in dist.iterdir()))


def twine(dist: Path) -> str:
    """What the index would refuse."""
    _run(sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir())
    return "metadata and README are as the index wants them"


def wheel(dist: Path) -> str:
    """Size and contents."""
    file = next(dist.glob("*.whl"))
    names = zipfile.ZipFile(file).namelist()
    tops = {n.split("/")[0] for n in names if ".dist-info" not in n}
    assert all(t == "libcell" or re.fullmatch(r"cell_[a-z]+\.py", t) for t in tops), sorted(tops)
    assert {"libcell/py.typed", "libcell/_version.py"} <= set(names)
    assert file.stat().st_size < MOST_BYTES, f"{file.stat().st_size} bytes"
    return f"{len(names)} files, {file.stat().st_size / 1e6:.2f} of {MOST_BYTES / 1e6:.0f} MB"


def sources(dist: Path) -> str:
    """What somebody needs who builds and tests it himself."""
    file = next(dist.glob("*.tar.gz"))
    with tarfile.open(file) as archive:
        names = {n.partition("/")[2] for n in archive.getnames()}
    lacking = [n for n in SOURCES if n not in names]
    assert not lacking, f"lacks {', '.join(lacking)}"
    return f"{len(names)} files, {file.stat().st_size / 1e6:.1f} MB"


def changelog(dist: Path) -> str:
    """A version that was tagged has its chapter; what is between tags is unreleased."""
    version = next(dist.glob("*.whl")).name.split("-")[1]
    heading = "Unreleased" if "dev" in version else version
    assert f"## [{heading}]" in (ROOT / "CHANGELOG.md").read_text(), f"no chapter [{heading}]"
    return f"{version}: chapter [{heading}]"


def installed(python: str, dist: Path) -> str:
    """All eight commands, the wheel and what it asks for in an empty environment."""
    told = subprocess.run([python, "--version"], capture_output=True, text=True, check=False) \
        if shutil.which(python) else None
    if told is None or told.returncode:
        return ABSENT
    with tempfile.TemporaryDirectory(prefix="libcell-release-") as folder:
        place = Path(folder)
        _run(python, "-m", "venv", place / "env")
        _run(place / "env" / "bin" / "python", "-m", "pip", "install", "--quiet", "--constraint",
             ROOT / "constraints.txt", next(dist.glob("*.whl")))
        smoke(place / "env" / "bin", place)
    return f"{told.stdout.strip()}: all eight commands run"


if __name__ == "__main__":
    sys.exit(main())
