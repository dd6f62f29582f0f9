"""From objects in masks and the challenge's text to a table of tracks."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import objects, tables
from libcell.errors import DataError
from libcell.extract.challenge.folder import Sequence
from libcell.extract.kernels import ctc_tracks
from libcell.extract.kernels.ctc_tracks import Rows


def read_rows(text: Path, first: int, last: int) -> Rows:
    """The rows of a text, checked against the frames that there are."""
    try:
        content = text.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{text}: is not a text ({error})") from error
    rows = ctc_tracks.parse(content, str(text))
    ctc_tracks.check_rows(rows, first, last, str(text))
    return rows


def table_of(
    sequence: Sequence, rows: Rows, frames: list[pa.Table], keys: dict[str, Any],
    compartment: str, where: str, join: bool, deep: bool,
) -> pa.Table:
    """Table `links` of a sequence: frames in order, objects by label.

    `frames` have columns label, z, y, x, one table per frame. A label of the masks is the
    track's id, unless `join` makes it part of another. `deep`: the image has planes.
    """
    counts = [f.num_rows for f in frames]
    numbers = sequence.first + np.repeat(np.arange(len(frames)), counts)
    label = np.concatenate([f.column("label").to_numpy() for f in frames]).astype(np.int64)
    ctc_tracks.check_masks(rows, numbers, label, where, join)
    order = np.argsort(rows.label)
    track, parent = (c[order] for c in ctc_tracks.as_tracks(rows, join))
    known = rows.label[order]
    made = []
    for t, frame in enumerate(frames):
        found = frame.column("label").to_numpy()
        place = np.searchsorted(known, found)
        columns = objects.key_columns(keys, t, compartment, found) | {
            "track_id": track[place], "parent_track_id": parent[place],
            **{n: frame.column(n) for n in ("y", "x")},
            "score": pa.nulls(len(found), pa.float64())}
        if deep:
            columns["z"] = frame.column("z")
        made.append(tables.from_columns("links", columns))
    return pa.concat_tables(made, promote_options="permissive")
