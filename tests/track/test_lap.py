"""cell-track lap: the real colony, simulated films, points, gaps, divisions, bad input."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from hand_made import call, files_of, write_images, write_labels

from libcell.simulate import simulate_timelapse


def lap(folder, *args, given="n.labels.ome.zarr", out="t.tracks", code=0):
    return call("track", "lap", folder / given, "-o", folder / out, *args, code=code)


def rows(folder, out="t.tracks"):
    return pq.read_table(folder / out / "tracks.parquet").to_pylist()


def figures(folder, truth, found="t.tracks", *args):
    return call("track", "score", folder / found, folder / truth, *args).records[-1]


def by_frame(folder, out="t.tracks"):
    """Track ids by frame, in order of x."""
    found = {}
    for row in sorted(rows(folder, out), key=lambda r: r["x"]):
        found.setdefault(row["Metadata_T"], []).append(row["track_id"])
    return found


def squares(*frames, shape=(60, 90)):
    """Label images (T,1,Y,X): frames are lists of (y, x, height, width); labels mean nothing."""
    made = np.zeros((len(frames), 1, *shape), np.uint32)
    for t, boxes in enumerate(frames):
        names = np.random.default_rng(t).permutation(90)[: len(boxes)] + 1
        for name, (y, x, h, w) in zip(names, boxes):
            made[t, 0, y : y + h, x : x + w] = name
    return made


def write(folder, frames, **more):
    return write_labels(folder / "n.labels.ome.zarr", {"": {"cells": frames}}, **more)


WALK = [(10, 10, 8, 8), (40, 50, 8, 8)]


def test_a_division_is_one_hypothesis(tmp_path):
    before, after = [(10, 10, 8, 24), WALK[1]], [(10, 8, 8, 12), (10, 22, 8, 12), WALK[1]]
    write(tmp_path, squares(before, before, after, after))
    done = lap(tmp_path)
    assert done.records[-1]["divisions"] == 1
    found = by_frame(tmp_path)
    mother = found[1][0]
    daughters = {r["track_id"] for r in rows(tmp_path) if r["parent_track_id"] == mother}
    assert daughters == set(found[2][:2]) == set(found[3][:2])
    flagged = [(r["Metadata_T"], r["track_id"]) for r in rows(tmp_path) if r["division"]]
    assert flagged == [(1, mother)]
    assert all(0 < r["score"] <= 1 for r in rows(tmp_path) if r["score"] is not None)


def test_a_gap_is_closed_unless_forbidden(tmp_path):
    write(tmp_path, squares(WALK, WALK, WALK[1:], WALK))
    lap(tmp_path)
    found = by_frame(tmp_path)
    assert found[3] == found[0]
    lap(tmp_path, "--max-gap", 0, out="u.tracks")
    assert by_frame(tmp_path, "u.tracks")[3][0] not in by_frame(tmp_path, "u.tracks")[0]


@pytest.mark.parametrize("empty", [[0], [1], [1, 2], [0, 1, 2, 3]])
def test_frames_without_objects(tmp_path, empty):
    write(tmp_path, squares(*([] if t in empty else WALK for t in range(4))))
    lap(tmp_path)
    found = by_frame(tmp_path)
    assert set(found) == set(range(4)) - set(empty)
    if empty == [1]:
        assert found[0] == found[2] == found[3]
    if empty == [1, 2]:
        assert not set(found[0]) & set(found[3])


def test_one_frame(tmp_path):
    write(tmp_path, squares(WALK))
    assert lap(tmp_path).records[-1]["tracks"] == 2


def test_the_stage_jumps(tmp_path):
    """All objects move by more than their distance to each other: the drift says who is who."""
    here = [(10, 10, 8, 8), (12, 30, 14, 6), (40, 12, 6, 16), (38, 40, 8, 8)]
    there = [(y + 4, x + 24, h, w) for y, x, h, w in here]
    write(tmp_path, squares(here, here, there, there))
    lap(tmp_path)
    found = by_frame(tmp_path)
    assert found[3] == found[2] and sorted(found[2]) == sorted(found[0])
    place = {(r["Metadata_T"], r["track_id"]): r["x"] for r in rows(tmp_path)}
    assert all(place[2, k] - place[0, k] == pytest.approx(24) for k in found[0])


def test_planes_that_are_far_apart(tmp_path):
    """Two objects above each other, ten px apart by the pixel size, change places in y."""
    frames = np.zeros((2, 4, 60, 90), np.uint32)
    frames[0, 0, 10:18, 10:18], frames[0, 3, 14:22, 10:18] = 1, 2
    frames[1, 0, 14:22, 10:18], frames[1, 3, 10:18, 10:18] = 1, 2
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"cells": frames}},
                 pixel_size_um=(3.0, 0.5, 0.5))
    lap(tmp_path)
    track = {(r["Metadata_T"], r["z"]): r["track_id"] for r in rows(tmp_path)}
    assert track[0, 0.0] == track[1, 0.0] and track[0, 3.0] == track[1, 3.0]


def test_brightness_tells_apart_what_shape_does_not(tmp_path):
    """Two equal neighbours change places; only the image knows."""
    places = [(20, x, 8, 8) for x in (20, 28)]
    labels = squares(places, places)
    images = np.zeros((2, 1, *labels.shape[1:]), np.uint16)
    for t in (0, 1):
        for k, (y, x, h, w) in enumerate(places):
            images[t, 0, 0, y : y + h, x : x + w] = 300 if k == t else 100
    write(tmp_path, labels)
    write_images(tmp_path / "i.ome.zarr", {"": images})
    lap(tmp_path, "--motion", "none")
    assert by_frame(tmp_path)[0] == by_frame(tmp_path)[1]
    lap(tmp_path, "--motion", "none", "--images", tmp_path / "i.ome.zarr", out="u.tracks")
    first, second = by_frame(tmp_path, "u.tracks").values()
    assert first == second[::-1]


def test_workers_leave_no_trace(tmp_path):
    film = squares(WALK, WALK, WALK)
    write_labels(tmp_path / "n.labels.ome.zarr", {g: {"cells": film} for g in "ab"})
    for out, workers in (("one", 1), ("two", 2)):
        lap(tmp_path, "-j", workers, out=f"{out}/t.tracks")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_the_simulators_film(tmp_path):
    film = simulate_timelapse(5, shape=(220, 220), n_cells=6, frames=12)
    write(tmp_path, film.nuclei[:, None])
    done = lap(tmp_path)
    assert abs(done.records[-1]["divisions"] - len(film.divisions["t"])) <= 1
    names = ("t", "label", "track_id")
    true = {(t, k): n for t, k, n in zip(*(film.tracks[c].tolist() for c in names))}
    ours = {}
    for row in rows(tmp_path):
        ours.setdefault(row["track_id"], []).append(true[row["Metadata_T"], row["Metadata_Label"]])
    assert sum(len(set(n)) == 1 for n in ours.values()) >= 0.95 * len(ours)


TOUCH = [(10, 10, 8, 10), (10, 22, 8, 8), (40, 50, 8, 8)]  # two that a segmenter may take for one
ONE = [(10, 10, 8, 20), (40, 50, 8, 8)]


def test_two_that_merge_and_come_apart(tmp_path):
    """Without --merge the second is born anew; with it both go on, one over a gap."""
    write(tmp_path, squares(TOUCH, TOUCH, ONE, TOUCH, TOUCH))
    plain = lap(tmp_path, out="u.tracks").records[-1]
    done = lap(tmp_path, "--merge", 3).records[-1]
    assert plain["divisions"] == 1 and "merges" not in plain
    assert (done["divisions"], done["merges"], done["tracks"]) == (0, 1, 3)
    assert done["objective"] < plain["objective"]
    found = by_frame(tmp_path)
    assert found[4] == found[0] and len(found[2]) == 2
    assert not any(r["division"] or r["parent_track_id"] for r in rows(tmp_path))


def test_the_programme_finds_nothing_better(tmp_path):
    film = simulate_timelapse(2, shape=(160, 160), n_cells=8, frames=8)
    write(tmp_path, film.nuclei[:, None])
    for more in ((), ("--merge", 4)):
        fast, slow = (lap(tmp_path, "--solver", s, "--window", w, *more, "--force").records[-1]
                      for s, w in (("packing", 6), ("programme", 0)))
        assert fast["objective"] == pytest.approx(slow["objective"], abs=0.01)


# -- the real colony ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def colony(shared, tmp_path_factory):
    """The colony as a bundle whose labels are shuffled in every frame, and its true tracks."""
    source = shared("bacteria_trpL")
    folder = tmp_path_factory.mktemp("colony")
    call("extract", "ctc", source, "--sequence", "01", "-o", folder / "b")
    files = sorted((source / "01_GT" / "TRA").glob("*.tif"))
    frames = np.stack([tifffile.imread(f) for f in files]).astype(np.uint32)
    rng = np.random.default_rng(0)
    for frame in frames:
        table = np.zeros(int(frame.max()) + 1, np.uint32)
        ids = np.unique(frame[frame > 0])
        table[ids] = rng.choice(np.arange(1, 3 * ids.size + 1), ids.size, replace=False)
        frame[:] = table[frame]
    write_labels(folder / "n.labels.ome.zarr", {"01": {"cells": frames[:, None]}})
    return folder


def test_the_real_colony(colony):
    done = lap(colony)
    assert done.records[-1]["n"] == 1018
    masks = ("--labels", colony / "n.labels.ome.zarr",
             "--truth-labels", colony / "b" / "labels.ome.zarr")
    found = figures(colony, "b/true.tracks", "t.tracks", *masks)
    assert found["DET"] == found["SEG"] == 1
    assert found["LNK"] > 0.99 and found["division_f1"] > 0.98
    assert found["complete_tracks"] > 0.98


def test_labels_mean_nothing(colony):
    lap(colony, out="s.tracks")
    lap(colony, given="b/labels.ome.zarr", out="p.tracks")
    shuffled, plain = (
        {(r["Metadata_T"], r["y"], r["x"]): r["track_id"] for r in rows(colony, n)}
        for n in ("s.tracks", "p.tracks"))
    assert shuffled == plain


def test_the_windows_cost_nothing_more_there(colony):
    whole = lap(colony, "--window", 0, out="w.tracks").records[-1]["objective"]
    parts = lap(colony, "--window", 6, out="v.tracks").records[-1]["objective"]
    exact = lap(colony, "--window", 0, "--solver", "programme", out="x.tracks").records[-1]
    assert whole == pytest.approx(exact["objective"], abs=0.01)
    assert whole <= parts <= 1.001 * whole


# -- points ------------------------------------------------------------------------------


def walkers(folder, n=60, frames=8, seed=0, name="p.csv", drop=()):
    """Points that wander, 30 px apart at first; rows in no order."""
    rng = np.random.default_rng(seed)
    place = 30.0 * np.stack(np.divmod(np.arange(n), 8), axis=1) + rng.uniform(-3, 3, (n, 2))
    made = []
    for t in range(frames):
        made += [(t, *p, k) for k, p in enumerate(place.tolist()) if t not in drop]
        place = place + rng.normal(0, 2, place.shape)
    rng.shuffle(made)
    lines = [f"{int(t)},{y:.3f},{x:.3f},{int(k)}" for t, y, x, k in made]
    (folder / name).write_text("\n".join(["t,y,x,walker", *lines]) + "\n")
    return {(int(t), round(y, 3), round(x, 3)): int(k) for t, y, x, k in made}


@pytest.mark.parametrize("drop", [(), (3,)])
def test_points(tmp_path, drop):
    true = walkers(tmp_path, drop=drop)
    lap(tmp_path, given="p.csv")
    found = {}
    for r in rows(tmp_path):
        walker = true[r["Metadata_T"], round(r["y"], 3), round(r["x"], 3)]
        found.setdefault(r["track_id"], []).append(walker)
    assert all(len(set(f)) == 1 for f in found.values())
    assert len(found) == 60
    assert rows(tmp_path)[0]["object_id"] == "p:t0:points:1"


@pytest.mark.parametrize(("text", "words"), [
    ("t,y,x,label\n0,1,1,5\n0,2,2,5\n", "label 5 is 2 times in frame 0"),
    ("t,y\n0,1\n", "needs columns t, y, x"),
    ("t,y,x\n0.5,1,1\n", "whole numbers"),
    ("t,y,x\n0,1,\n", "no number in row 0"),
    ("t,y,x\n0,1,here\n", "does not hold numbers"),
    ("t,y,x,label\n0,1,1,0\n", "numbers from 1"),
])
def test_bad_points(tmp_path, text, words):
    (tmp_path / "p.csv").write_text(text)
    assert words in lap(tmp_path, given="p.csv", code=65).said
    assert not (tmp_path / "t.tracks").exists()


def test_no_points(tmp_path):
    (tmp_path / "p.csv").write_text("t,y,x\n")
    assert lap(tmp_path, given="p.csv").records[-1]["n"] == 0
    mark = json.loads((tmp_path / "t.tracks" / "zarr.json").read_text())["attributes"]
    assert mark["n_tracks"] == 0
