"""What a command is given to read: paths, or another command's records on standard input."""

import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libcell.data import remote
from libcell.errors import DataError, MissingInput, PartlyDone, UsageFault, reading

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.data.images import Source

SNIFF = 64
BINARY_TABLES = (b"PAR1", b"\xff\xff\xff\xff", b"ARROW1")  # first bytes of Parquet and Arrow


class Inputs:
    """The INPUT arguments of a command, `-` included.

    `paths` are given one by one or as globs; `stream` is standard input where `-` was given.
    A command asks for them as fields of view (`fields`), as a table (`table`) or as they
    are (`paths`).
    """

    def __init__(self, given: Iterable[str], stream: io.BufferedReader | None = None):
        self.given = list(given)
        self._stream = stream
        self.seen: list[Path] = []
        self._noted: set[Path] = set()
        self._growing: dict[Path, bool] = {}  # store -> whether it was announced complete
        if "-" in self.given and len(self.given) > 1:
            raise UsageFault("'-' (standard input) cannot be mixed with other inputs")

    @property
    def piped(self) -> bool:
        return self.given == ["-"]

    def paths(self, *kinds: str) -> list[Path]:
        """Every input path, globs expanded in natural order. MissingInput if there is none.

        Records must be of one of the `kinds`, where any are named.
        """
        if self.piped:
            found = [remote.local(_line_path(line, kinds)) for line in self._lines()]
        else:
            found = [p for text in self.given for p in expand(text)]
        if not found:
            raise MissingInput("no input: the list of paths is empty")
        self._note(found)
        return found

    def fields(self, kind: str) -> "Iterator[Source]":
        """Fields of view of `image` or `labels` inputs, as soon as each can be read."""
        from libcell.data.images import Source

        places: dict[str, Path] = {}
        if not self.piped:
            listed = [Source(p, g) for p in dict.fromkeys(self.paths()) for g in _groups(p, kind)]
            yield from [s for s in listed if _is_new(s, places)]
            return
        for line in self._lines():
            for source in self._announced(line, kind):
                if _is_new(source, places):
                    yield source
        self._require_complete()

    def _announced(self, line: str, kind: str) -> "Iterator[Source]":
        """The fields that one line of standard input names: a record's, or a path's."""
        from libcell.data.images import Source

        if line.startswith("{"):
            yield from self._record(line, kind)
            return
        path = remote.local(line)
        if path in self._noted:
            return
        self._note([path])
        for group in _groups(path, kind):
            yield Source(path, group)

    def plan(self, kind: str, *also: str) -> dict[str, Any]:
        """What `--dry-run` says of a method with one block per field of view."""
        sources = list(self.fields(kind))
        return {"reads": [*(str(p) for p in self.seen), *also], "blocks": len(sources),
                "fields": [s.group for s in sources]}

    def table(self, *names: str) -> "pa.Table":
        """All input tables of one of the kinds `names`, joined."""
        import pyarrow as pa

        from libcell.data import tables

        if self.piped:
            first = self._peek()
            if not _is_lines(first):
                assert self._stream
                return tables.from_stream(self._stream, first, *names)
        parts = [tables.read(path, *names) for path in self.paths(*names)]
        if len(parts) == 1:
            return parts[0]
        schema = tables.unify(parts)
        joined = pa.concat_tables([tables.conform(p, schema) for p in parts])
        return joined.replace_schema_metadata(parts[0].schema.metadata)

    def digest(self, role: str = "input") -> dict[str, Any]:
        """The provenance mark of everything that was read. Paths stay out of it."""
        return mark(role, self.seen)

    # -- standard input ------------------------------------------------------------------

    def _peek(self) -> bytes:
        if self._stream is None:
            raise UsageFault("nothing to read on standard input")
        first = self._stream.peek(SNIFF)[:SNIFF]
        if not first:
            raise MissingInput("standard input is empty")
        return first

    def _lines(self) -> Iterator[str]:
        first = self._peek()
        if first.startswith(BINARY_TABLES):
            raise DataError("standard input is a table; this command reads images or records")
        assert self._stream
        for raw in self._stream:
            try:
                line = raw.decode().strip()
            except UnicodeDecodeError as error:
                raise DataError("standard input is neither records nor paths") from error
            if line:
                yield line

    def _record(self, line: str, kind: str) -> "Iterator[Source]":
        """The fields that one record announces, and what it says of the store's completion."""
        from libcell.data.images import Source

        entry = _parse(line)
        _require_kind(entry, kind)
        path = remote.local(entry["path"])
        if "group" in entry:
            partial = entry.get("partial")
            source = Source(path, entry["group"], Path(partial) if partial else None)
            self._growing.setdefault(path, False)
            yield source
            return
        if path in self._growing:
            self._growing[path] = True
        elif path not in self._noted:
            for group in _groups(path, kind):
                yield Source(path, group)
        self._note([path])

    def _require_complete(self) -> None:
        for path, complete in self._growing.items():
            if not complete:
                raise PartlyDone(
                    f"{path}: the command that makes it ended early; finish it, then use --resume"
                )

    def _note(self, paths: list[Path]) -> None:
        for path in paths:
            if path not in self._noted:
                self._noted.add(path)
                self.seen.append(path)


def expand(text: str) -> list[Path]:
    """A path, or the matches of a glob in natural order (A2 before A10)."""
    if remote.is_url(text):
        return _expand_url(text)
    path = Path(text)
    if path.exists():
        return [path]
    if any(mark in text for mark in "*?["):
        import glob

        found = sorted((Path(p) for p in glob.glob(text, recursive=True)), key=natural)  # noqa: PTH207
        if found:
            return found
        raise MissingInput(f"{text}: no file matches")
    raise MissingInput(f"{text}: not found")


def _expand_url(text: str) -> list[Path]:
    if not any(mark in text for mark in "*?["):
        return [remote.local(text)]
    found = sorted(remote.matches(text), key=natural)
    if not found:
        raise MissingInput(f"{text}: no file matches")
    return [remote.local(url) for url in found]


def natural(path: Path | str) -> list[tuple[int, int, str]]:
    """Sort key that reads digits as numbers."""
    pieces = re.split(r"(\d+)", str(path))
    return [(1, int(p), p) if p.isdigit() else (0, 0, p) for p in pieces]


def mark(role: str, paths: list[Path]) -> dict[str, Any]:
    """Provenance mark of one or several inputs: their schema and one digest over all."""
    from libcell.data import digests

    found = [digests.of_path(p) for p in paths]
    total = found[0] if len(found) == 1 else digests.of_json(found)
    return {"role": role, "schema": _schema_of(paths[0]) if paths else None, "digest": total}


def _schema_of(path: Path) -> str | None:
    for name in ("zarr.json", "model.json"):
        if (path / name).is_file():
            with reading(path / name):
                content = json.loads((path / name).read_text())
                found = content.get("attributes", content).get("schema")
            return str(found) if found else None
    if path.suffix == ".parquet":
        from libcell.data import tables

        return tables.mark(tables.open_parquet(path).schema_arrow)
    return None


def _groups(path: Path, kind: str) -> list[str]:
    if kind == "labels":
        from libcell.data import labels

        return labels.fields(path)[0]
    from libcell.data import open as opening

    return opening.groups(path)


def _parse(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
        told = [entry[k] for k in ("path", "schema")]
        told += [v for k in ("group", "partial") if (v := entry.get(k, "")) is not None]
        if all(isinstance(v, str) and "\0" not in v for v in told):
            return entry
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise DataError(f"standard input: not a record with schema and path: {line[:80]}")


def _line_path(line: str, kinds: tuple[str, ...]) -> str:
    if not line.startswith("{"):
        return line
    entry = _parse(line)
    if kinds:
        _require_kind(entry, *kinds)
    return str(entry["path"])


def _is_new(source: "Source", places: dict[str, Path]) -> bool:
    """Whether a field of view was not named before. DataError where another one has its group:
    results lie there, so one would overwrite the other."""
    group = source.group or ""
    new = group not in places
    other = places.setdefault(group, source.path)
    if other != source.path:
        name = f"field of view {group}" if group else "single images without a group"
        raise DataError(f"{other} and {source.path}: both are {name}; bring them into one store "
                        "first (cell-extract images)")
    return new


def _require_kind(entry: dict[str, Any], *kinds: str) -> None:
    if entry["schema"].split("/")[0] not in kinds:
        raise DataError(
            f"standard input brings {entry['schema']} ({entry['path']}); "
            f"this command reads {' or '.join(f'{k}/1' for k in kinds)}"
        )


def _is_lines(first: bytes) -> bool:
    """Records or paths, no table: a CSV header has commas in its first line, a path has none."""
    if first.startswith(BINARY_TABLES):
        return False
    return first.lstrip().startswith(b"{") or b"," not in first.splitlines()[0]
