"""A dask.distributed cluster that the user started, as a pool of workers.

What goes wrong on machines that nobody watches ends in one line: workers that do not come or are
gone, that lack memory, that have another libcell or another disk than this machine.
"""

import dataclasses
import json
import logging
import pickle
import time
import uuid
import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from libcell import __version__
from libcell.errors import DataError, MissingInput, PartlyDone, Unavailable

CONNECT_S = 20.0
ANSWER_S = 30.0  # a scheduler that says nothing for so long is lost
POLL_S = 2.0
MARK = "cluster.txt"  # in the folder that all share
NOISY = ("distributed", "tornado", "asyncio", "bokeh")  # loggers that write to stderr


@dataclasses.dataclass(frozen=True)
class Ticket:
    """What a worker must agree with before it does a block: libcell's version, and the disk."""

    version: str
    mark: Path
    content: str

    def fault(self) -> str | None:
        """What is wrong with the process that asks; None if nothing."""
        if __version__ != self.version:
            return (f"has libcell {__version__}, this is {self.version}; start scheduler and "
                    "workers from one environment")
        try:
            same = self.mark.read_text() == self.content
        except OSError:
            same = False
        if not same:
            return (f"does not see {self.mark.parent}; inputs, output and (for -o -) TMPDIR must "
                    "lie on a disk that all workers share")
        return None


def fault(ticket: Ticket) -> str | None:
    """In a worker: see `Ticket.fault`."""
    return ticket.fault()


def carry_out(ticket: Ticket, packed: bytes) -> Any:
    """In a worker: do a block, given as the pickle of its function and arguments.

    As bytes, so that the scheduler, which unpacks tasks, need not import what they need.
    """
    found = ticket.fault()  # of one that came after `Cluster` had asked them all
    if found:
        raise PartlyDone(f"dask worker {_address()} {found}, then --resume")
    try:
        function, args = pickle.loads(packed)
        return function(**args)
    except ImportError as error:
        raise PartlyDone(f"dask worker {_address()}: {error}; start workers from an environment "
                         "like this one, then --resume") from error
    except MissingInput as error:
        raise MissingInput(f"{error} (on dask worker {_address()})") from error


def _address() -> str:
    from distributed import get_worker

    return str(get_worker().address)


class Cluster:
    """Workers by the address, or the file, of their scheduler.

    They are met when the first block is handed in. `shared` is a folder that blocks write into,
    so that all workers must see it; `cores` is what this process may use itself.
    """

    remote = True

    def __init__(self, where: str, shared: Path, cores: int):
        self.where = where
        self._scheduler = _written(Path(where)) if where.endswith(".json") else where
        self.cores = cores
        self._ticket = Ticket(__version__, shared.absolute() / MARK, uuid.uuid4().hex)
        self._client: Any = None
        self._count = 0  # threads of all workers when last asked
        self._asked = self._seen = 0.0  # when that was, and when there was one

    @property
    def width(self) -> int:
        """Threads of all workers, who come and go."""
        if not self._client:
            self._meet()
        elif time.monotonic() - self._asked > POLL_S:
            self.require_workers()
        return max(1, self._count)

    def submit(self, function: Callable[..., Any], args: dict[str, Any]) -> "_Future":
        if not self._client:
            self._meet()
        packed = pickle.dumps((function, absolute(args)))
        try:
            future = self._client.submit(carry_out, self._ticket, packed, pure=False)
        except Exception as error:
            raise self.lost() from error
        return _Future(self, future)

    def close(self, wait: bool = True) -> None:
        """Leave; blocks that no worker has begun are withdrawn."""
        if self._client:
            self._client.close(timeout=POLL_S)

    def lost(self) -> PartlyDone:
        """The error of a scheduler that is gone."""
        return PartlyDone(f"{self.where}: the dask scheduler is gone; start one and its workers, "
                          "then --resume")

    def require_workers(self) -> None:
        """Count the workers. PartlyDone if there has been none for as long as one waits."""
        if self._client.status != "running":
            raise self.lost()
        self._ask()
        patience = _patience()
        if not self._count and self._asked - self._seen > patience:
            raise PartlyDone(f"{self.where}: no dask worker has been there for {patience:g} s; "
                             "start some, then --resume")

    def _ask(self) -> None:
        client = self._client
        try:
            threads = client.sync(client.scheduler.ncores, workers=None, callback_timeout=ANSWER_S)
        except (OSError, TimeoutError) as error:
            raise self.lost() from error
        self._asked = time.monotonic()
        self._count = sum(threads.values())
        if self._count:
            self._seen = self._asked

    def _meet(self) -> None:
        """Connect, and have every worker say whether it may take part."""
        self._client = client = _client(self._scheduler)
        patience = _patience()
        self._ticket.mark.write_text(self._ticket.content)
        try:
            wanted = client.submit(fault, self._ticket, pure=False)  # else none may be started
            client.wait_for_workers(1, timeout=patience)
            del wanted
            answers = client.run(fault, self._ticket, on_error="return")
        except TimeoutError as error:
            raise Unavailable(f"{self.where}: no dask worker came within {patience:g} s; start "
                              "some (dask worker)") from error
        except OSError as error:
            raise self.lost() from error
        faulty = {worker: answer for worker, answer in answers.items() if answer}
        for worker, answer in faulty.items():
            more = f" (and {len(faulty) - 1} more)" if len(faulty) > 1 else ""
            said = f": {answer}" if isinstance(answer, Exception) else f" {answer}"
            raise Unavailable(f"dask worker {worker}{more}{said}")
        self._ask()


class _Future:
    """A block's future that ends, however the cluster does."""

    def __init__(self, cluster: Cluster, future: Any):
        self._cluster = cluster
        self._future = future

    def result(self) -> Any:
        """What the block returned. PartlyDone if the cluster is gone; Unavailable if workers died
        of this block; else the block's own error."""
        while True:
            try:
                return self._future.result(timeout=POLL_S)
            except CancelledError as error:
                raise self._cluster.lost() from error
            except Exception:  # noqa: BLE001  the block's, the connection's, or it takes longer
                if self._future.status == "error":
                    return self._failed()
                self._cluster.require_workers()

    def _failed(self) -> Any:
        """Raise the block's own error."""
        from distributed.scheduler import KilledWorker

        try:
            return self._future.result()
        except KilledWorker as error:
            raise Unavailable(
                f"{error.allowed_failures + 1} dask workers in turn were killed over this block "
                "(out of memory?); give them more (--memory-limit), or blocks less"
            ) from error


def _client(address: str) -> Any:
    """A connection, whose end is this command's to tell of: dask's own loggers fall silent."""
    try:
        from distributed import Client
    except ImportError as error:
        raise Unavailable(
            "a dask scheduler needs the extra `dask` (pip install 'libcell[dask]')"
        ) from error
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in NOISY:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions that differ: ours alone decides
            return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise Unavailable(f"{address}: no dask scheduler answers there") from error


def _written(file: Path) -> str:
    """The address in a scheduler file."""
    try:
        return str(json.loads(file.read_text())["address"])
    except FileNotFoundError as error:
        raise MissingInput(f"{file}: scheduler file not found") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: not a dask scheduler's file (dask scheduler --scheduler-file "
                        "writes one)") from error


def _patience() -> float:
    """Seconds without any worker: `libcell.worker-wait` of dask's configuration, 60 by default."""
    import dask
    from dask.utils import parse_timedelta

    return float(parse_timedelta(dask.config.get("libcell.worker-wait", "60s")))


def absolute(value: Any) -> Any:
    """The value with every path in it, however deep, made absolute."""
    if isinstance(value, Path):
        return value.absolute()
    if isinstance(value, dict):
        return {k: absolute(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(absolute(v) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: absolute(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    return value
