"""From the nodes and edges of a graph to a table of tracks."""

from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import tables, tracks
from libcell.errors import DataError, UsageFault, reading
from libcell.extract.graphs.source import Nodes
from libcell.extract.kernels import forest


def table_of(nodes: Nodes, image: str | None, compartment: str, name: str) -> pa.Table:
    """Table `links`: fields in order, frames in order, nodes by id.

    `image` and `compartment` are for graphs that do not tell; the image is `name` where nobody
    does.
    """
    _require_no_merge(nodes)
    field = _field(nodes)
    track, parent = _tracks(nodes, field)
    order = np.lexsort((nodes.ids, nodes.t, field))
    label = nodes.label if nodes.label is not None else _numbers(nodes.t, field, nodes.ids)
    score = np.full(len(order), np.nan)
    score[nodes.edges[:, 1]] = nodes.score
    columns: dict[str, Any] = {
        "Metadata_T": nodes.t[order], "Metadata_Label": label[order],
        "track_id": track[order], "parent_track_id": parent[order],
        **{n: v[order] for n, v in nodes.places.items() if n != "z"},
        "score": pa.array(score[order], from_pandas=True),
    }
    with reading(nodes.where, "not a whole graph of libcell"):
        own = _told(nodes, field, order, image) if nodes.own else None
    columns |= own or {
        "Metadata_Image": [image or name] * len(order),
        "Metadata_Compartment": [compartment] * len(order), "node_id": nodes.ids[order]}
    if "z" in nodes.places:
        columns["z"] = nodes.places["z"][order]
    if "object_id" not in columns:
        columns["object_id"] = tracks.object_ids(pa.table(columns))
    made = tables.from_columns("links", columns)
    _require_same_edges(nodes, made, order)
    return made


def _require_no_merge(nodes: Nodes) -> None:
    found = forest.merges(nodes.edges, len(nodes.ids))
    if len(found):
        target = found[0, 1]
        mothers = nodes.ids[found[found[:, 1] == target, 0]].tolist()
        more = len(np.unique(found[:, 1])) - 1
        raise DataError(f"{nodes.where}: nodes {' and '.join(map(str, mothers))} merge into node "
                        f"{nodes.ids[target]}{f' (and {more} more merges)' if more else ''}; a "
                        "cell has one mother")


def _field(nodes: Nodes) -> np.ndarray:
    if not nodes.own:
        return np.zeros(len(nodes.ids), np.int64)
    return nodes.columns["field"][0].astype(np.int64)


def _tracks(nodes: Nodes, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tracks as the nodes tell, else as the edges make them; parents always by the edges."""
    if nodes.track is None:
        return forest.derive(nodes.edges, field, nodes.t)
    keys = np.stack([field, nodes.track], axis=1)
    part = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    return nodes.track, forest.parents_of(nodes.edges, nodes.track, part)


def _numbers(t: np.ndarray, field: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Labels for nodes without: their place in their frame, from 1, by id."""
    order = np.lexsort((ids, t, field))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(t[order]) != 0) | (np.diff(field[order]) != 0)
    start = np.flatnonzero(new)
    made = np.empty(len(order), np.int64)
    made[order] = np.arange(len(order)) - start[np.cumsum(new) - 1] + 1
    return made


def _told(nodes: Nodes, field: np.ndarray, order: np.ndarray, image: str | None) -> dict[str, Any]:
    """The columns that a graph of ours tells of its fields of view, and those of its nodes."""
    assert nodes.own
    rows, types = nodes.own["fields"], nodes.own["types"]
    if image is not None:
        if len(rows) > 1:
            raise UsageFault(f"--image: {nodes.where} has {len(rows)} fields of view of their own "
                             "names")
        rows = [row | {"Metadata_Image": image} for row in rows]
    made: dict[str, Any] = {"Metadata_Image": [rows[i]["Metadata_Image"] for i in field[order]]}
    for name, kind in types.items():
        if name in nodes.columns:
            found = _column(nodes, name, order)
        else:
            found = pa.array([rows[i][name] for i in field[order]])
        made[name] = found.cast(pa.type_for_alias(kind))
    return made


def _column(nodes: Nodes, name: str, order: np.ndarray) -> pa.Array:
    """A further property of the nodes of a graph of ours; where numbers stand for words, these."""
    assert nodes.own
    values, missing = nodes.columns[name]
    found = pa.array(values[order], mask=missing[order] if missing is not None else None)
    words = nodes.own["words"].get(name)
    return found if words is None else pa.array(words, pa.string()).take(found)


def _require_same_edges(nodes: Nodes, table: pa.Table, order: np.ndarray) -> None:
    """DataError unless the tracks make the edges that the graph has, no more and no fewer."""
    try:
        made = tracks.graph_of(table).edges
    except DataError as error:
        raise DataError(f"{nodes.where}: {error} (see --track-id)") from error
    there = {tuple(e) for e in nodes.edges.tolist()}
    told = {tuple(e) for e in order[made].tolist()}
    if there != told:
        a, b = min(there ^ told)
        verb = "are joined by an edge" if (a, b) in there else "are in one lineage"
        also = "their track ids do not say so" if (a, b) in there else "no edge joins them"
        raise DataError(f"{nodes.where}: nodes {nodes.ids[a]} and {nodes.ids[b]} {verb}, but "
                        f"{also} ({len(there ^ told)} such; --track-id edges goes by the edges)")
