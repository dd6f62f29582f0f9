"""One thing done to one file of an input, by what kind of file it is."""

import random
import shutil
from pathlib import Path

from tests.fuzz import of_bytes, of_json, of_tables, of_text, of_zip

JSON = (".json", ".zattrs", ".zgroup", ".zarray", ".jsonl")
TABLES = (".parquet", ".arrow", ".arrows")
ZIPS = (".zip", ".xlsx")
TEXT = (".csv", ".txt", ".toml", ".xml", ".yaml", ".sha256")


def mutate(tree: Path, rng: random.Random) -> str:
    """Change one file below `tree`; returns what was done."""
    files = sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink())
    if not files:
        return "nothing left"
    heavy = [p for p in files if _suffix(p) in (*JSON, *TABLES, *ZIPS, *TEXT) or p.name == "stdin"]
    path = rng.choice(heavy if heavy and rng.random() < 0.7 else files)
    name = path.relative_to(tree).as_posix()
    if rng.random() < 0.05:
        return f"{name}: {_whole(path, files, rng)}"
    other = rng.choice(files).read_bytes()
    made, what = of_member(path.name, path.read_bytes(), rng, other)
    path.write_bytes(made)
    return f"{name}: {what}"


def _suffix(path: Path) -> str:
    return path.suffix.lower() or (path.name if path.name.startswith(".") else "")


def of_member(
    name: str, content: bytes, rng: random.Random, other: bytes = b""
) -> tuple[bytes, str]:
    """The content of a file of that name, changed as befits it, or as bytes."""
    suffix = _suffix(Path(name))
    if name == "stdin":
        suffix = _sniffed(content)
    try:
        if rng.random() < 0.75:
            if suffix in JSON:
                return of_json.mutate(content, rng)
            if suffix in TABLES:
                return of_tables.mutate(content, rng)
            if suffix in ZIPS or content.startswith(b"PK\x03\x04"):
                return of_zip.mutate(content, rng, of_member)
            if suffix in TEXT or suffix == ".lines":
                return of_text.mutate(content, rng)
    except Exception:  # noqa: BLE001  no longer what its name says, after an earlier change
        return of_bytes.mutate(content, rng, other)
    return of_bytes.mutate(content, rng, other)


def _sniffed(content: bytes) -> str:
    if content.startswith((b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")):
        return ".parquet"
    return ".json" if content.startswith(b"{") and content.count(b"\n") < 2 else ".csv"


def _whole(path: Path, files: list[Path], rng: random.Random) -> str:
    """The file as such: away, empty, a folder, another's content, a link."""
    kind = rng.choice(("away", "empty", "folder", "another's", "link", "loop"))
    other = rng.choice(files).read_bytes()
    path.unlink()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "folder":
        path.mkdir()
    elif kind == "another's":
        path.write_bytes(other)
    elif kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "loop":
        path.symlink_to(path.name)
    return kind


def copy(source: Path, target: Path) -> None:
    """The files of a seed, to be changed."""
    shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True)
