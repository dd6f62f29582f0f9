"""Track stores: `tracks.parquet`, flat, and `graph.geff`, the same as a graph.

geff (https://github.com/live-image-tracking-tools/geff): a node per object and frame, an edge
per link, from a mother's last frame to each daughter's first. Node ids are the table's row
numbers. What the table says of whole fields of view stands in the graph's `extra`, under
`libcell`: `fields`, the `types` of all further columns, and `words`, the texts that a property of
numbers stands for, since zarr v3 has no settled type for text.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from libcell.data import groups, tables
from libcell.errors import DataError, MissingInput
from libcell.schema import versions
from libcell.schema.arrow import arrow_schema

TABLE = "tracks.parquet"
GRAPH = "graph.geff"


@dataclass(frozen=True)
class Graph:
    """Nodes are the rows of the table; `edges` (m,2) int64 are row numbers, earlier first.

    A division is a track with two daughters or more; one alone goes on where its parent ended.
    """

    edges: np.ndarray
    score: np.ndarray
    tracks: int
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
    _require_once(table, field)
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
    return Graph(edges, score[edges[:, 1]], len(first), int((counts > 1).sum()))


def _require_once(table: pa.Table, field: np.ndarray) -> None:
    """DataError where two rows of a field of view are the same object."""
    ids = table.column("object_id").combine_chunks().dictionary_encode()
    pairs = field * max(len(ids.dictionary), 1) + ids.indices.to_numpy(zero_copy_only=False)
    found, first, counts = np.unique(pairs, return_index=True, return_counts=True)
    if len(found) < len(pairs):
        one = table.column("object_id")[int(first[counts > 1][0])].as_py()
        raise DataError(f"tracks: the object {one} stands there {counts.max()} times")


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
    if (root / GRAPH).exists():
        shutil.rmtree(root / GRAPH)  # of a run that was cut off here
    _write_geff(root / GRAPH, table, graph)
    groups.update(root, {
        "schema": versions.tag("tracks"),
        "provenance": dict(provenance),
        "n_tracks": graph.tracks,
        "n_divisions": graph.divisions,
        "images": table.column("Metadata_Image").unique().to_pylist(),
    })
    return graph


def _write_geff(path: Path, table: pa.Table, graph: Graph) -> None:
    from geff.core_io import write_arrays
    from geff_spec import Axis, GeffMetadata

    space = ["z", "y", "x"] if "z" in table.column_names else ["y", "x"]
    image = table.column("Metadata_Image").combine_chunks().dictionary_encode()
    whole, single = _further_columns(table, image)
    words = {n: table.column(n).unique().drop_null().to_pylist() for n in single
             if pa.types.is_string(table.schema.field(n).type)}
    nodes = {
        "t": _property(table.column("Metadata_T")),
        **{n: _property(table.column(n)) for n in space},
        "label": _property(table.column("Metadata_Label").cast(pa.int64())),
        "track_id": _property(table.column("track_id").cast(pa.int64())),
        "field": _property(pa.chunked_array([image.indices.cast(pa.int64())])),
        **{n: _property(_numbered(table.column(n), words.get(n))) for n in single},
    }
    axes = [Axis(name="t", type="time", unit="frame"),
            *(Axis(name=n, type="space", unit="pixel") for n in space)]
    rows = _rows_of_fields(table, image, ["Metadata_Image", *whole])
    types = {n: str(table.schema.field(n).type) for n in (*whole, *single)}
    metadata = GeffMetadata(directed=True, axes=axes, node_props_metadata={},
                            edge_props_metadata={}, track_node_props={"tracklet": "track_id"},
                            extra={"libcell": {"fields": rows, "types": types, "words": words}})
    write_arrays(path, np.arange(table.num_rows, dtype=np.int64), nodes, graph.edges,
                 {"score": {"values": graph.score, "missing": None}}, metadata, zarr_format=3)


def _property(column: pa.ChunkedArray) -> Any:
    """A column of numbers as a node property: values, and where there are none."""
    missing = np.asarray(column.is_null()) if column.null_count else None
    filled = column.fill_null(False if pa.types.is_boolean(column.type) else 0)
    return {"values": filled.to_numpy(), "missing": missing}


def _numbered(column: pa.ChunkedArray, words: list[str] | None) -> pa.ChunkedArray:
    """Text as places in the list of words; numbers as they are."""
    if words is None:
        return column
    return pc.index_in(column, pa.array(words, column.type)).cast(pa.int64())


def _further_columns(table: pa.Table, image: pa.DictionaryArray) -> tuple[list[str], list[str]]:
    """Columns beyond those of every graph: the same in a whole field of view, and the others.

    Dates and whatever else is neither number nor text stay in the table alone; so does
    `object_id`, where it says no more than image, frame, compartment and label.
    """
    known = {*arrow_schema("links").names, "z"} - {"object_id"}
    names = [f.name for f in table.schema if f.name not in known and _is_plain(f.type)]
    whole = [n for n in names if n.startswith("Metadata_") and _is_constant(table.column(n), image)]
    told = "Metadata_Compartment" in whole and table.column("object_id").equals(object_ids(table))
    return whole, [n for n in names if n not in whole and not (n == "object_id" and told)]


def _is_plain(kind: pa.DataType) -> bool:
    return any(check(kind) for check in (pa.types.is_integer, pa.types.is_floating,
                                         pa.types.is_boolean, pa.types.is_string))


def _is_constant(column: pa.ChunkedArray, image: pa.DictionaryArray) -> bool:
    pairs = pa.table({"field": image.indices, "value": column})
    return bool(pairs.group_by(["field", "value"]).aggregate([]).num_rows == len(image.dictionary))


def object_ids(table: pa.Table) -> pa.ChunkedArray:
    """`image:t:compartment:label` of every row."""
    t, label = (table.column(n).cast(pa.string()) for n in ("Metadata_T", "Metadata_Label"))
    image, compartment = (table.column(n).cast(pa.string())
                          for n in ("Metadata_Image", "Metadata_Compartment"))
    frame = pc.binary_join_element_wise("t", t, "")
    return pc.binary_join_element_wise(image, frame, compartment, label, ":")


def _rows_of_fields(
    table: pa.Table, image: pa.DictionaryArray, names: list[str]
) -> list[dict[str, Any]]:
    """The columns `names` of each field of view, in the order of their first rows."""
    first = np.unique(image.indices.to_numpy(), return_index=True)[1]
    found: list[dict[str, Any]] = table.select(names).take(first).to_pylist()
    return found


def read(path: Path) -> pa.Table:
    """Table `links` of a track store."""
    if not path.exists():
        raise MissingInput(f"{path}: not found")
    if not (path / "zarr.json").is_file():
        raise DataError(f"{path}: not a track store (it has no zarr.json)")
    versions.require(groups.read(path).get("schema"), "tracks", where=str(path))
    return tables.read(path / TABLE, "links")
