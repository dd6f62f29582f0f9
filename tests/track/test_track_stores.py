"""cell-track overlap on stores: the table, the graph, empty frames, several fields, real films."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from geff import GeffReader
from hand_made import call, files_of, write_labels

from libcell.data import tracks as stores
from libcell.simulate import simulate_timelapse
from libcell.track import overlap
from libcell.track.kernels import score
from libcell.track.kernels.tracks import Tracks


def film(frames=4, shape=(40, 60)):
    """Two squares that walk right, one of which divides; labels mean nothing from frame to frame.

    uint32 (T,1,Y,X).
    """
    made = np.zeros((frames, 1, *shape), np.uint32)
    for t in range(frames):
        made[t, 0, 4:12, 4 + 2 * t : 12 + 2 * t] = 50 - 7 * t
        if t < 2:
            made[t, 0, 24:36, 20:32] = 3 + 900 * t
        else:
            made[t, 0, 24:30, 20:32], made[t, 0, 30:36, 20:32] = 8 + t, 2 + t
    return made


def track(folder, *args, labels=("n.labels.ome.zarr",), out="t.tracks", code=0):
    return call("track", "overlap", *(folder / n for n in labels), "-o", folder / out, *args,
                code=code)


def rows(folder, out="t.tracks"):
    return pq.read_table(folder / out / "tracks.parquet").to_pylist()


def test_links_and_a_division(tmp_path):
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": film()}})
    done = track(tmp_path)
    assert done.records[-1]["divisions"] == 1 and done.records[-1]["n"] == 10
    found = rows(tmp_path)
    by_label = {(r["Metadata_T"], r["Metadata_Label"]): r for r in found}
    walker = {by_label[t, 50 - 7 * t]["track_id"] for t in range(4)}
    assert len(walker) == 1
    mother = by_label[1, 903]["track_id"]
    assert by_label[0, 3]["track_id"] == mother != walker.pop()
    daughters = [by_label[2, n] for n in (10, 4)]
    assert {d["parent_track_id"] for d in daughters} == {mother}
    assert daughters[0]["track_id"] != daughters[1]["track_id"]
    assert by_label[0, 3]["score"] is None and 0 < by_label[1, 903]["score"] <= 1
    assert by_label[1, 903]["object_id"] == "image:t1:nuclei:903"
    assert (by_label[1, 903]["y"], by_label[1, 903]["x"]) == (29.5, 25.5)


def test_the_graph_is_the_table(tmp_path):
    write_labels(tmp_path / "n.labels.ome.zarr", {"a": {"nuclei": film()}, "b": {"nuclei": film()}})
    track(tmp_path)
    reader = GeffReader(tmp_path / "t.tracks" / "graph.geff")
    reader.read_node_props()
    graph = reader.build()
    found = rows(tmp_path)
    props = {k: v["values"] for k, v in graph["node_props"].items()}
    np.testing.assert_array_equal(props["label"], [r["Metadata_Label"] for r in found])
    np.testing.assert_array_equal(props["track_id"], [r["track_id"] for r in found])
    for a, b in graph["edge_ids"]:
        one, two = found[a], found[b]
        assert one["Metadata_Image"] == two["Metadata_Image"]
        assert one["Metadata_T"] < two["Metadata_T"]
        assert one["track_id"] in (two["track_id"], two["parent_track_id"])
    assert len(graph["edge_ids"]) == 2 * (3 + 1 + 2 + 2)


def test_fields_are_numbered_apart_and_do_not_meet(tmp_path):
    write_labels(tmp_path / "a.labels.ome.zarr", {"a": {"nuclei": film()}})
    write_labels(tmp_path / "b.labels.ome.zarr", {"b": {"nuclei": film(3)}})
    track(tmp_path, labels=("b.labels.ome.zarr", "a.labels.ome.zarr"))
    images = [r["Metadata_Image"] for r in rows(tmp_path)]
    assert images == ["b"] * 7 + ["a"] * 10
    mark = json.loads((tmp_path / "t.tracks" / "zarr.json").read_text())["attributes"]
    assert mark["n_tracks"] == 8 and mark["n_divisions"] == 2 and mark["images"] == ["b", "a"]
    track(tmp_path, labels=("a.labels.ome.zarr",), out="a.tracks")
    alone = [{k: r[k] for k in ("track_id", "parent_track_id")} for r in rows(tmp_path, "a.tracks")]
    both = [{k: r[k] for k in ("track_id", "parent_track_id")} for r in rows(tmp_path)[7:]]
    assert alone == both


@pytest.mark.parametrize("empty", [[0], [1], [3], [0, 1, 2, 3]])
def test_frames_without_objects(tmp_path, empty):
    frames = film()
    frames[empty] = 0
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": frames}})
    track(tmp_path)
    found = rows(tmp_path)
    assert {r["Metadata_T"] for r in found} == set(range(4)) - set(empty)
    assert stores.read(tmp_path / "t.tracks").num_rows == len(found)
    if empty == [1]:  # nothing is linked across the gap
        assert not {r["track_id"] for r in found if r["Metadata_T"] == 0} & {
            r["track_id"] for r in found if r["Metadata_T"] > 1}
    if len(empty) == 4:
        reader = GeffReader(tmp_path / "t.tracks" / "graph.geff")
        assert len(reader.build()["node_ids"]) == 0


def test_one_frame_and_another_compartment(tmp_path):
    write_labels(tmp_path / "n.labels.ome.zarr",
                 {"": {"nuclei": np.zeros_like(film(1)), "cells": film(1)}})
    track(tmp_path, "--compartment", "cells")
    found = rows(tmp_path)
    assert len(found) == 2 and {r["Metadata_Compartment"] for r in found} == {"cells"}
    assert "no compartment 'x'" in track(tmp_path, "--compartment", "x", out="x.tracks",
                                         code=65).said


def test_planes(tmp_path):
    deep = np.repeat(film(), 3, axis=1)
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": deep}})
    assert track(tmp_path).records[-1]["n"] == 10


def test_columns_ride_along_and_the_workers_leave_no_trace(tmp_path):
    more = {"metadata": {"Metadata_Plate": "P", "Metadata_Well": "A01", "Metadata_Site": "1",
                         "Metadata_Dose": 0.5}}
    write_labels(tmp_path / "n.labels.ome.zarr",
                 {"A/01/1": {"nuclei": film()}, "A/01/2": {"nuclei": film()}}, **more)
    for out, workers in (("one", 1), ("two", 2)):
        track(tmp_path, "-j", workers, out=f"{out}/t.tracks")
    one, two = (files_of(tmp_path / n) for n in ("one", "two"))
    assert one == two
    assert {r["Metadata_Dose"] for r in rows(tmp_path, "one/t.tracks")} == {0.5}
    assert str(tmp_path).encode() not in b"".join(one.values())


def test_killed_and_resumed(tmp_path, monkeypatch):
    write_labels(tmp_path / "n.labels.ome.zarr", {g: {"nuclei": film()} for g in "abc"})
    track(tmp_path, out="whole/t.tracks")
    real, seen = overlap.track_field, []

    class Killed(BaseException):
        pass

    def dying(**args):
        seen.append(1)
        if len(seen) == 3:
            raise Killed
        return real(**args)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(overlap, "track_field", dying)
        track(tmp_path)
    track(tmp_path, "--resume")
    assert files_of(tmp_path / "t.tracks") == files_of(tmp_path / "whole" / "t.tracks")


def as_tracks(table):
    names = ("Metadata_T", "Metadata_Label", "track_id", "parent_track_id")
    return Tracks(*(np.array([r[n] for r in table], np.int64) for n in names))


def links_kept(truth, folder, frames):
    """LNK of the Cell Tracking Challenge."""
    matches = score.match_nodes(frames, frames)
    return score.score(truth, as_tracks(rows(folder)), matches).challenge.lnk


def test_the_simulators_film(tmp_path):
    film = simulate_timelapse(5, shape=(220, 220), n_cells=6, frames=12)
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": film.nuclei[:, None]}})
    done = track(tmp_path)
    truth = Tracks(*(film.tracks[n].astype(np.int64) for n in
                     ("t", "label", "track_id", "parent_track_id")))
    assert links_kept(truth, tmp_path, film.nuclei) > 0.95
    assert abs(done.records[-1]["divisions"] - len(film.divisions["t"])) <= 1


def test_the_real_colony(shared, tmp_path):
    folder = shared("bacteria_trpL") / "01_GT" / "TRA"
    frames = np.stack([tifffile.imread(p) for p in sorted(folder.glob("*.tif"))])
    assert len(frames) == 41
    truth = np.loadtxt(next(folder.glob("*track.txt")), dtype=np.int64)
    rng = np.random.default_rng(0)
    given = np.zeros(frames.shape, np.uint32)
    place = []
    for t, frame in enumerate(frames):  # labels that mean nothing, or copying them would do
        ids = np.unique(frame[frame > 0])
        fresh = np.zeros(int(frame.max()) + 1, np.uint32)
        fresh[ids] = rng.permutation(np.arange(1, len(ids) + 1))
        given[t] = fresh[frame]
        place += [(t, int(fresh[i]), int(i)) for i in ids]
    parents = dict(zip(truth[:, 0].tolist(), truth[:, 3].tolist()))
    known = Tracks(*(np.array(c, np.int64) for c in zip(
        *((t, label, track, parents[track]) for t, label, track in place))))
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": given[:, None]}})
    track(tmp_path)
    assert links_kept(known, tmp_path, given) >= 0.93
