"""From objects and links of another program to a table of tracks."""

import numpy as np
import pyarrow as pa

from libcell.data import tables, tracks
from libcell.errors import DataError
from libcell.track.kernels.movie import numbered


def table_of_edges(
    t: np.ndarray, places: dict[str, np.ndarray], label: np.ndarray | None, edges: np.ndarray,
    image: str, where: str,
) -> pa.Table:
    """Table `links` of objects in any order, whose links (m, 2) are row numbers.

    DataError where a link stays in a frame, an object has two mothers, or labels repeat.
    """
    early = np.take_along_axis(edges, np.argsort(t[edges], axis=1, kind="stable"), axis=1)
    same = early[t[early[:, 0]] == t[early[:, 1]]]
    if len(same):
        raise DataError(f"{where}: a link joins two objects of frame {t[same[0, 0]]}; links lead "
                        "from frame to frame")
    order = np.lexsort((*(places[a] for a in places), t))
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    source, split = np.full(t.size, -1), np.zeros(t.size, bool)
    targets = np.bincount(early[:, 1], minlength=t.size)
    if (targets > 1).any():
        lone = int(np.flatnonzero(targets > 1)[0])
        raise DataError(f"{where}: two tracks merge in frame {t[lone]} (and "
                        f"{int((targets > 1).sum()) - 1} more merges); a cell has one mother")
    source[rank[early[:, 1]]] = rank[early[:, 0]]
    split[rank[early[:, 1]]] = np.bincount(early[:, 0], minlength=t.size)[early[:, 0]] > 1
    track, parent = numbered(source, split)
    return table_of_tracks(t[order], {a: v[order] for a, v in places.items()},
                           None if label is None else label[order], track, parent, image, where)


def table_of_tracks(
    t: np.ndarray, places: dict[str, np.ndarray], label: np.ndarray | None, track: np.ndarray,
    parent: np.ndarray, image: str, where: str,
) -> pa.Table:
    """Table `links` of objects whose tracks are known, rows by frame; checked to be a forest.

    Without labels the objects of a frame are numbered from 1.
    """
    order = np.lexsort((track, t))
    t, track, parent = t[order], track[order], parent[order]
    names = (np.arange(t.size) - np.searchsorted(t, t) + 1) if label is None else label[order]
    if np.unique(np.stack([t, names], axis=1), axis=0).shape[0] < t.size:
        raise DataError(f"{where}: a label is there twice in one frame")
    columns = {
        "Metadata_T": t, "Metadata_Label": names, "track_id": track, "parent_track_id": parent,
        "y": places["y"][order], "x": places["x"][order],
        "score": pa.nulls(t.size, pa.float64()), "Metadata_Image": [image] * t.size,
        "Metadata_Compartment": ["cells"] * t.size}
    if "z" in places:
        columns["z"] = places["z"][order]
    columns["object_id"] = tracks.object_ids(pa.table(columns))
    made = tables.from_columns("links", columns)
    try:
        tracks.graph_of(made)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    return made
