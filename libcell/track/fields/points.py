"""Tables of points, of any program: a row per object and frame."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from libcell.data import tables
from libcell.data.grouped import members
from libcell.errors import DataError
from libcell.track.kernels import ellipses
from libcell.track.kernels.ellipses import Objects

# what each is called; the first that is there counts
TIME = ("Metadata_T", "t", "frame", "T", "FRAME")
LABEL = ("Metadata_Label", "label", "id", "ID")
IMAGE = ("Metadata_Image", "image")
PLACE = {"z": ("z", "Z"), "y": ("y", "Y"), "x": ("x", "X")}
SIZE = ("area_px",)
KEYS = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")


@dataclass(frozen=True)
class Points:
    """One field of view of a table, rows in order of time, then of place.

    keys      columns that are the same in every row
    t, label  (n,) int64
    places    (n, d) float64: (z,) y, x, px
    sizes     (n,) float64: pixels; 0 where the table does not tell
    """

    keys: dict[str, Any]
    compartment: str
    t: np.ndarray
    label: np.ndarray
    places: np.ndarray
    sizes: np.ndarray

    def frames(self, spacing: tuple[float, ...]) -> Iterator[Objects]:
        """Objects of frame 0, 1, 2 ...; frames that the table leaves out are empty."""
        scaled = self.places * np.array(spacing)[3 - self.places.shape[1] :]
        last = int(self.t.max(initial=-1))
        ends = np.searchsorted(self.t, np.arange(last + 2))
        for begin, end in pairwise(ends):
            yield ellipses.points(self.label[begin:end], scaled[begin:end], self.sizes[begin:end])


def is_table(path: Path) -> bool:
    """Whether an input is a table, by its name."""
    return path.suffix.lower() in (".csv", ".parquet", ".tsv", ".txt")


def read(path: Path) -> list[Points]:
    """Every field of view of a table. DataError says what is wrong with it."""
    table = _table(path)
    names = set(table.column_names)
    time = _named(names, TIME)
    axes = [a for a in "zyx" if _named(names, PLACE[a])]
    if time is None or axes[-2:] != ["y", "x"]:
        raise DataError(f"{path}: needs columns t, y, x (and z); it has "
                        f"{', '.join(table.column_names[:12])}")
    places = np.stack([_numbers(path, table, _named(names, PLACE[a])) for a in axes], axis=1)
    t = _whole(path, str(time), _numbers(path, table, time))
    label = _named(names, LABEL)
    given = _whole(path, label, _numbers(path, table, label)) if label else None
    size = _named(names, SIZE)
    sizes = _numbers(path, table, size) if size else np.zeros(len(t))
    return [_field(path, table, name, rows, t[rows], places[rows],
                   None if given is None else given[rows], sizes[rows])
            for name, rows in _images(path, table)]


def field_of(path: Path, number: int) -> Points:
    """One field of view of a table, which a worker reads once for all that it does."""
    state = path.stat()
    return _kept(path, (state.st_size, state.st_mtime_ns))[number]


@functools.lru_cache(maxsize=1)
def _kept(path: Path, _state: tuple[int, int]) -> list[Points]:
    return read(path)


def _table(path: Path) -> pa.Table:
    if path.suffix.lower() in (".csv", ".txt", ".tsv"):
        return tables.read_csv(path)
    tables.open_parquet(path)
    return pq.read_table(path)


def _named(names: set[str], wanted: tuple[str, ...]) -> str | None:
    return next((w for w in wanted if w in names), None)


def _numbers(path: Path, table: pa.Table, name: str | None) -> np.ndarray:
    try:
        values = table.column(name).cast(pa.float64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: column {name!r} does not hold numbers ({error})") from error
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise DataError(f"{path}: column {name!r} has no number in row {bad[0]} and "
                        f"{bad.size - 1} more; leave such rows out")
    return np.asarray(values)


def _whole(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    bad = np.flatnonzero((values != np.rint(values)) | (values < 0))
    if bad.size:
        raise DataError(f"{path}: column {name!r} is {values[bad[0]]} in row {bad[0]}; expected "
                        "whole numbers from 0")
    return values.astype(np.int64)


def _images(path: Path, table: pa.Table) -> list[tuple[str, np.ndarray]]:
    column = _named(set(table.column_names), IMAGE)
    if column is None:
        return [(path.name.split(".")[0], np.arange(table.num_rows))]
    names = table.column(column).cast(pa.string()).combine_chunks().dictionary_encode()
    found = names.dictionary.to_pylist()
    index = names.indices.fill_null(len(found)).to_numpy()
    return list(zip(found, members(index, len(found))))


def _field(
    path: Path, table: pa.Table, image: str, rows: np.ndarray, t: np.ndarray,
    places: np.ndarray, label: np.ndarray | None, sizes: np.ndarray,
) -> Points:
    order = np.lexsort((*places.T[::-1], t))
    t, places, sizes = t[order], places[order], sizes[order]
    if label is None:
        first = np.searchsorted(t, t)
        label = np.arange(t.size) - first + 1
    else:
        label = label[order]
        _require_unique(path, t, label)
    keys = {k: table.column(k)[int(rows[0])].as_py() if k in table.column_names and rows.size
            else None for k in KEYS}
    kind = "Metadata_Compartment"
    named = table.column(kind)[0].as_py() if kind in table.column_names and rows.size else None
    return Points(keys | {"Metadata_Image": image}, named or "points", t, label, places, sizes)


def _require_unique(path: Path, t: np.ndarray, label: np.ndarray) -> None:
    if label.size and label.min() < 1:
        raise DataError(f"{path}: a label is {label.min()}; labels are numbers from 1")
    pairs, counts = np.unique(np.stack([t, label], axis=1), axis=0, return_counts=True)
    twice = pairs[counts > 1]
    if len(twice):
        raise DataError(f"{path}: label {twice[0][1]} is {counts.max()} times in frame "
                        f"{twice[0][0]}; the ids of one frame must differ")
