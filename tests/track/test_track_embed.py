"""cell-track embed: labels and raw images, what it learns beyond places, bad input."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hand_made import call, files_of, write_images, write_labels

from libcell.data import labels as label_store
from libcell.data import models
from libcell.data.images import Source
from libcell.nn.tracker.network import CELL, CENTRE, SIZE, Shape, Tracker
from libcell.track.learned import detect

SMALL = {"widths": (8, 12), "embedding": 4, "hidden": 16}


def save(path, *, channels=1, ndim=2, architecture="pair-unet", shaped=True):
    """A tracker that has learnt nothing yet: it says what places and shapes say."""
    torch.manual_seed(0)
    network = Tracker(Shape(channels=channels, ndim=ndim, shaped=shaped, **SMALL))
    tensors = {k: v.numpy() for k, v in network.state_dict().items()}
    path.mkdir()
    models.save(path, tensors, {
        "provenance": {"command": "a test", "version": "0", "parameters": {}, "inputs": [],
                       "seed": 0, "created": None},
        "architecture": architecture, "classes": ["background", "cells"], "target": "cells",
        "input": {"kind": "images", "channels": ["grey"] * channels, "pmin": 1, "pmax": 99.8,
                  "invert": "never"},
        "network": network.shape.to_card(), "edge_px": 8.0,
        "sure": {"cell": 0.5, "centre": 0.3},
        "training_data": "sha256:" + "0" * 64, "split": {}, "metrics": {}, "seed": 0})
    return path


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    return save(tmp_path_factory.mktemp("models") / "blank.model")


def film(folder, frames, shape=(64, 96), seed=0, bright=None):
    """Boxes (y, x, height, width) of each frame as labels, that mean nothing, and as an image."""
    masks = np.zeros((len(frames), 1, *shape), np.uint32)
    image = np.random.default_rng(seed).poisson(20, (len(frames), 1, 1, *shape)).astype(np.uint16)
    for t, boxes in enumerate(frames):
        names = np.random.default_rng((seed, t)).permutation(90)[: len(boxes)] + 1
        for k, (name, (y, x, h, w)) in enumerate(zip(names, boxes)):
            masks[t, 0, y : y + h, x : x + w] = name
            image[t, 0, 0, y : y + h, x : x + w] += 100 if bright is None else bright[t][k]
    write_labels(folder / "n.labels.ome.zarr", {"": {"cells": masks}})
    write_images(folder / "i.ome.zarr", {"": image})
    return masks


def embed(folder, model, *args, given="n.labels.ome.zarr", out="e.tracks", code=0):
    images = () if given == "i.ome.zarr" else ("--images", folder / "i.ome.zarr")
    return call("track", "embed", folder / given, *images, "--model", model, "-o", folder / out,
                *args, code=code)


def rows(folder, out="e.tracks"):
    return pq.read_table(folder / out / "tracks.parquet").to_pylist()


def by_frame(folder, out="e.tracks"):
    found = {}
    for row in sorted(rows(folder, out), key=lambda r: (r["x"], r["y"])):
        found.setdefault(row["Metadata_T"], []).append(row["track_id"])
    return found


WALK = [(10, 10, 8, 8), (40, 50, 8, 8)]
DIVIDING = ([(10, 10, 8, 24), WALK[1]], [(10, 8, 8, 12), (10, 22, 8, 12), WALK[1]])


def test_untrained_it_links_and_divides_as_lap_does(tmp_path, blank):
    film(tmp_path, [DIVIDING[0], DIVIDING[0], DIVIDING[1], DIVIDING[1]])
    done = embed(tmp_path, blank)
    assert (done.records[-1]["tracks"], done.records[-1]["divisions"]) == (4, 1)
    call("track", "lap", tmp_path / "n.labels.ome.zarr", "-o", tmp_path / "l.tracks")
    said = call("track", "score", tmp_path / "e.tracks", tmp_path / "l.tracks").records[-1]
    assert (said["LNK"], said["division_f1"]) == (1, 1)
    assert all(0 < r["score"] <= 1 for r in rows(tmp_path) if r["score"] is not None)


def test_the_values_of_labels_mean_nothing(tmp_path, blank):
    found = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        film(folder, [*DIVIDING, DIVIDING[1]], seed=seed)
        write_images(folder / "i.ome.zarr", {"": np.ones((3, 1, 1, 64, 96), np.uint8)})
        embed(folder, blank)
        found.append(by_frame(folder))
    assert found[0] == found[1]


def test_a_gap_is_closed_unless_forbidden(tmp_path, blank):
    film(tmp_path, [WALK, WALK, WALK[1:], WALK])
    embed(tmp_path, blank)
    assert by_frame(tmp_path)[3] == by_frame(tmp_path)[0]
    embed(tmp_path, blank, "--max-gap", 0, out="f.tracks")
    found = by_frame(tmp_path, "f.tracks")
    assert found[3][0] not in found[0]


@pytest.mark.parametrize("empty", [[0], [1], [1, 2], [0, 1, 2, 3]])
def test_frames_without_objects(tmp_path, blank, empty):
    film(tmp_path, [[] if t in empty else WALK for t in range(4)])
    embed(tmp_path, blank)
    found = by_frame(tmp_path)
    assert set(found) == set(range(4)) - set(empty)
    if empty == [1]:
        assert found[0] == found[2]


def test_one_frame_and_windows(tmp_path, blank):
    film(tmp_path, [WALK])
    assert embed(tmp_path, blank).records[-1]["tracks"] == 2
    film(tmp_path / "more", [WALK] * 9)
    whole, windows = ("--window", 0), ("--window", 4)
    said = [embed(tmp_path / "more", blank, *w, out=f"{w[1]}.tracks").records[-1]["objective"]
            for w in (whole, windows)]
    assert said[0] == said[1]
    assert by_frame(tmp_path / "more", "0.tracks") == by_frame(tmp_path / "more", "4.tracks")


def test_same_again(tmp_path, blank):
    film(tmp_path, [*DIVIDING, DIVIDING[1]])
    for out in ("a.tracks", "b.tracks"):
        embed(tmp_path, blank, out=out)
    assert files_of(tmp_path / "a.tracks") == files_of(tmp_path / "b.tracks")


def test_stacks_with_planes_far_apart(tmp_path):
    model = save(tmp_path / "deep.model", ndim=3)
    masks = np.zeros((2, 4, 48, 48), np.uint32)
    masks[0, 0, 10:18, 10:18], masks[0, 3, 12:20, 10:18] = 1, 2
    masks[1, 0, 12:20, 10:18], masks[1, 3, 10:18, 10:18] = 1, 2
    more = {"pixel_size_um": (3.0, 0.5, 0.5)}
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"cells": masks}}, **more)
    write_images(tmp_path / "i.ome.zarr", {"": (masks[:, None] > 0).astype(np.uint8)}, **more)
    embed(tmp_path, model)
    track = {(r["Metadata_T"], r["z"]): r["track_id"] for r in rows(tmp_path)}
    assert track[0, 0.0] == track[1, 0.0] and track[0, 3.0] == track[1, 3.0]


def test_bad_input_is_one_line(tmp_path, blank):
    film(tmp_path, [WALK] * 3)
    here = tmp_path
    assert "looks at their images" in call(
        "track", "embed", here / "n.labels.ome.zarr", "--model", blank, "-o", here / "x.tracks",
        code=2).said
    assert "finds the cells" in call(
        "track", "embed", here / "i.ome.zarr", "--images", here / "i.ome.zarr", "--model", blank,
        "-o", here / "x.tracks", code=2).said
    for name, pixels in (("short", np.ones((2, 1, 1, 64, 96), np.uint8)),
                         ("wide", np.ones((3, 1, 1, 64, 90), np.uint8)),
                         ("deep", np.ones((3, 1, 2, 64, 96), np.uint8))):
        write_images(here / f"{name}.ome.zarr", {"": pixels})
        done = call("track", "embed", here / "n.labels.ome.zarr", "--images",
                    here / f"{name}.ome.zarr", "--model", blank, "-o", here / "x.tracks", code=65)
        assert "plane" in done.said if name == "deep" else "same field of view" in done.said
    two = save(here / "two.model", channels=2)
    assert "wants 2" in embed(here, two, "-c", "1", code=65, out="x.tracks").said
    other = save(here / "other.model", architecture="folded-unet")
    assert "cell-train tracker makes it" in embed(here, other, code=65, out="x.tracks").said
    embed(here, here / "none.model", code=66, out="x.tracks")
    assert not (here / "x.tracks").exists()


# -- what is learnt --------------------------------------------------------------------------

FIELD, CELLS, FRAMES = (96, 96), 9, 8


def shuffled(folder, seed):
    """A bright and a dark cell in every pair change places at random: places say nothing, the
    image all. Tracks as a table of points."""
    rng = np.random.default_rng(seed)
    corners = [(y, x) for y in (10, 42, 74) for x in (8, 40, 72)]
    boxes, bright, table = [], [], []
    for t in range(FRAMES):
        boxes.append([])
        bright.append([])
        for k, (y, x) in enumerate(corners):
            y, x = y + int(rng.integers(-2, 3)), x + int(rng.integers(-2, 3))
            turned = bool(rng.integers(2))
            for which in (0, 1):
                box = (y, x + 9 * (which ^ turned), 8, 8)
                boxes[-1].append(box)
                bright[-1].append(160 if which else 60)
                table.append((t, box[0] + 3.5, box[1] + 3.5, 2 * k + which + 1, 0))
    folder.mkdir()
    film(folder, boxes, FIELD, seed, bright)
    with (folder / "image.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["t", "y", "x", "track_id", "parent_track_id"])
        out.writerows(table)
    call("track", "convert", folder / "image.csv", "-o", folder / "true.tracks")
    return folder


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """Two such films, and a tracker trained on the first."""
    work = tmp_path_factory.mktemp("learnt")
    one, two = shuffled(work / "one", 0), shuffled(work / "two", 1)
    call("train", "tracker", one / "i.ome.zarr", one / "n.labels.ome.zarr", "--tracks",
         one / "image.csv", "-o", work / "t.model", "--widths", "12,24,32", "--size", 64,
         "--epochs", 6, "--crops", 64, "--skip", 1, "--scale", 1.1, "--lr", 6e-3)
    return two, work / "t.model"


def links_right(folder, out):
    """Part of the links to the frame before that join cells of one brightness."""
    said = call("track", "score", folder / out, folder / "true.tracks", "--max-distance", 3)
    return said.records[-1]["link_f1"]


def test_it_learns_what_places_do_not_say(learnt):
    folder, model = learnt
    call("track", "lap", folder / "n.labels.ome.zarr", "-o", folder / "l.tracks")
    embed(folder, model)
    assert links_right(folder, "l.tracks") < 0.8
    assert links_right(folder, "e.tracks") > 0.92


def test_raw_images(learnt):
    """Cells are found, written as labels of the tracks, and linked."""
    folder, model = learnt
    done = embed(folder, model, given="i.ome.zarr", out="raw.tracks")
    assert done.records[-1]["n"] > CELLS * FRAMES / 2
    store = folder / "raw.tracks" / "labels.ome.zarr"
    assert label_store.fields(store) == ([""], ["cells"])
    for t in (0, FRAMES - 1):
        masks = label_store.read_frame(Source(store, ""), "cells", t)
        listed = {r["Metadata_Label"] for r in rows(folder, "raw.tracks") if r["Metadata_T"] == t}
        assert listed == set(np.unique(masks)[1:].tolist())
    call("track", "relabel", folder / "raw.tracks", "--labels", store, "-o",
         folder / "r.labels.ome.zarr")


def test_peaks_become_cells(blank):
    """Two rods that touch, each a peak of its own; what is too small is nothing."""
    network = Tracker(Shape(**SMALL)).eval()
    maps = torch.full((network.shape.outputs, 32, 32), -6.0)
    maps[SIZE] = 1.0
    maps[CELL, 8:12, 4:28] = 6.0
    for x in (9, 22):
        maps[CENTRE, 9:11, x - 1 : x + 2] = torch.tensor([0.0, 6.0, 0.0])
    maps[CELL, 30, 30] = maps[CENTRE, 30, 30] = 6.0
    found = detect.labels(network, maps, 0, (1, 63, 64), (0.5, 0.3), 12.0)
    assert found.shape == (1, 63, 64) and found.max() == 2
    one, two = (np.argwhere(found[0] == k)[:, 1] for k in (found[0, 20, 18], found[0, 20, 44]))
    assert one.max() < two.min() and (found[0] > 0).sum() == pytest.approx(8 * 48, rel=0.15)


def test_a_chain_of_peaks_does_not_join_two_cells():
    pairs = np.array([[0, 1], [1, 2], [2, 3], [0, 2], [1, 3]])
    assert len(set(detect.joined(4, pairs, np.array([3.0, 1, 3, -4, -4])).tolist())) == 2
    assert len(set(detect.joined(4, pairs, np.array([3.0, 1, 3, -1, 2])).tolist())) == 1


def test_the_card_says_what_was_learnt(learnt):
    card = json.loads((learnt[1] / "model.json").read_text())
    assert card["split"]["fields"][0]["complete"] is True
    assert card["network"]["shaped"] is True and card["edge_px"] == pytest.approx(8)
    assert card["metrics"]["validation"]["links_right"] > 0.8
