"""A folder of small inputs where commands run, and what each makes if nothing disturbs it."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import processes
from .cases import Case
from .events import Act, Watch
from .processes import Child, Ended

OUT = "out"  # the folder below the bench that outputs go to
Contents = dict[str, str]


@dataclass(frozen=True)
class Undisturbed:
    """What a case makes: digests by file, seconds, file events on the way."""

    contents: Contents
    seconds: float
    events: int


class Bench:
    """Inputs in `folder`, outputs in `folder/out`."""

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        self.out = self.folder / OUT
        self.logs = self.folder.with_name(f"{folder.name}.logs")
        self.logs.mkdir(exist_ok=True)
        self._known: dict[Case, Undisturbed] = {}

    def undisturbed(self, case: Case) -> Undisturbed:
        """Run a case in peace, once. RuntimeError if that fails: then nothing can be judged."""
        if case not in self._known:
            self.clear()
            self.run(case)  # what is compiled or cached on the first run is so from now on
            self.clear()
            watch = Watch(self.out)
            done = self.run(case, watch=watch)
            if done.code:
                raise RuntimeError(f"{case.name}: exit {done.code} undisturbed: {done.said}")
            self._known[case] = Undisturbed(self.contents(case), done.seconds, watch.count)
            self.clear()
        return self._known[case]

    def start(
        self, case: Case, *more: str, watch: Watch | None = None,
        first: Callable[[], None] | None = None, logs: str = "",
    ) -> Child:
        """Start the case's command in a child, which does `first` before it; `logs` tells the
        streams of one from those of others at the same time."""

        def work() -> int:
            if first:
                first()
            if watch:
                watch.install()
            return processes.command(case.room, [*case.args, *more, "-o", case.output])

        name = f"{case.name.replace(' ', '-')}{logs}"
        return processes.start(work, self.folder, self.logs / name)

    def run(
        self, case: Case, *more: str, watch: Watch | None = None,
        first: Callable[[], None] | None = None, kill_after: float | None = None,
        alone: bool = False,
    ) -> Ended:
        """The same, and wait for its end or kill it after so many seconds, without the processes
        that it started if `alone`."""
        return self.start(case, *more, watch=watch, first=first).wait(kill_after, alone=alone)

    def watched(self, case: Case, *more: str, act: Act, reads: bool = False) -> tuple[Ended, Watch]:
        """Run with something that happens at file events of the output (or of all files)."""
        watch = Watch(self.folder if reads else self.out, act, reads)
        return self.run(case, *more, watch=watch), watch

    # -- what is there -------------------------------------------------------------------

    def path(self, case: Case) -> Path:
        return self.folder / case.output

    def partial(self, case: Case) -> Path:
        path = self.path(case)
        return path.with_name(f".{path.name}.partial")

    def contents(self, case: Case) -> Contents | None:
        """Digests of the output's files; None if it is not there."""
        return contents(self.path(case))

    def leftovers(self, case: Case) -> list[str]:
        """What lies beside the output."""
        return sorted(p.name for p in self.out.iterdir() if p != self.path(case))

    def clear(self) -> None:
        """Empty the folder of outputs, which may be a mount point."""
        self.out.mkdir(exist_ok=True)
        for child in self.out.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()

    def put_old(self, case: Case) -> Contents:
        """An output of an earlier time, which `--force` may replace."""
        path, kind = self.path(case), self.undisturbed(case).contents
        if "" in kind:
            path.write_text("old")
        else:
            (path / "old").mkdir(parents=True)
            for name in ("old/a", "old/b", "zarr.json"):
                (path / name).write_text("old")
        found = self.contents(case)
        assert found
        return found


def contents(path: Path) -> Contents | None:
    """Digest by relative name; folders that hold nothing count, too."""
    if path.is_file():
        return {"": _digest(path)}
    if not path.exists():
        return None
    return {p.relative_to(path).as_posix(): _digest(p) if p.is_file() else "folder"
            for p in sorted(path.rglob("*"))}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
