"""What training went through, epoch by epoch: table `curves`, and TensorBoard."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from libcell.data import tables
from libcell.errors import Unavailable

NAME = "curves.parquet"


def entries(epoch: int, step: int, part: str, figures: Mapping[str, float]) -> list[dict[str, Any]]:
    """Rows of table `curves`: the figures of one part (train, validation) after an epoch."""
    return [{"epoch": epoch, "step": step, "part": part, "metric": k, "value": v}
            for k, v in figures.items()]


def write(root: Path, rows: Iterable[Mapping[str, Any]], provenance: Mapping[str, Any]) -> None:
    """`curves.parquet` in a model's folder, before its card."""
    listed = list(rows)
    names = ("epoch", "step", "part", "metric", "value")
    table = tables.from_columns("curves", {n: [r[n] for r in listed] for n in names})
    root.mkdir(parents=True, exist_ok=True)
    tables.write_parts(root / NAME, [table], table.schema, "curves", provenance)


class Log:
    """The rows so far, on the disk, so that no checkpoint need hold them all: each says how many
    bytes of the log are its own, and a run that goes on from there overwrites what came after."""

    def __init__(self, path: Path):
        self._path = path
        self._rows = 0
        self._size = 0

    def keep(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add what is new of all `rows`; returns the bytes of the log."""
        fresh = "".join(json.dumps(row) + "\n" for row in rows[self._rows:])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.truncate(self._size)
            file.write(fresh.encode())
        self._rows, self._size = len(rows), self._size + len(fresh.encode())
        return self._size

    def take(self, size: int) -> list[dict[str, Any]]:
        """The rows in the first `size` bytes; further ones go behind them."""
        lines = self._path.read_bytes()[:size].splitlines() if size else []
        self._rows, self._size = len(lines), size
        return [json.loads(line) for line in lines]


class Board:
    """TensorBoard's event files, where a folder for them is given."""

    def __init__(self, folder: str | None):
        self._writer = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise Unavailable("--tensorboard needs tensorboard "
                              "(pip install 'libcell[tensorboard]')") from error
        self._writer = SummaryWriter(folder)

    def add(self, rows: Iterable[Mapping[str, Any]], speed: float) -> None:
        """An epoch's rows, and items per second."""
        if self._writer is None:
            return
        step = 0
        for row in rows:
            step = row["step"]
            self._writer.add_scalar(f"{row['part']}/{row['metric']}", row["value"], step)
        self._writer.add_scalar("speed/items_per_s", speed, step)
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
