"""Blocks over threads, processes or a dask cluster; results come back in the order of the blocks.

Tasks carry paths and slices, never arrays. The window of blocks in flight is bounded, so that
a stream of a million blocks costs the memory of a few.
"""

import collections
import contextlib
import importlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

from libcell.errors import PartlyDone, UsageFault
from libcell.run.blocks import Block

AHEAD = 2  # blocks waiting per worker, so that none idles while a result is taken


class Future(Protocol):
    def result(self) -> Any: ...


class Pool(Protocol):
    """What blocks are submitted to.

    `width` blocks are done at once; `remote` workers have a working folder of their own. `cores`
    are what the process itself may use where it works outside of blocks.
    """

    @property
    def width(self) -> int: ...

    @property
    def remote(self) -> bool: ...

    @property
    def cores(self) -> int: ...

    def submit(self, function: Callable[..., Any], args: dict[str, Any]) -> Future: ...

    def close(self, wait: bool = True) -> None: ...


class _Done:
    def __init__(self, function: Callable[..., Any], args: dict[str, Any]):
        self._call = (function, args)

    def result(self) -> Any:
        function, args = self._call
        return function(**args)


class Inline:
    """One worker: the blocks are done where they are asked for."""

    width = cores = 1
    remote = False

    def submit(self, function: Callable[..., Any], args: dict[str, Any]) -> Future:
        return _Done(function, args)

    def close(self, wait: bool = True) -> None:
        """Nothing is held."""


class Local:
    """Threads or processes of this machine."""

    remote = False

    def __init__(self, kind: str, width: int):
        from concurrent import futures

        self.width = self.cores = width
        self._pool: futures.Executor
        if kind == "threads":
            self._pool = futures.ThreadPoolExecutor(width, "libcell")
        else:
            from multiprocessing import get_context

            _hush_resource_tracker()
            # spawn: a forked child inherits locks of threads that it does not have
            self._pool = futures.ProcessPoolExecutor(
                width, get_context("spawn"), initializer=_start_worker
            )

    def submit(self, function: Callable[..., Any], args: dict[str, Any]) -> Future:
        with _interrupts_held():  # may start a worker, which inherits that it hears none
            return self._pool.submit(function, **args)

    def close(self, wait: bool = True) -> None:
        """End the workers; `wait` until they are gone, as Python would at its own end.

        Python 3.11 wakes a process pool that still closes at exit through a pipe that the pool
        has closed meanwhile, and prints the traceback.
        """
        self._pool.shutdown(wait=wait, cancel_futures=True)


def _hush_resource_tracker() -> None:
    """A run that is interrupted leaves semaphores to Python's tracker process, which removes
    them and then complains, on our stderr, when we are gone."""
    known = os.environ.get("PYTHONWARNINGS", "")
    quiet = "ignore:resource_tracker:UserWarning"
    if quiet not in known:
        os.environ["PYTHONWARNINGS"] = f"{known},{quiet}".lstrip(",")


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches all processes of a terminal; the first of them alone decides what ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    """One thread each; and a worker whose parent is gone, however it ended, goes too."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)


def load(modules: tuple[str, ...]) -> None:
    """In a worker: import modules, so that its first block need not."""
    for name in modules:
        importlib.import_module(name)


def default_workers() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_pool(scheduler: str, workers: int, shared: Path | None = None) -> Pool:
    """A pool for `threads`, `processes`, or a dask scheduler's address or file.

    `shared` is the folder that blocks write into; a cluster must know it.
    """
    if scheduler in ("threads", "processes"):
        if workers == 1:
            return Inline()
        return Local(scheduler, workers)
    if "://" in scheduler or scheduler.endswith(".json"):
        from libcell.run.cluster import Cluster

        assert shared
        return Cluster(scheduler, shared, workers)
    raise UsageFault(
        f"--scheduler {scheduler}: expected threads, processes, tcp://HOST:PORT or FILE.json"
    )


def in_order(
    pool: Pool,
    function: Callable[..., Any],
    blocks: Iterable[Block],
    finished: Callable[[Block], bool],
) -> Iterator[tuple[Block, Future | None]]:
    """Submit blocks as they come; yield each with its future, in their order.

    A block that is `finished` already passes through with None.
    """
    waiting: collections.deque[tuple[Block, Future | None]] = collections.deque()
    for block in blocks:
        future = None if finished(block) else pool.submit(function, block.args)
        waiting.append((block, future))
        while len(waiting) >= _window(pool):
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _window(pool: Pool) -> int:
    """Blocks in flight, by the workers there are at this moment."""
    width = pool.width
    return width * AHEAD if width > 1 or pool.remote else 1


@contextlib.contextmanager
def lost_workers() -> Iterator[None]:
    """A worker that was killed takes its block with it; the finished ones are kept."""
    try:
        yield
    except (BrokenProcessPool, CancelledError) as error:
        raise PartlyDone(
            "a worker process was killed (out of memory?); use --resume, with fewer workers (-j)"
        ) from error
