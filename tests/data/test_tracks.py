"""Track stores: the table and the graph say the same, whatever the tracks do."""

import json

import numpy as np
import pyarrow as pa
import pytest
from geff import GeffReader
from hand_made import PROVENANCE, files_of
from hand_tracks import ROWS, links

from libcell.data import tracks
from libcell.errors import DataError
from libcell.schema.validate import validate


def graph_at(path):
    reader = GeffReader(path / "graph.geff")
    reader.read_node_props()
    return reader.build()


def test_counts_and_edges(tmp_path):
    made = tracks.write(tmp_path / "x.tracks", links(), PROVENANCE)
    assert (made.tracks, made.divisions) == (9, 2)
    mark = json.loads((tmp_path / "x.tracks" / "zarr.json").read_text())["attributes"]
    assert (mark["n_tracks"], mark["n_divisions"], mark["images"]) == (9, 2, ["a", "b"])
    assert {tuple(e) for e in made.edges.tolist()} == {
        (0, 2), (1, 3), (1, 4), (3, 5), (5, 7), (2, 6), (8, 9), (8, 10), (8, 11), (9, 12)}
    assert validate(tmp_path / "x.tracks") == []
    assert tracks.read(tmp_path / "x.tracks").equals(links())


@pytest.mark.parametrize("there", ["graph.geff/zarr.json", "graph.geff/nodes", ""])
def test_what_a_run_that_was_cut_off_left_of_a_graph_is_no_hindrance(tmp_path, there):
    whole = tracks.write(tmp_path / "x.tracks", links(), PROVENANCE)
    tracks.write(tmp_path / "y.tracks", links(), PROVENANCE)
    for path in (tmp_path / "y.tracks", tmp_path / "y.tracks" / there):
        if path.is_dir():
            (path / "zarr.json").unlink(missing_ok=True)
        else:
            path.unlink()
    assert tracks.write(tmp_path / "y.tracks", links(), PROVENANCE).tracks == whole.tracks
    assert files_of(tmp_path / "y.tracks") == files_of(tmp_path / "x.tracks")


def test_planes_are_an_axis_of_the_graph(tmp_path):
    z = np.arange(len(ROWS)) / 2
    tracks.write(tmp_path / "x.tracks", links(z=z), PROVENANCE)
    found = graph_at(tmp_path / "x.tracks")
    assert [(a.name, a.type, a.unit) for a in found["metadata"].axes] == [
        ("t", "time", "frame"), ("z", "space", "pixel"), ("y", "space", "pixel"),
        ("x", "space", "pixel")]
    np.testing.assert_array_equal(found["node_props"]["z"]["values"], z)


def test_what_fields_and_nodes_have_beside(tmp_path):
    table = links(Metadata_Dose=[0.5] * 8 + [None] * 5, Metadata_Hand=["l", "r"] * 6 + [None],
                  speed=pa.array([*range(12), None], pa.int32()))
    tracks.write(tmp_path / "x.tracks", table, PROVENANCE)
    found = graph_at(tmp_path / "x.tracks")
    told = found["metadata"].extra["libcell"]
    assert told["fields"] == [
        {"Metadata_Image": "a", "Metadata_Compartment": "nuclei", "Metadata_Dose": 0.5},
        {"Metadata_Image": "b", "Metadata_Compartment": "nuclei", "Metadata_Dose": None}]
    assert told["types"]["speed"] == "int32"
    assert told["words"] == {"Metadata_Hand": ["l", "r"]}
    assert found["node_props"]["Metadata_Hand"]["values"].tolist()[:3] == [0, 1, 0]
    assert found["node_props"]["speed"]["missing"].tolist() == [False] * 12 + [True]
    assert "object_id" not in found["node_props"]


def test_object_ids_of_another_making_are_kept(tmp_path):
    ids = [f"cell {i}" for i in range(len(ROWS))]
    tracks.write(tmp_path / "x.tracks", links(object_id=ids), PROVENANCE)
    found = graph_at(tmp_path / "x.tracks")
    assert found["metadata"].extra["libcell"]["words"] == {"object_id": ids}


@pytest.mark.parametrize(("rows", "said"), [
    ([("a", 0, 1, 1, 0), ("a", 0, 2, 1, 0)], "two objects in one frame"),
    ([("a", 0, 1, 1, 4)], "its parent 4 is not there before"),
    ([("a", 0, 1, 1, 0), ("a", 0, 2, 2, 1)], "its parent 1 is not there before"),
    ([("a", 0, 1, 1, 0), ("b", 1, 2, 2, 1)], "its parent 1 is not there before"),
])
def test_what_is_no_forest(tmp_path, rows, said):
    with pytest.raises(DataError, match=said):
        tracks.write(tmp_path / "x.tracks", links(rows), PROVENANCE)


def test_no_rows_at_all(tmp_path):
    made = tracks.write(tmp_path / "x.tracks", links([]), PROVENANCE)
    assert (made.tracks, made.divisions) == (0, 0)
    assert validate(tmp_path / "x.tracks") == []
    assert len(graph_at(tmp_path / "x.tracks")["node_ids"]) == 0
