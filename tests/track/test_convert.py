"""Tracks to TrackMate's XML, napari's columns and labels by track, and back."""

from xml.etree import ElementTree as Xml

import numpy as np
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import zarr
from hand_made import PROVENANCE, call, write_labels
from hand_tracks import ROWS, links

from libcell.data import tracks

KEYS = ("Metadata_Image", "Metadata_T", "Metadata_Label")


@pytest.fixture
def made(tmp_path):
    """A store of two fields of view: divisions of 2 and of 3, a gap."""
    rows = [r for r in ROWS if r[:3] != ("a", 3, 1)]  # a lone child is its mother going on
    tracks.write(tmp_path / "t.tracks", links(rows), PROVENANCE)
    return tmp_path


def convert(folder, source, out, *args, code=0):
    return call("track", "convert", folder / source, "-o", folder / out, *args, code=code)


def structure(path, image):
    """Links between objects, (t, label) each."""
    table = pq.read_table(path / "tracks.parquet")
    table = table.filter(pc.field("Metadata_Image") == image)
    names = list(zip(table["Metadata_T"].to_pylist(), table["Metadata_Label"].to_pylist()))
    places = dict(zip(names, zip(table["y"].to_pylist(), table["x"].to_pylist())))
    edges = {(names[a], names[b]) for a, b in tracks.graph_of(table).edges.tolist()}
    return edges, places


@pytest.mark.parametrize("suffix", ["xml", "csv"])
@pytest.mark.parametrize("image", ["a", "b"])
def test_there_and_back(made, suffix, image):
    convert(made, "t.tracks", f"t.{suffix}", "--image", image)
    convert(made, f"t.{suffix}", "u.tracks", "--image", image)
    assert structure(made / "u.tracks", image) == structure(made / "t.tracks", image)
    found = pq.read_table(made / "u.tracks" / "tracks.parquet")
    assert found["object_id"][0].as_py().startswith(f"{image}:t0:cells:")


def test_what_trackmate_reads(made):
    convert(made, "t.tracks", "t.xml", "--image", "b")
    root = Xml.parse(made / "t.xml").getroot()
    assert root.tag == "TrackMate" and root.get("version")
    spots = root.findall("Model/AllSpots/SpotsInFrame/Spot")
    assert int(root.find("Model/AllSpots").get("nspots")) == len(spots) == 5
    declared = {f.get("feature") for f in root.findall("Model/FeatureDeclarations//Feature")}
    assert all(set(s.attrib) - {"ID", "name"} <= declared for s in spots)
    shown = [t.get("TRACK_ID") for t in root.findall("Model/FilteredTracks/TrackID")]
    assert shown == [t.get("TRACK_ID") for t in root.findall("Model/AllTracks/Track")] == ["1"]


def test_what_napari_reads(made):
    """Data (N, 1 + D) sorted by track and time, and a graph from track to parents."""
    convert(made, "t.tracks", "t.csv", "--image", "b")
    table = pyarrow.csv.read_csv(made / "t.csv")
    assert table.column_names[:4] == ["track_id", "t", "y", "x"]
    data = np.stack([table[n].to_numpy() for n in table.column_names[:4]], axis=1)
    assert (np.lexsort((data[:, 1], data[:, 0])) == np.arange(len(data))).all()
    pairs = set(zip(table["track_id"].to_pylist(), table["parent_track_id"].to_pylist()))
    assert {k: [p] for k, p in pairs if p} == {2: [1], 3: [1], 4: [1]}


def test_a_field_must_be_named(made):
    assert "--image" in convert(made, "t.tracks", "t.xml", code=65).said
    assert "there are a, b" in convert(made, "t.tracks", "t.xml", "--image", "c", code=65).said


SPOT = '<Spot ID="{0}" FRAME="{1}" POSITION_X="{0}" POSITION_Y="1" POSITION_Z="0"/>'


def xml(path, spots, edges):
    spots = "".join(SPOT.format(*s) for s in spots)
    edges = "".join(f'<Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}"/>' for a, b in edges)
    path.write_text(f"<TrackMate><Model><AllSpots>{spots}</AllSpots><AllTracks><Track>{edges}"
                    "</Track></AllTracks></Model></TrackMate>")


@pytest.mark.parametrize(("spots", "edges", "words"), [
    ([(1, 0), (2, 0), (3, 1)], [(1, 3), (2, 3)], "merge in frame 1"),
    ([(1, 0), (2, 0)], [(1, 2), (2, 1)], "two objects of frame 0"),
    ([(1, "x")], [], "no number for FRAME"),
    ([(1, 0), (2, 1)], [(1, 2), (2, 9)], "spot 9, which is not there"),
    ([(1, 0), (2, 1)], [(1, 2), (2, 1)], "merge in frame 1"),
])
def test_graphs_that_are_no_lineages(tmp_path, spots, edges, words):
    xml(tmp_path / "t.xml", spots, edges)
    assert words in convert(tmp_path, "t.xml", "u.tracks", code=65).said
    assert not (tmp_path / "u.tracks").exists()


def test_edges_point_either_way(tmp_path):
    xml(tmp_path / "t.xml", [(7, 2), (5, 0), (6, 1)], [(6, 5), (6, 7)])
    assert convert(tmp_path, "t.xml", "u.tracks").records[-1]["tracks"] == 1


@pytest.mark.parametrize(("text", "words"), [
    ("track_id,t,y,x\n1,0,1,1\n1,0,2,2\n", "two objects in one frame"),
    ("track_id,t,y,x,parent_track_id\n1,0,1,1,2\n2,0,1,2,1\n", "is not there before"),
    ("track_id,t,y,x,parent_track_id\n1,0,1,1,0\n2,1,1,2,1\n2,2,1,2,0\n", "has 2 parents"),
    ("track_id,t,y\n1,0,1\n", "'x' is missing"),
    ("track_id,t,y,x,parent_track_id\n1,0,1,1,7\n", "t.csv: tracks: track 1 starts"),
    ("track_id,t,y,x\n0,0,1,1\n", "number tracks from 1"),
    ("track_id,t,y,x,label\n1,0,1,1,4\n2,0,2,2,4\n", "label is there twice"),
    ("track_id,t,y,x\n1,0.5,1,1\n", "whole numbers"),
])
def test_bad_columns(tmp_path, text, words):
    (tmp_path / "t.csv").write_text(text)
    assert words in convert(tmp_path, "t.csv", "u.tracks", code=65).said


@pytest.mark.parametrize("content", ["", "<a>", "<a/>"])
def test_other_xml(tmp_path, content):
    (tmp_path / "t.xml").write_text(content)
    assert "t.xml" in convert(tmp_path, "t.xml", "u.tracks", code=65).said


def test_labels_by_track(tmp_path):
    frames = np.zeros((3, 1, 40, 60), np.uint32)
    for t in range(3):
        frames[t, 0, 5:15, 5 + t : 15 + t] = 9 - t
        frames[t, 0, 25:33, 30:44] = 3 + t
    frames[2, 0, 36:39, 2:5] = 77
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"cells": frames}})
    table = links([("image", t, label, track, 0) for t in range(3)
                   for label, track in ((9 - t, 5), (3 + t, 8))])
    tracks.write(tmp_path / "t.tracks", table.drop_columns(["Metadata_Compartment"]), PROVENANCE)
    done = call("track", "relabel", tmp_path / "t.tracks", "--labels",
                tmp_path / "n.labels.ome.zarr", "-o", tmp_path / "r.labels.ome.zarr")
    assert "1 objects have no track" in done.said
    made = zarr.open_array(tmp_path / "r.labels.ome.zarr" / "labels" / "cells" / "0")[:, 0]
    for t in range(3):
        assert (made[t][frames[t] == 9 - t] == 5).all()
        assert (made[t][frames[t] == 3 + t] == 8).all()
    assert (made[2][frames[2] == 77] == 0).all()
    other = links([("image", 0, 50, 1, 0)]).drop_columns(["Metadata_Compartment"])
    tracks.write(tmp_path / "u.tracks", other, PROVENANCE)
    said = call("track", "relabel", tmp_path / "u.tracks", "--labels",
                tmp_path / "n.labels.ome.zarr", "-o", tmp_path / "s.labels.ome.zarr", code=None)
    assert said.code in (65, 75) and "label 50" in said.said
    late = links([("image", 3, 1, 1, 0)]).drop_columns(["Metadata_Compartment"])
    tracks.write(tmp_path / "v.tracks", late, PROVENANCE)
    assert "has 3 frames, the tracks reach frame 3" in call(
        "track", "relabel", tmp_path / "v.tracks", "--labels", tmp_path / "n.labels.ome.zarr",
        "-o", tmp_path / "w.labels.ome.zarr", code=65).said
