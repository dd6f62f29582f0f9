"""What a person reads on stderr, and the records that go to stdout."""

import json
import sys
import time
from typing import Any

from libcell.cli import faults
from libcell.data import remote
from libcell.run.reporter import Reporter

LONGEST = 4000  # characters of a message


class Terminal(Reporter):
    """Records to stdout, flushed one by one; messages and progress to stderr."""

    def __init__(self, name: str, *, quiet: bool, verbose: bool, log_json: bool, records: bool):
        self._name = name
        self._quiet = quiet
        self._verbose = verbose
        self._json = log_json
        self._records = records
        self._bar = _bar() if sys.stderr.isatty() and not (quiet or log_json) else None
        self._tasks: dict[str, Any] = {}
        self._started = time.monotonic()
        self._made: dict[str, Any] | None = None

    def record(self, record: dict[str, Any]) -> None:
        if record.get("complete"):
            self._made = record
        if self._records:
            sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
            sys.stdout.flush()

    def warn(self, text: str) -> None:
        self._write("warning", text)

    def fail(self, where: str, error: BaseException) -> None:
        assert isinstance(error, Exception)
        text, code = faults.unexpected(error, self._verbose)
        self._write("error", text if where in text else f"{where}: {text}", code=code)

    def note(self, text: str) -> None:
        if not self._quiet:
            self._write("info", text)

    def progress(self, phase: str, done: int, total: int | None) -> None:
        if self._bar is None:
            return
        if phase not in self._tasks:
            self._bar.start()
            self._tasks[phase] = self._bar.add_task(phase, total=total)
        self._bar.update(self._tasks[phase], completed=done)

    def close(self) -> None:
        """Take the progress bar off the screen."""
        if self._bar:
            self._bar.stop()

    def summarise(self) -> None:
        """The line that closes a run: what was made, how much of it, how long it took."""
        if self._made:
            path, schema, n = (self._made[k] for k in ("path", "schema", "n"))
            seconds = time.monotonic() - self._started
            self.note(f"{path or 'figures only'}: {schema}, n {n}, in {seconds:.1f} s")

    def _write(self, level: str, text: str, **more: Any) -> None:
        line = remote.told(" ".join(text.split()))
        if len(line) > LONGEST:  # it holds what somebody's file holds
            line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
        if self._json:
            entry = {"level": level, "command": self._name, "message": line} | more
            sys.stderr.write(json.dumps(entry, ensure_ascii=False) + "\n")
        else:
            mark = "warning: " if level == "warning" else ""
            sys.stderr.write(f"{self._name}: {mark}{line}\n")


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())
    # rich would take over stdout, too, and print the records of a pipe to the terminal instead
    return Progress(*columns, console=Console(stderr=True), transient=True,
                    redirect_stdout=sys.stdout.isatty())
