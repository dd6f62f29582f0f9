"""Batches on their way to the network: drawn ahead in a thread, cut, brought to the device."""

import contextlib
import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

AHEAD = 3  # batches drawn while the network works


@contextlib.contextmanager
def ahead(batches: Iterator[Any]) -> Iterator[Iterator[Any]]:
    """The same batches, drawn in a thread, which ends with the block."""
    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(AHEAD)
    ended = threading.Event()

    def put(kind: str, what: Any) -> bool:
        while not ended.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put((kind, what), timeout=0.1)
                return True
        return False

    def draw() -> None:
        try:
            for batch in batches:
                if not put("batch", batch):
                    return
            put("end", None)
        except BaseException as error:  # noqa: BLE001  raised again where batches are taken
            put("error", error)

    def taken() -> Iterator[Any]:
        while True:
            kind, what = waiting.get()
            if kind == "error":
                raise what
            if kind == "end":
                return
            yield what

    thread = threading.Thread(target=draw, name="libcell-batches", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        ended.set()
        thread.join()


def count(batch: Any) -> int:
    """Items of a batch: the length of its first tensor."""
    if isinstance(batch, dict):
        return count(next(iter(batch.values())))
    if isinstance(batch, (tuple, list)):
        return count(batch[0])
    return len(batch)


def rows(batch: Any, part: slice) -> Any:
    """Some items of a batch."""
    return _each(batch, lambda value: value[part])


def to_device(batch: Any, device: torch.device) -> Any:
    """Arrays become tensors, tensors move."""
    def move(value: Any) -> torch.Tensor:
        if isinstance(value, np.ndarray):
            value = torch.from_numpy(np.ascontiguousarray(value))
        return value.to(device, non_blocking=True)

    return _each(batch, move)


def _each(batch: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(batch, dict):
        return {k: _each(v, change) for k, v in batch.items()}
    if isinstance(batch, (tuple, list)):
        return type(batch)(_each(v, change) for v in batch)
    return change(batch)


def pieces(n: int, count: int) -> list[slice]:
    """`n` items in `count` pieces whose sizes differ by at most one; none is empty."""
    edges = [n * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if b > a]
