"""A geff graph in memory, its axes and identifiers found by what its metadata says."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from libcell.data import codecs
from libcell.errors import DataError, reading
from libcell.extract.graphs.units import Steps, assumed, frames, pixels

EDGES = "edges"  # `--track-id edges`: tracks are what the edges make
LABEL_NAMES = ("label", "seg_id", "segmentation_id", "mask_id")
LARGE = 2**30  # bytes
DENSEST = 2**16  # bytes of values that a byte of a file may stand for; zstd comes to 32768
TIME_NAMES = ("t", "time", "frame")


@dataclass(frozen=True)
class Names:
    """Node properties that the user names; None: found by the metadata, or the usual names."""

    label: str | None = None
    track: str | None = None


@dataclass(frozen=True)
class Nodes:
    """A graph: node ids (n,), t (n,) int64, places by axis (n,) float64 px, ...

    label and track (n,) int64, None where there are none; edges (m,2) int64 are places of nodes
    in the arrays, earlier first; score (m,) float64, NaN where there is none. `own` is what a
    graph of ours says of its fields of view, and `columns` what it holds beside (values, and
    where they are missing). `assumed` is what had to be taken for granted.
    """

    where: str
    ids: np.ndarray
    t: np.ndarray
    places: dict[str, np.ndarray]
    label: np.ndarray | None
    track: np.ndarray | None
    edges: np.ndarray
    score: np.ndarray
    own: dict[str, Any] | None
    columns: dict[str, tuple[np.ndarray, np.ndarray | None]]
    assumed: list[str]


def load(path: Path, names: Names, steps: Steps) -> Nodes:
    """Read a graph. DataError names what it lacks, or has too much of."""
    reader = _open(path)
    with reading(path, "not a graph of cells"):
        return _nodes(reader, path, names, steps)


def _nodes(reader: Any, path: Path, names: Names, steps: Steps) -> Nodes:
    where = str(path)
    metadata, there = reader.metadata, reader.node_prop_names
    axes = _axes(metadata, there, where)
    own = metadata.extra.get("libcell")
    label = _label_name(metadata, there, names.label, where)
    track = _track_name(metadata, there, names.track, where)
    more = ["field", *(n for n in own["types"] if n in there)] if own else []
    wanted = dict.fromkeys([*(a.name for a in axes.values()), label, track, *more])
    props, ids, edges, score = _arrays(reader, [w for w in wanted if w], path)
    values = {n: props[a.name] for n, a in axes.items()}
    for name, (_, missing) in values.items():
        if missing is not None and missing.any():
            raise DataError(f"{where}: {missing.sum()} nodes have no {axes[name].name}")
    t = frames(values["t"][0].astype(np.float64), axes["t"], steps, where)
    places = {n: pixels(v.astype(np.float64), axes[n], n, steps, where)
              for n, (v, _) in values.items() if n != "t"}
    return Nodes(where, ids, t, places, _whole(props, label, where), _whole(props, track, where),
                 _by_place(edges, ids, t, metadata.directed, where), score, own,
                 {n: props[n] for n in more}, assumed(axes, steps))


def _open(path: Path) -> Any:
    """The library's reader; it warns of units that it does not know, which is our business."""
    from geff import GeffReader

    with reading(path, "not a readable geff graph"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, node in zarr.open_group(str(path), mode="r").members(max_depth=None):
            if isinstance(node, zarr.Array):
                _require_there(node, f"{path}/{name}")
        return GeffReader(path)


def _require_there(array: zarr.Array, where: str) -> None:
    """DataError for an array that is gigabytes of nothing: it would be read as a whole."""
    codecs.require_moderate(array, where)
    if array.nbytes > LARGE and array.nbytes > DENSEST * array.nbytes_stored():
        raise DataError(f"{where}: is of {array.nbytes} bytes, which cannot be in its "
                        f"{array.nbytes_stored()}")


def _arrays(reader: Any, wanted: list[str], path: Path) -> Any:
    """Properties by name, node ids, edges, and the edges' score."""
    with reading(path, "cannot be decoded"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader.read_node_props(wanted)
        reader.read_edge_props([n for n in reader.edge_prop_names if n == "score"])
        found = reader.build()
        props = {n: (p["values"], p["missing"]) for n, p in found["node_props"].items()}
        edges = np.asarray(found["edge_ids"]).reshape(-1, 2)
        score = np.full(len(edges), np.nan)
        if "score" in found["edge_props"]:
            given = found["edge_props"]["score"]
            score = given["values"].astype(np.float64)
            score[given["missing"] if given["missing"] is not None else slice(0)] = np.nan
        return props, np.asarray(found["node_ids"]), edges, score


# -- names -------------------------------------------------------------------------------------


def _axes(metadata: Any, there: list[str], where: str) -> dict[str, Any]:
    """The axes t, y, x and, in a volume, z, by their types and names, else by their order."""
    from geff_spec import Axis

    listed = metadata.axes or [Axis(name=n) for n in (*TIME_NAMES, *"zyx") if n in there]
    times = [a for a in listed if a.type == "time"] or [
        a for a in listed if a.name.lower() in TIME_NAMES and a.type is None]
    space = [a for a in listed if a.type == "space"] or [
        a for a in listed if a.name.lower()[-1:] in "zyx" and a.type is None and a not in times]
    if len(times) != 1 or len(space) not in (2, 3):
        raise DataError(f"{where}: needs one axis of time and two or three of space; it has "
                        f"{', '.join(a.name for a in listed) or 'none'}")
    names = [a.name.lower()[-1] for a in space]
    wanted = ["z", "y", "x"][-len(space) :]
    if sorted(names) != sorted(wanted):
        names = wanted
    return {"t": times[0], **dict(zip(names, space))}


def _label_name(metadata: Any, there: list[str], wanted: str | None, where: str) -> str | None:
    if wanted is not None:
        return _require(wanted, there, where)
    related = [r.node_prop for r in metadata.related_objects or [] if r.type == "labels"]
    return next((n for n in (*related, *LABEL_NAMES) if n in there), None)


def _track_name(metadata: Any, there: list[str], wanted: str | None, where: str) -> str | None:
    if wanted == EDGES:
        return None
    if wanted is not None:
        return _require(wanted, there, where)
    stated = (metadata.track_node_props or {}).get("tracklet")
    return next((n for n in (stated, "track_id") if n in there), None)


def _require(name: str, there: list[str], where: str) -> str:
    if name not in there:
        raise DataError(f"{where}: nodes have no property {name!r}; they have "
                        f"{', '.join(sorted(there))}")
    return name


# -- values ------------------------------------------------------------------------------------


def _whole(props: dict[str, Any], name: str | None, where: str) -> np.ndarray | None:
    """A property of whole numbers from 1, int64; None where nothing is named."""
    if name is None:
        return None
    values, missing = props[name]
    bad = missing is not None and missing.any()
    if bad or values.dtype.kind not in "uif" or (values % 1 != 0).any() or (values < 1).any():
        raise DataError(f"{where}: {name} is not a whole number from 1 on in every node")
    return values.astype(np.int64)


def _by_place(
    edges: np.ndarray, ids: np.ndarray, t: np.ndarray, directed: bool, where: str
) -> np.ndarray:
    """Edges of node ids as edges of places in `ids`, from earlier to later."""
    order = np.argsort(ids)
    at = np.searchsorted(ids[order], edges).clip(max=max(len(ids) - 1, 0))
    if edges.size and (not ids.size or (ids[order][at] != edges).any()):
        raise DataError(f"{where}: edges name nodes that are not there")
    made = order[at].astype(np.int64).reshape(-1, 2)
    if not directed:
        back = t[made[:, 0]] > t[made[:, 1]]
        made[back] = made[back][:, ::-1]
    wrong = np.flatnonzero(t[made[:, 0]] >= t[made[:, 1]])
    if wrong.size:
        a, b = made[wrong[0]]
        raise DataError(f"{where}: node {ids[a]} of frame {t[a]} leads to node {ids[b]} of frame "
                        f"{t[b]} ({wrong.size} such edges); edges go forward in time")
    return made
