"""Track stores: `tracks.parquet`, flat, and `graph.geff`, the same as a graph.

geff (https://github.com/live-image-tracking-tools/geff): a node per object and frame, an edge
per link, from a mother's last frame to each daughter's first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import groups, tables
from libcell.errors import DataError, MissingInput
from libcell.schema import versions

TABLE = "tracks.parquet"
GRAPH = "graph.geff"


@dataclass(frozen=True)
class Graph:
    """Nodes are the rows of the table; `edges` (m,2) int64 are row numbers, earlier first."""

    edges: np.ndarray
    score: np.ndarray
    divisions: int


def graph_of(table: pa.Table) -> Graph:
    """Links of a table `links`. DataError where it is no forest of tracks.

    Within a track an edge joins neighbours in time; a track with a parent is joined to the
    parent's last row.
    """
    image = table.column("Metadata_Image").combine_chunks().dictionary_encode().indices
    field = image.to_numpy(zero_copy_only=False).astype(np.int64)
    t, track, parent, score = (
        table.column(n).to_numpy(zero_copy_only=False).astype(kind)
        for n, kind in (("Metadata_T", np.int64), ("track_id", np.int64),
                        ("parent_track_id", np.int64), ("score", np.float64))
    )
    order = np.lexsort((t, track, field))
    same = (field[order][1:] == field[order][:-1]) & (track[order][1:] == track[order][:-1])
    if (t[order][1:] == t[order][:-1])[same].any():
        raise DataError("tracks: a track has two objects in one frame")
    within = np.column_stack([order[:-1][same], order[1:][same]])
    first = order[np.concatenate([[True], ~same])] if len(order) else order
    last = order[np.concatenate([~same, [True]])] if len(order) else order
    ends = {(int(field[r]), int(track[r])): int(r) for r in last}
    births = [(_mother(ends, field, track, parent, t, int(r)), int(r))
              for r in first if parent[r]]
    between = np.array(births, np.int64).reshape(-1, 2)
    edges = np.concatenate([within, between])
    counts = np.unique(between[:, 0], return_counts=True)[1]
    return Graph(edges, score[edges[:, 1]], int((counts > 1).sum()))


def _mother(
    ends: dict[tuple[int, int], int], field: np.ndarray, track: np.ndarray, parent: np.ndarray,
    t: np.ndarray, row: int,
) -> int:
    found = ends.get((int(field[row]), int(parent[row])))
    if found is None or t[found] >= t[row]:
        raise DataError(f"tracks: track {track[row]} starts in frame {t[row]}, but its parent "
                        f"{parent[row]} is not there before")
    return found


def write(root: Path, table: pa.Table, provenance: Mapping[str, Any]) -> Graph:
    """Write table, graph and, last, the root metadata; returns the graph."""
    graph = graph_of(table)
    groups.ensure(root)
    tables.write_parts(root / TABLE, [table], table.schema, "links", provenance)
    _write_geff(root / GRAPH, table, graph)
    keys = table.select(["Metadata_Image", "track_id"]).group_by(
        ["Metadata_Image", "track_id"]).aggregate([])
    groups.update(root, {
        "schema": versions.tag("tracks"),
        "provenance": dict(provenance),
        "n_tracks": keys.num_rows,
        "n_divisions": graph.divisions,
        "images": table.column("Metadata_Image").unique().to_pylist(),
    })
    return graph


def _write_geff(path: Path, table: pa.Table, graph: Graph) -> None:
    from geff.core_io import write_arrays
    from geff_spec import Axis, GeffMetadata

    def values(name: str, kind: Any) -> Any:
        column = table.column(name).to_numpy(zero_copy_only=False)
        return {"values": column.astype(kind), "missing": None}

    image = table.column("Metadata_Image").combine_chunks().dictionary_encode()
    fields: Any = {"values": image.indices.to_numpy(zero_copy_only=False).astype(np.int64),
              "missing": None}
    nodes = {"t": values("Metadata_T", np.int64), "y": values("y", np.float64),
             "x": values("x", np.float64), "label": values("Metadata_Label", np.int64),
             "track_id": values("track_id", np.int64), "field": fields}
    axes = [Axis(name="t", type="time", unit="frame"), Axis(name="y", type="space", unit="pixel"),
            Axis(name="x", type="space", unit="pixel")]
    metadata = GeffMetadata(directed=True, axes=axes, node_props_metadata={},
                            edge_props_metadata={}, track_node_props={"tracklet": "track_id"},
                            extra={"fields": image.dictionary.to_pylist()})
    write_arrays(path, np.arange(table.num_rows, dtype=np.int64), nodes, graph.edges,
                 {"score": {"values": graph.score, "missing": None}}, metadata, zarr_format=3)


def read(path: Path) -> pa.Table:
    """Table `links` of a track store."""
    if not path.exists():
        raise MissingInput(f"{path}: not found")
    if not (path / "zarr.json").is_file():
        raise DataError(f"{path}: not a track store (it has no zarr.json)")
    versions.require(groups.read(path).get("schema"), "tracks", where=str(path))
    return tables.read(path / TABLE, "links")
