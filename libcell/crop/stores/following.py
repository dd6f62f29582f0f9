"""Index and table of sequences of one field of view, from its tracks and its label image."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from libcell.crop.kernels.following import Followed, follow
from libcell.data import tables
from libcell.errors import DataError

KEYS = ("Metadata_T", "Metadata_Label")


def matched(links: pa.Table, objects: pa.Table, image: str) -> np.ndarray:
    """The row of `objects` that each row of `links` is; DataError where a track has an object
    that the label image does not have."""
    keys = [[t.column(n).to_numpy().astype(np.int64) for n in KEYS] for t in (links, objects)]
    wanted, there = (t << 32 | label for t, label in keys)
    order = np.argsort(there)
    place = np.searchsorted(there, wanted, sorter=order)
    place = order[np.minimum(place, len(order) - 1)] if len(order) else np.zeros(0, np.int64)
    lost = np.flatnonzero(there[place] != wanted) if len(order) else np.arange(len(wanted))
    if len(lost):
        t, label = (k[lost[0]] for k in keys[0])
        raise DataError(f"{image}: {len(lost)} objects of the tracks are not in the labels, e.g. "
                        f"label {label} in frame {t}")
    return place


def sequences_of(
    links: pa.Table, objects: pa.Table, image: str, least: int, before: int, skip_border: bool
) -> tuple[pa.Table, pa.Table]:
    """The field's part of the index, tracks one after the other, and of the table of sequences.

    `Metadata_Track` of the index and `track_id` of the sequences are the tracks'; a sequence is
    named `image:track`. Further `Metadata_` columns of the tracks come along. `skip_border` leaves
    out sequences that are cut by the image's edge in any frame.
    """
    place = matched(links, objects, image)
    t, track, parent = (links.column(n).to_numpy().astype(np.int64)
                        for n in ("Metadata_T", "track_id", "parent_track_id"))
    found = follow(t, track, parent, least, before)
    if skip_border:
        cut = objects.column("touches_border").to_numpy(zero_copy_only=False)[place]
        found = _without(found, np.unique(found.owner[(found.row >= 0) & cut[found.row]]))
    used = np.unique(found.row[found.row >= 0])
    used = used[np.lexsort((t[used], track[used]))]
    index = objects.take(place[used]).append_column("Metadata_Track", pa.array(track[used]))
    for name in links.column_names:
        if name.startswith(tables.METADATA) and name not in index.column_names:
            index = index.append_column(name, links.column(name).take(pa.array(used)))
    return index, _table(found, objects.take(place), track, parent, image)


def _without(found: Followed, owners: np.ndarray) -> Followed:
    stays = ~np.isin(found.owner, owners)
    return Followed(*(values[stays] for values in found))


def _table(
    found: Followed, objects: pa.Table, track: np.ndarray, parent: np.ndarray, image: str
) -> pa.Table:
    """Table `sequences`; gaps have no object and no track."""
    gap = found.row < 0
    mother = dict(zip(track.tolist(), parent.tolist()))
    parents = [mother[owner] for owner in found.owner.tolist()]
    at = pa.array(found.row, mask=gap)
    return tables.from_columns("sequences", {
        "sequence_id": [f"{image}:{owner}" for owner in found.owner.tolist()],
        "object_id": objects.column("object_id").combine_chunks().take(at),
        "Metadata_T": found.t,
        "position": found.position,
        "Metadata_Image": [image] * len(gap),
        "track_id": pc.take(pa.array(track), at),
        "parent_sequence_id": pa.array([f"{image}:{p}" if p else None for p in parents],
                                       pa.string()),
        "gap": gap,
    })
