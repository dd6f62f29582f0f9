"""Flat tracks as CSV, the columns of napari's Tracks layer first.

`track_id,t,(z,)y,x` are its data; `parent_track_id` (0: none) is its graph.
"""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from libcell.data import tables
from libcell.errors import DataError
from libcell.track.foreign.nodes import table_of_tracks

NAMES = {"Metadata_T": "t", "Metadata_Label": "label"}


def write(table: pa.Table) -> bytes:
    """One field of view (table `links`), rows by track and frame, as napari wants them."""
    wanted = ("track_id", "Metadata_T", "z", "y", "x", "parent_track_id", "Metadata_Label", "score")
    names = [n for n in wanted if n in table.column_names]
    flat = table.sort_by([("track_id", "ascending"), ("Metadata_T", "ascending")]).select(names)
    file = io.BytesIO()
    pyarrow.csv.write_csv(flat.rename_columns([NAMES.get(n, n) for n in names]), file)
    return file.getvalue()


def read(path: Path) -> pa.Table:
    """Table `links` of a file with columns track_id, t, y, x (z, parent_track_id, label)."""
    found = tables.read_csv(path)
    lacking = [n for n in ("track_id", "t", "y", "x") if n not in found.column_names]
    if lacking:
        raise DataError(f"{path}: column {lacking[0]!r} is missing; it has "
                        f"{', '.join(found.column_names[:12])}")
    whole = {n: _whole(path, found, n) for n in ("track_id", "t", "parent_track_id", "label")
             if n in found.column_names}
    places = {a: _numbers(path, found, a) for a in "zyx" if a in found.column_names}
    parent = whole.get("parent_track_id", np.zeros(found.num_rows, np.int64))
    if found.num_rows and whole["track_id"].min() < 1:
        raise DataError(f"{path}: a track is called 0, which as parent_track_id means none; number "
                        "tracks from 1")
    _require_one_parent(path, whole["track_id"], parent)
    return table_of_tracks(whole["t"], places, whole.get("label"), whole["track_id"], parent,
                           path.name.split(".")[0], str(path))


def _require_one_parent(path: Path, track: np.ndarray, parent: np.ndarray) -> None:
    pairs = np.unique(np.stack([track, parent], axis=1), axis=0)
    ids, counts = np.unique(pairs[:, 0], return_counts=True)
    if (counts > 1).any():
        raise DataError(f"{path}: track {ids[counts > 1][0]} has {counts.max()} parents; a cell "
                        "has one mother")


def _numbers(path: Path, table: pa.Table, name: str) -> np.ndarray:
    try:
        values = np.asarray(table.column(name).cast(pa.float64()).to_numpy())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: column {name!r} does not hold numbers ({error})") from error
    if not np.isfinite(values).all():
        raise DataError(f"{path}: column {name!r} has rows without a number")
    return values


def _whole(path: Path, table: pa.Table, name: str) -> np.ndarray:
    values = _numbers(path, table, name)
    if (values != np.rint(values)).any() or (values < 0).any():
        raise DataError(f"{path}: column {name!r} must hold whole numbers from 0")
    return values.astype(np.int64)
