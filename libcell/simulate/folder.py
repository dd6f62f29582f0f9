"""Output folders that appear whole or not at all, and their tables."""

import csv
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from libcell.errors import OutputExists


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to write into; renamed to `path` at the end, removed on failure.

    OutputExists if `path` exists already or cannot be created there.
    """
    if os.path.lexists(path):
        raise OutputExists(f"{path}: exists already; choose another name or remove it")
    sibling = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        sibling.mkdir(parents=True)
    except OSError as error:
        raise OutputExists(f"{path}: cannot be created there ({error.strerror})") from error
    try:
        yield sibling
        sibling.rename(path)
    except BaseException:
        shutil.rmtree(sibling, ignore_errors=True)
        raise


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A CSV with a header, also where there is no row; floats with 4 decimals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_text(row[c]) for c in columns] for row in rows)


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4f}" if isinstance(value, float) else value
