"""cell-extract geff: graphs of ours come back as they were, others by their metadata."""

import json

import numpy as np
import pyarrow as pa
import pytest
from geff.core_io import write_arrays
from geff_spec import Axis, GeffMetadata, RelatedObject
from hand_made import PROVENANCE, call, files_of
from hand_tracks import ROWS, links

from libcell.data import tracks
from libcell.schema.validate import validate

IDS = [10, 11, 20, 30, 31, 40, 50]  # 10 goes on as 20, which divides; 11 is away for a frame
EDGES = [(10, 20), (20, 30), (20, 31), (11, 40), (30, 50)]
TIMES = [0, 0, 1, 2, 2, 3, 3]
PIXEL = ("pixel",) * 2


def write_graph(path, edges=EDGES, times=TIMES, ids=IDS, *, names=("t", "y", "x"), axes=None,
                zarr_format=2, directed=True, metadata=None, **props):
    """A graph as another program writes it; the node at place i lies at y = i, x = 2 i."""
    values = [np.array(times), np.arange(len(ids)) * 1.0, np.arange(len(ids)) * 2.0]
    nodes = {n: {"values": v, "missing": None} for n, v in zip(names, values)}
    nodes |= {n: {"values": np.array(v), "missing": None} for n, v in props.items()}
    if axes is None:
        axes = [Axis(name=n, type=k) for n, k in zip(names, ("time", "space", "space"))]
    about = GeffMetadata(directed=directed, axes=axes, node_props_metadata={},
                         edge_props_metadata={}, **(metadata or {}))
    write_arrays(path, np.array(ids, np.uint64), nodes,
                 np.array(edges, np.uint64).reshape(-1, 2), {}, about, zarr_format=zarr_format)
    return path


def extract(folder, *args, given="g.geff", out="x.tracks", code=0):
    return call("extract", "geff", folder / given, *args, "-o", folder / out, code=code)


def table(folder, out="x.tracks"):
    return tracks.read(folder / out).replace_schema_metadata(None)


def rows(folder):
    return table(folder).to_pylist()


def root(folder, out="x.tracks"):
    return json.loads((folder / out / "zarr.json").read_text())["attributes"]


# -- graphs of ours ----------------------------------------------------------------------------


@pytest.mark.parametrize("more", [
    {},
    {"z": np.arange(13) / 4},
    {"Metadata_Plate": ["P"] * 13, "Metadata_Dose": [0.5] * 8 + [None] * 5,
     "Metadata_Hand": ["l", "r"] * 6 + [None], "speed": pa.array([*range(12), None], pa.int32()),
     "flag": [True, None] * 6 + [False]},
    {"object_id": [f"cell {i}" for i in range(13)]},
    {"score": [0.5 if i in (2, 3, 4, 5, 7) else None for i in range(13)]},
])
def test_there_and_back(tmp_path, more):
    given = links(**more)
    tracks.write(tmp_path / "g.tracks", given, PROVENANCE)
    done = extract(tmp_path, given="g.tracks/graph.geff")
    assert (done.records[-1]["tracks"], done.records[-1]["divisions"]) == (9, 2)
    assert validate(tmp_path / "x.tracks") == []
    found = table(tmp_path)
    assert set(found.column_names) == set(given.column_names)
    assert found.select(given.column_names).equals(given)
    first, second = root(tmp_path, "g.tracks"), root(tmp_path)
    for name in ("n_tracks", "n_divisions", "images"):
        assert first[name] == second[name]
    graphs = (files_of(tmp_path / s / "graph.geff") for s in ("g.tracks", "x.tracks"))
    if "flag" not in more:  # there the columns stand in another order
        assert next(graphs) == next(graphs)


def test_tracks_by_the_edges_alone(tmp_path):
    """A lone child goes on as its parent; all else is the same but for the numbers."""
    tracks.write(tmp_path / "g.tracks", links(), PROVENANCE)
    extract(tmp_path, "--track-id", "edges", given="g.tracks/graph.geff")
    found = table(tmp_path)
    assert (root(tmp_path)["n_tracks"], root(tmp_path)["n_divisions"]) == (8, 2)
    assert found.column("track_id").to_pylist() == [1, 2, 1, 3, 4, 3, 1, 3, 1, 2, 3, 4, 2]
    assert found.column("parent_track_id").to_pylist() == [0, 0, 0, 2, 2, 2, 0, 2, 0, 1, 1, 1, 1]


def test_the_name_of_a_field_can_be_given(tmp_path):
    tracks.write(tmp_path / "g.tracks", links(ROWS[:8]), PROVENANCE)
    extract(tmp_path, "--image", "B/03/0", given="g.tracks/graph.geff")
    assert rows(tmp_path)[2]["object_id"] == "B/03/0:t1:nuclei:7"
    tracks.write(tmp_path / "two.tracks", links(), PROVENANCE)
    assert "2 fields of view" in extract(tmp_path, "--image", "c", given="two.tracks/graph.geff",
                                         out="y.tracks", code=2).said


def test_no_rows_at_all(tmp_path):
    tracks.write(tmp_path / "g.tracks", links([]), PROVENANCE)
    extract(tmp_path, given="g.tracks/graph.geff")
    assert rows(tmp_path) == [] and validate(tmp_path / "x.tracks") == []


# -- graphs of others --------------------------------------------------------------------------


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_graph_without_ids_of_any_kind(tmp_path, zarr_format):
    write_graph(tmp_path / "g.geff", zarr_format=zarr_format)
    extract(tmp_path)
    found = rows(tmp_path)
    assert [(r["node_id"], r["track_id"], r["parent_track_id"]) for r in found] == [
        (10, 1, 0), (11, 2, 0), (20, 1, 0), (30, 3, 1), (31, 4, 1), (40, 2, 0), (50, 3, 1)]
    assert [r["object_id"] for r in found[2:5]] == ["g:t1:cells:1", "g:t2:cells:1",
                                                    "g:t2:cells:2"]
    assert (found[-1]["y"], found[-1]["x"], found[-1]["score"]) == (6, 12, None)
    assert validate(tmp_path / "x.tracks") == []
    assert (root(tmp_path)["n_tracks"], root(tmp_path)["n_divisions"]) == (4, 1)
    extract(tmp_path, given="x.tracks/graph.geff", out="again.tracks")
    assert table(tmp_path, "again.tracks").equals(table(tmp_path))


@pytest.mark.parametrize(("prop", "args", "metadata"), [
    ("seg_id", (), {}),
    ("value", ("--label", "value"), {}),
    ("value", (), {"related_objects": [RelatedObject(type="labels", path="../s",
                                                     node_prop="value")]}),
])
def test_labels_are_found(tmp_path, prop, args, metadata):
    write_graph(tmp_path / "g.geff", metadata=metadata, **{prop: [5, 6, 5, 7, 8, 9, 7]})
    extract(tmp_path, *args, "--image", "A/01/0", "--compartment", "nuclei")
    assert [r["object_id"] for r in rows(tmp_path)[:3]] == [
        "A/01/0:t0:nuclei:5", "A/01/0:t0:nuclei:6", "A/01/0:t1:nuclei:5"]


def test_tracks_that_the_graph_names(tmp_path):
    write_graph(tmp_path / "g.geff", lineage_id=[1, 2, 1, 1, 1, 2, 1],
                tracklet=[7, 2, 7, 3, 4, 2, 3],
                metadata={"track_node_props": {"tracklet": "tracklet", "lineage": "lineage_id"}})
    extract(tmp_path)
    assert [r["track_id"] for r in rows(tmp_path)] == [7, 2, 7, 3, 4, 2, 3]
    assert [r["parent_track_id"] for r in rows(tmp_path)] == [0, 0, 0, 7, 7, 0, 7]


def test_axes_of_other_names_and_an_undirected_graph(tmp_path):
    names = ("FRAME", "POSITION_Y", "POSITION_X")
    axes = [Axis(name=names[2], type="space"), Axis(name=names[1], type="space"),
            Axis(name=names[0], type="time")]
    write_graph(tmp_path / "g.geff", [e[::-1] for e in EDGES], names=names, axes=axes,
                directed=False)
    extract(tmp_path)
    assert [(r["y"], r["x"]) for r in rows(tmp_path)[:3]] == [(0, 0), (1, 2), (2, 4)]
    assert root(tmp_path)["n_divisions"] == 1


@pytest.mark.parametrize(("unit", "scale", "args", "y"), [
    ("pixel", 0.25, (), 1.0),  # what a pixel is; the values are pixels
    ("micrometer", 0.25, (), 4.0),
    ("micrometer", None, ("--pixel-size", "0.5"), 2.0),
    ("nanometer", 2.0, ("--pixel-size", "0.5"), 0.002),
])
def test_units(tmp_path, unit, scale, args, y):
    axes = [Axis(name="t", type="time"), Axis(name="z", type="space", unit=unit, scale=scale),
            *(Axis(name=n, type="space", unit=unit, scale=scale) for n in "yx")]
    write_graph(tmp_path / "g.geff", axes=axes, z=np.arange(7) * 1.0)
    said = extract(tmp_path, *args).said
    assert ("z by 0.25, y by 0.25, x by 0.25" in said) == (unit != "pixel" and not args)
    found = rows(tmp_path)[1]
    assert (found["y"], found["x"], found["z"]) == (y, 2 * y, y)
    if args:
        extract(tmp_path, *args, "--z-step", "2", out="z.tracks")
        z = table(tmp_path, "z.tracks").column("z").to_pylist()[1]
        assert z == y / 4


def test_times_that_are_no_frame_numbers(tmp_path):
    write_graph(tmp_path / "g.geff", times=[t * 2.5 for t in TIMES])
    assert "time 2.5 is no frame number" in extract(tmp_path, code=65).said
    extract(tmp_path, "--interval", "2.5")
    assert [r["Metadata_T"] for r in rows(tmp_path)] == TIMES


def test_times_in_seconds_are_taken_as_frames_and_that_is_said(tmp_path):
    axes = [Axis(name="t", type="time", unit="second"), *(Axis(name=n, type="space") for n in "yx")]
    write_graph(tmp_path / "g.geff", axes=axes)
    assert "times are in second and are taken as frame" in extract(tmp_path).said
    assert "taken as frame" not in extract(tmp_path, "--interval", "1", "--force").said


def test_several_graphs_are_several_fields(tmp_path):
    write_graph(tmp_path / "a.geff")
    write_graph(tmp_path / "b.geff")
    call("extract", "geff", tmp_path / "*.geff", "-o", tmp_path / "x.tracks")
    assert root(tmp_path)["images"] == ["a", "b"] and root(tmp_path)["n_tracks"] == 8
    done = call("extract", "geff", tmp_path / "a.geff", tmp_path / "a.geff", "-o",
                tmp_path / "y.tracks", code=65)
    assert "both are about a" in done.said


# -- what is refused, in one line --------------------------------------------------------------


@pytest.mark.parametrize(("changed", "args", "code", "said"), [
    ({"edges": [*EDGES, (31, 50)]}, (), 65, "nodes 30 and 31 merge into node 50; a cell has one"),
    ({"edges": [(20, 10)]}, (), 65, "node 20 of frame 1 leads to node 10 of frame 0"),
    ({"edges": [(10, 11)]}, (), 65, "node 10 of frame 0 leads to node 11 of frame 0"),
    ({"track_id": [1, 1, 1, 1, 1, 1, 1]}, (), 65, "two objects in one frame (see --track-id)"),
    ({"track_id": [1, 2, 3, 4, 5, 2, 6], "edges": EDGES[1:]}, (), 0, ""),
    ({"track_id": [1, 2, 1, 3, 4, 2, 3], "edges": EDGES[1:]}, (), 65,
     "nodes 10 and 20 are in one lineage, but no edge joins them"),
    ({"track_id": [1, 0, 1, 3, 4, 2, 3]}, (), 65, "track_id is not a whole number from 1"),
    ({}, ("--label", "nix"), 65, "no property 'nix'; they have t, x, y"),
    ({"axes": [Axis(name="t", type="time"), *(Axis(name=n, type="space", unit="micrometer")
                                              for n in "yx")]}, (), 2, "--pixel-size"),
    ({"axes": [Axis(name="y", type="space"), Axis(name="x", type="space")]}, (), 65,
     "needs one axis of time and two or three of space; it has y, x"),
    ({"times": [-1, 0, 1, 2, 2, 3, 3]}, (), 65, "before frame 0"),
])
def test_graphs_that_are_no_tracks(tmp_path, changed, args, code, said):
    write_graph(tmp_path / "g.geff", **changed)
    done = extract(tmp_path, *args, code=code)
    assert said in done.said and len(done.said.splitlines()) == 1
    assert (tmp_path / "x.tracks").exists() == (code == 0)


def test_what_is_no_graph(tmp_path):
    (tmp_path / "g.geff").mkdir()
    assert "not a readable geff graph" in extract(tmp_path, code=65).said
    (tmp_path / "f.geff").write_text("x")
    assert "not a readable geff graph" in extract(tmp_path, given="f.geff", code=65).said
    write_graph(tmp_path / "cut.geff")
    for file in (tmp_path / "cut.geff" / "nodes" / "props" / "y" / "values").iterdir():
        if not file.name.startswith("."):
            file.write_bytes(b"xx")
    assert "cannot be decoded" in extract(tmp_path, given="cut.geff", code=65).said
