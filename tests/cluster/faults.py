"""What may befall a cluster while a command uses it: each ends as it should, in one clear line."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tifffile

from tests.cluster.chain import same
from tests.cluster.nodes import Nodes
from tests.small_plate import PATTERN, blobs, write_raw

WELLS = tuple(f"{row}{column:02d}" for row in "ABCD" for column in range(1, 7))
EDGE, LARGE = 320, 5000
OUTPUT = "n.labels.ome.zarr"
SEGMENT = ("threshold", "p.ome.zarr", "-c", "DNA", "-o", OUTPUT)
NOISE = re.compile(r"Traceback|distributed|tornado|asyncio|internal error")
FEW = {"DASK_LIBCELL__WORKER_WAIT": "3s"}
OLDER = "import libcell; libcell.__version__ = '0.0.1'"


@dataclass
class Place:
    """A folder with a plate `p.ome.zarr`, what it should become, and where logs go."""

    folder: Path
    large: bool = False

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        write_raw(self.folder / "raw", WELLS, EDGE)
        if self.large:
            for channel, pixels in zip(("DNA", "GFP"), blobs(LARGE // 8, 1)):
                tifffile.imwrite(self.folder / "raw" / f"E01_s0_{channel}.tif",
                                 pixels.repeat(8, 0).repeat(8, 1))
        self.done("extract", "images", "raw/*.tif", "--pattern", PATTERN, "-o", "p.ome.zarr")
        self.done("segment", *self.args())
        (self.folder / OUTPUT).rename(self.folder / "expected")

    def args(self) -> tuple[str, ...]:
        """Of `cell-segment`; a large field is one block."""
        return (*SEGMENT, *(("--tile", "8192") if self.large else ()))

    def start(self, room: str, *args: object, env: Mapping[str, str] | None = None
              ) -> "subprocess.Popen[str]":
        return subprocess.Popen([sys.executable, "-m", f"cell_{room}", *map(str, args)],
                                cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                text=True, env=os.environ | dict(env or {}))

    def done(self, room: str, *args: object) -> None:
        ended = Ended.of(self.start(room, *args))
        assert ended.code == 0, ended.said

    def segment(self, nodes: Nodes, *more: str, env: Mapping[str, str] | None = None
                ) -> "subprocess.Popen[str]":
        """The command on the cluster, under way."""
        return self.start("segment", *self.args(), "--scheduler", str(nodes.file), *more, env=env)

    def blocks(self) -> int:
        """Finished ones so far."""
        journal = self.folder / f".{OUTPUT}.partial" / "journal.jsonl"
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    def in_the_middle(self, process: "subprocess.Popen[str]", least: int = 3) -> None:
        """Returns when some blocks are finished, and others not."""
        while self.blocks() < least:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.005)

    def whole(self) -> bool:
        """Whether the output is there, and is what one machine makes. It is taken away."""
        found = (self.folder / OUTPUT).exists() and same(
            self.folder / OUTPUT, self.folder / "expected")
        shutil.rmtree(self.folder / OUTPUT, ignore_errors=True)
        return found and not (self.folder / f".{OUTPUT}.partial").exists()

    def absent(self) -> bool:
        return not (self.folder / OUTPUT).exists()


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    said: str
    seconds: float

    @classmethod
    def of(cls, process: "subprocess.Popen[str]", most_s: float = 120) -> "Ended":
        start = time.monotonic()
        said = process.communicate(timeout=most_s)[1]
        return cls(process.returncode, said, time.monotonic() - start)

    def is_(self, code: int, text: str = "", lines: int = 2) -> None:
        """AssertionError unless the exit code is that, stderr holds `text` and no noise."""
        assert self.code == code, f"exit {self.code}, expected {code}: {self.said}"
        assert text in self.said, f"{text!r} is not in: {self.said}"
        assert not NOISE.search(self.said), self.said
        assert len(self.said.splitlines()) <= lines, self.said


def another_takes_over(place: Place, nodes: Nodes) -> None:
    """a worker killed, three others and its nanny's next go on"""
    nodes.start_workers(4)
    process = place.segment(nodes)
    place.in_the_middle(process)
    os.kill(nodes.pids()[0], signal.SIGKILL)
    Ended.of(process).is_(0)
    assert place.whole()


def last_worker_replaced(place: Place, nodes: Nodes) -> None:
    """all workers killed, others come in time"""
    nodes.start_workers(1)
    process = place.segment(nodes)
    place.in_the_middle(process)
    nodes.kill_workers()
    nodes.start_workers(2)
    Ended.of(process).is_(0)
    assert place.whole()


def last_worker_gone(place: Place, nodes: Nodes) -> None:
    """all workers killed, none comes: 75, then --resume"""
    nodes.start_workers(1)
    process = place.segment(nodes, env=FEW)
    place.in_the_middle(process)
    nodes.kill_workers()
    ended = Ended.of(process)
    ended.is_(75, "no dask worker has been there for 3 s")
    assert ended.seconds < 30 and place.absent()
    nodes.start_workers(2)
    _resumed(place, nodes)


def no_worker_at_all(place: Place, nodes: Nodes) -> None:
    """no workers: 69 after the time one waits"""
    ended = Ended.of(place.segment(nodes, env=FEW))
    ended.is_(69, "no dask worker came within 3 s")
    assert ended.seconds < 20 and place.absent()


def scheduler_lost(place: Place, nodes: Nodes) -> None:
    """the scheduler killed: 75, then --resume on another"""
    nodes.start_workers(2)
    process = place.segment(nodes)
    place.in_the_middle(process)
    nodes.kill_scheduler()
    ended = Ended.of(process)
    ended.is_(75, "the dask scheduler is gone")
    assert ended.seconds < 60 and place.absent()
    nodes.kill_workers()
    nodes.start_scheduler()
    nodes.start_workers(2)
    _resumed(place, nodes)


def no_scheduler(place: Place, nodes: Nodes) -> None:
    """the scheduler file of one that is gone: 69"""
    nodes.kill_scheduler()
    ended = Ended.of(place.segment(nodes))
    ended.is_(69, "no dask scheduler answers there")
    assert ended.seconds < 40 and place.absent()


def out_of_memory(place: Place, nodes: Nodes) -> None:
    """a field too large for every worker's memory: 75, the others are done; --resume with more"""
    nodes.start_workers(2, "400MiB")
    ended = Ended.of(place.segment(nodes))
    ended.is_(75, "out of memory?", lines=3)
    assert place.absent() and place.blocks() >= len(WELLS)
    nodes.kill_workers()
    nodes.start_workers(1, "4GiB")
    _resumed(place, nodes)


def older_version(place: Place, nodes: Nodes) -> None:
    """a worker with another libcell: 69 before any work"""
    nodes.start_workers(1)
    nodes.start_workers(1, env=_sitecustomize(nodes.folder, OLDER))
    Ended.of(place.segment(nodes)).is_(69, "has libcell 0.0.1")
    assert place.absent()


def older_version_later(place: Place, nodes: Nodes) -> None:
    """a worker with another libcell that joins in the middle: 75, then --resume without it"""
    nodes.start_workers(1)
    process = place.segment(nodes)
    place.in_the_middle(process, 1)
    other = nodes.start_workers(1, env=_sitecustomize(nodes.folder, OLDER), awaited=False)
    ended = Ended.of(process)
    nodes.stop(other)
    if ended.code == 0:  # it came too late to be given a block
        assert place.whole()
        return
    ended.is_(75, "has libcell 0.0.1")
    assert place.absent()
    _resumed(place, nodes)


def other_disk(place: Place, nodes: Nodes) -> None:
    """a worker that sees another disk: 69 before any work"""
    nodes.start_workers(1)
    hidden = f"mount -t tmpfs none {place.folder} && exec \"$@\""
    nodes.start_workers(1, before=("unshare", "-m", "sh", "-c", hidden, "sh"))
    Ended.of(place.segment(nodes)).is_(69, "does not see")
    assert place.absent()


def interrupted(place: Place, nodes: Nodes) -> None:
    """Ctrl-C: 130 at once, then --resume"""
    nodes.start_workers(2)
    process = place.segment(nodes)
    place.in_the_middle(process)
    process.send_signal(signal.SIGINT)
    ended = Ended.of(process)
    ended.is_(130)
    assert ended.seconds < 6 and place.absent()
    _resumed(place, nodes)


def killed(place: Place, nodes: Nodes) -> None:
    """the command itself killed (-9), then --resume"""
    nodes.start_workers(2)
    process = place.segment(nodes)
    place.in_the_middle(process)
    process.kill()
    Ended.of(process)
    assert place.absent()
    _resumed(place, nodes)


FAULTS: tuple[Callable[[Place, Nodes], None], ...] = (
    another_takes_over, last_worker_replaced, last_worker_gone, no_worker_at_all, scheduler_lost,
    no_scheduler, out_of_memory, older_version, older_version_later, other_disk, interrupted,
    killed,
)


def _resumed(place: Place, nodes: Nodes) -> None:
    before = place.blocks()
    ended = Ended.of(place.segment(nodes, "--resume"))
    ended.is_(0, f"continuing: {before} blocks were done before" if before else "")
    assert place.whole(), "the output differs from one machine's"


def _sitecustomize(folder: Path, code: str) -> dict[str, str]:
    """The environment of a Python that runs `code` when it starts."""
    own = folder / "customized"
    own.mkdir(exist_ok=True)
    (own / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": str(own)}
