"""Annotated tracks of one field of view, from a track store or a table of points.

A table's rows are cells in frames: `t`, `y`, `x` (and `z`, `radius`) with either `track_id` and
`parent_track_id`, or `cell_id` and `parent_id`, the cell's own number and that of the cell one
frame before. So are the rows of the mskcc-confocal set's `tracks.txt`: tab-separated, with or
without a line of names, and z in x pixels, not in planes (https://zenodo.org/records/6460303).
"""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from libcell.data import tables, tracks
from libcell.errors import DataError, MissingInput

MSKCC = ("t", "z", "y", "x", "cell_id", "parent_id", "radius", "div_state")
TRACK = (("track_id", "parent_track_id"), ("track", "parent"), ("track_id", "parent"))
PLACE = ("z", "y", "x")


@dataclass(frozen=True)
class Annotation:
    """Cells that somebody tracked.

    t, track  (n,) int64, tracks from 1; label (n,) int64, 0: known by place alone
    places    (n, 3) float64: z, y, x in voxels; radius (n,) px, nan where not told
    parents   track to the track that divided into it
    """

    t: np.ndarray
    track: np.ndarray
    label: np.ndarray
    places: np.ndarray
    radius: np.ndarray
    parents: dict[int, int]

    def frame(self, t: int) -> np.ndarray:
        """Rows of one frame."""
        return np.flatnonzero(self.t == t)


def read(path: Path, image: str, z_step: float, radius: float | None = None) -> Annotation:
    """The annotation of the field of view called `image`; `z_step` is in x pixels a plane,
    `radius` that of cells of which the file does not tell one.

    MissingInput or DataError says what is wrong with the file.
    """
    found = _from_store(path, image) if path.is_dir() else _from_table(path, z_step)
    if radius is None:
        return found
    return replace(found, radius=np.where(np.isfinite(found.radius), found.radius, radius))


def _from_table(path: Path, z_step: float) -> Annotation:
    if not path.exists():
        raise MissingInput(f"{path}: not found")
    names, columns = _columns(path)
    mskcc = {"cell_id", "parent_id", "radius"} <= set(names)
    lacking = [n for n in ("t", "y", "x") if n not in columns]
    if lacking:
        raise DataError(f"{path}: has no column {', '.join(lacking)}; expected t, y, x and "
                        "track_id, parent_track_id (or cell_id, parent_id)")
    t = columns["t"].astype(np.int64)
    depth = columns.get("z", np.zeros(t.size)) / (z_step if mskcc else 1.0)
    places = np.stack([depth, columns["y"], columns["x"]], axis=1)
    radius = columns.get("radius", np.full(t.size, np.nan))
    known = next((n for n in TRACK if n[0] in columns), None)
    if known:
        track = columns[known[0]].astype(np.int64)
        above = columns.get(known[1], np.zeros(t.size)).astype(np.int64)
        parents = {int(k): int(p) for k, p in zip(track, above) if p > 0 and p != k}
    elif "cell_id" in columns and "parent_id" in columns:
        track, parents = chained(t, columns["cell_id"].astype(np.int64),
                                 columns["parent_id"].astype(np.int64))
    else:
        raise DataError(f"{path}: does not say which rows are one track; expected columns "
                        "track_id and parent_track_id, or cell_id and parent_id")
    return _checked(Annotation(t, track, np.zeros(t.size, np.int64), places, radius, parents),
                    path)


def _from_store(path: Path, image: str) -> Annotation:
    table = tracks.read(path)
    names = np.array(table.column("Metadata_Image").to_pylist(), object)
    rows = np.flatnonzero(names == image)
    if not rows.size and len(set(names.tolist())) == 1:
        rows = np.arange(names.size)  # one field of view, by another name
    if not rows.size:
        raise DataError(f"{path}: has no tracks of {image}")
    got = {n: table.column(n).to_numpy(zero_copy_only=False)[rows]
           for n in (*_axes(table), "Metadata_T", "Metadata_Label", "track_id",
                     "parent_track_id")}
    depth = got.get("z", np.zeros(rows.size))
    track = got["track_id"].astype(np.int64)
    parents = {int(k): int(p) for k, p in zip(track, got["parent_track_id"]) if p > 0}
    return _checked(Annotation(
        got["Metadata_T"].astype(np.int64), track, got["Metadata_Label"].astype(np.int64),
        np.stack([depth, got["y"], got["x"]], axis=1).astype(np.float64),
        np.full(rows.size, np.nan), parents), path)


def _axes(table: pa.Table) -> list[str]:
    """The columns of a table that say where objects are."""
    return [n for n in PLACE if n in table.column_names]


def _columns(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Names as they come, and columns of numbers."""
    if path.suffix == ".parquet":
        tables.open_parquet(path)
        table = pq.read_table(path)
        names = [n.lower().removeprefix("metadata_") for n in table.column_names]
        lists = [c.to_pylist() for c in table.columns]
        rows = [list(r) for r in zip(*lists)]
    else:
        with path.open(newline="") as file:
            first = file.readline()
            file.seek(0)
            rows = [r for r in csv.reader(file, delimiter="\t" if "\t" in first else ",") if r]
        if not rows:
            raise DataError(f"{path}: is empty")
        names = [n.strip().lower() for n in rows[0]]
        if all(_is_number(n) for n in names):
            names = list(MSKCC[: len(names)])
        else:
            rows = rows[1:]
    found = {}
    for index, name in enumerate(names):
        values = [r[index] if index < len(r) else "" for r in rows]
        if name in ("t", "frame", "z", "y", "x", "radius", "cell_id", "parent_id",
                    *(n for pair in TRACK for n in pair)):
            found["t" if name == "frame" else name] = _numbers(path, name, values)
    return names, found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(path: Path, name: str, values: list[object]) -> np.ndarray:
    made = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        try:
            made[row] = float(str(value)) if value not in ("", None) else (
                0.0 if "parent" in name else np.nan)
        except ValueError as error:
            raise DataError(f"{path}: column {name!r} is {value!r} in row {row}; expected a "
                            "number") from error
    if name != "radius" and not np.isfinite(made).all():
        row = int(np.flatnonzero(~np.isfinite(made))[0])
        raise DataError(f"{path}: column {name!r} has no number in row {row}")
    return made


def chained(
    t: np.ndarray, own: np.ndarray, before: np.ndarray
) -> tuple[np.ndarray, dict[int, int]]:
    """Track (n,) int64 and parents, of cells that name the cell one frame before them.

    A cell that two or more name has divided; one that a single cell names goes on.
    """
    row = {(int(f), int(i)): k for k, (f, i) in enumerate(zip(t, own))}
    source = np.array([row.get((int(f) - 1, int(p)), -1) for f, p in zip(t, before)], np.int64)
    count = np.bincount(source[source >= 0], minlength=t.size)
    track, parents, last = np.zeros(t.size, np.int64), {}, 0
    for k in np.argsort(t, kind="stable"):
        s = source[k]
        if s >= 0 and count[s] == 1:
            track[k] = track[s]
            continue
        last += 1
        track[k] = last
        if s >= 0:
            parents[last] = int(track[s])
    return track, parents


def _checked(found: Annotation, path: Path) -> Annotation:
    """DataError for a track that is in one frame twice, or is its own ancestor."""
    pairs, counts = np.unique(np.stack([found.t, found.track], 1), axis=0, return_counts=True)
    if (counts > 1).any():
        t, track = pairs[counts > 1][0]
        raise DataError(f"{path}: track {track} is in frame {t} more than once")
    if found.t.size and (found.t.min() < 0 or found.track.min() < 1):
        raise DataError(f"{path}: frames are counted from 0 and tracks from 1")
    for track in found.parents:
        seen, k = {track}, found.parents.get(track)
        while k is not None:
            if k in seen:
                raise DataError(f"{path}: track {track} is its own ancestor")
            seen.add(k)
            k = found.parents.get(k)
    return found
