"""Tracks as sequences of stage predictions, read off a table `predictions`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from libcell.data import matrix
from libcell.errors import DataError

TRACK = ("track_id", "Metadata_Track", "Metadata_Sequence")
PARENT = ("parent_track_id", "Metadata_Parent")
ORDERS = (  # of published data sets, and of `cell-extract sequences`
    ("interphase", "prophase", "prometaphase", "metaphase", "anaphase", "telophase"),
    ("interphase", "earlymitosis", "latemitosis"),
)


@dataclass(frozen=True)
class Track:
    """One track: its rows in the table by time, their frames t (T,), and how likely each is in
    each stage (T,K); `parent` is the number of the sequence that divided into it, or None."""

    rows: np.ndarray
    t: np.ndarray
    likely: np.ndarray
    parent: int | None = None


def stage_order(table: pa.Table, wanted: Sequence[str]) -> list[str]:
    """The stages in the order in which they come, as `wanted` or as published data have them."""
    found = {n.removeprefix("p_") for n in table.column_names if n.startswith("p_")}
    if not found:
        raise DataError("the predictions have no probabilities (columns p_STAGE)")
    if wanted:
        strange = sorted(found - set(wanted))
        if strange:
            raise DataError(f"--stages lacks {', '.join(strange)}, which the table predicts")
        return list(wanted)
    plain = {name.lower(): name for name in found}
    for order in ORDERS:
        if set(plain) <= set(order):
            return [plain[name] for name in order if name in plain]
    raise DataError(f"the order of {', '.join(sorted(found))} is not known; give --stages with all "
                    "of them, from the first after division to the last")


def column_of(table: pa.Table, given: str | None) -> str:
    """The column that names the track."""
    if given and given in table.column_names:
        return given
    found = [] if given else [n for n in TRACK if n in table.column_names]
    if not found:
        asked = f"no column {given!r}" if given else f"none of the columns {', '.join(TRACK)}"
        raise DataError(f"the predictions have {asked}; say with --track which column names the "
                        "track of each row")
    return found[0]


def sequences(table: pa.Table, track: str, stages: Sequence[str]) -> list[Track]:
    """All tracks by image and name, each in order of time. Rows without a track are left out."""
    images = matrix.column_text(table, "Metadata_Image", "image").astype(str)
    names = np.array([None if v is None else str(v) for v in table.column(track).to_pylist()],
                     object)
    t = table.column("Metadata_T").to_numpy(zero_copy_only=False).astype(np.int64)
    likely = _likely(table, stages)
    groups: dict[tuple[str, str], list[int]] = {}
    for row in np.flatnonzero(names != None):  # noqa: E711  each element, not the array
        groups.setdefault((images[row], names[row]), []).append(int(row))
    keys = sorted(groups, key=lambda k: (k[0], not k[1].isdigit(), int(k[1]) if k[1].isdigit()
                                         else 0, k[1]))
    place = {key: i for i, key in enumerate(keys)}
    mothers = _mothers(table)
    found = []
    for key in keys:
        rows = np.array(sorted(groups[key], key=lambda r: int(t[r])))
        twice = np.flatnonzero(np.diff(t[rows]) == 0)
        if twice.size:
            raise DataError(f"{key[0]}: track {key[1]} has two rows at frame {t[rows[twice[0]]]}")
        parent = place.get((key[0], mothers[rows[0]])) if mothers else None
        found.append(Track(rows, t[rows], likely[rows], parent))
    return [replace(one, parent=None) if _is_later(one, found) else one for one in found]


def _is_later(one: Track, found: list[Track]) -> bool:
    """Whether what is called its mother goes on while the track is there already."""
    return one.parent is not None and found[one.parent].t[-1] >= one.t[0]


def _likely(table: pa.Table, stages: Sequence[str]) -> np.ndarray:
    """(rows, K); a stage that the model does not know is never likely."""
    likely = np.zeros((table.num_rows, len(stages)))
    known = [k for k, s in enumerate(stages) if f"p_{s}" in table.column_names]
    likely[:, known] = matrix.matrix(table, [f"p_{stages[k]}" for k in known])
    return likely


def _mothers(table: pa.Table) -> list[str] | None:
    """Per row the track that divided into its own, as text; None where no column says so."""
    for name in PARENT:
        if name in table.column_names:
            return [str(v) for v in table.column(name).to_pylist()]
    return None
