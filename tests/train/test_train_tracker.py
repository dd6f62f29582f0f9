"""cell-train tracker on stores: masks and points alone, the same again, resumed, bad input."""

import csv
import json

import numpy as np
import pytest
from hand_made import call, files_of, write_images, write_labels

from libcell.train.tracking import pairs

SMALL = ("--widths", "8,12", "--size", "32", "--embedding", "4", "--epochs", "2", "--crops", "8",
         "--batch", "2")
FRAMES = 5


def write(folder, planes=1, shape=(48, 64), named=5):
    """Four boxes that walk, one of which divides; `named` tracks of them are annotated."""
    folder.mkdir(exist_ok=True)
    masks = np.zeros((FRAMES, planes, *shape), np.uint32)
    table = []
    for t in range(FRAMES):
        boxes = {1: (6, 6 + t), 2: (30, 8 + 2 * t), 3: (6, 40)}
        boxes |= {4: (30, 44)} if t < 3 else {5: (26, 40), 6: (36, 48)}
        for label, (track, (y, x)) in enumerate(boxes.items(), start=t + 1):
            masks[t, :, y : y + 8, x : x + 8] = label
            if track <= named + 1:
                table.append((t, planes // 2, y + 3.5, x + 3.5, track, 4 if track > 4 else 0))
    noise = np.random.default_rng(0).poisson(20, (FRAMES, 1, planes, *shape))
    write_images(folder / "i.ome.zarr", {"": (noise + 90 * (masks[:, None] > 0)).astype(np.uint16)})
    write_labels(folder / "n.labels.ome.zarr", {"": {"cells": masks}})
    with (folder / "true.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["t", "z", "y", "x", "track_id", "parent_track_id"])
        out.writerows(table)
    return folder


def train(folder, *args, labels=True, tracks="true.csv", out="t.model", code=0):
    given = [folder / "i.ome.zarr", *([folder / "n.labels.ome.zarr"] if labels else [])]
    return call("train", "tracker", *given, "--tracks", folder / tracks, "-o", folder / out,
                *SMALL, *args, code=code)


def card_of(path):
    return json.loads((path / "model.json").read_text())


def test_the_same_seed_the_same_bytes_cut_off_or_not(tmp_path, monkeypatch):
    write(tmp_path)
    held = ("--validation", 0.25)
    done = train(tmp_path, *held, out="a.model")
    assert done.records[-1]["n"] == FRAMES and "links_right" in done.records[-1]
    drawn, draw = [], pairs.draw

    def fails(*args, **more):
        drawn.append(1)
        if len(drawn) == 11:  # within the second epoch
            raise KeyboardInterrupt
        return draw(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(pairs, "draw", fails)
        train(tmp_path, *held, out="b.model", code=130)
    train(tmp_path, *held, "--resume", out="b.model")
    assert files_of(tmp_path / "a.model") == files_of(tmp_path / "b.model")
    other = train(tmp_path, *held, "--seed", 1, out="c.model")
    assert other.records[-1]["loss"] != done.records[-1]["loss"]
    call("track", "embed", tmp_path / "n.labels.ome.zarr", "--images", tmp_path / "i.ome.zarr",
         "--model", tmp_path / "a.model", "-o", tmp_path / "e.tracks")


def test_points_alone(tmp_path):
    """Without masks shapes are not learnt, and what nobody annotated is unknown."""
    write(tmp_path, named=3)
    train(tmp_path, "--share", 0.6, labels=False)
    card = card_of(tmp_path / "t.model")
    assert card["network"]["shaped"] is False
    assert card["split"]["fields"][0]["complete"] is False
    call("track", "embed", tmp_path / "n.labels.ome.zarr", "--images", tmp_path / "i.ome.zarr",
         "--model", tmp_path / "t.model", "-o", tmp_path / "e.tracks")


def test_masks_of_which_some_are_annotated(tmp_path):
    write(tmp_path, named=2)
    train(tmp_path, "--frames", "0:4")
    told = card_of(tmp_path / "t.model")["split"]["fields"][0]
    assert told["complete"] is False and told["frames"] == [0, 4]
    assert told["annotated"] == 3 * 4
    train(tmp_path, "--annotated", "all", out="u.model")
    assert card_of(tmp_path / "u.model")["split"]["fields"][0]["complete"] is True


def test_stacks(tmp_path):
    write(tmp_path, planes=3)
    train(tmp_path, "--depth", 2, "--z-step", 4, "--frames", "1:5")
    assert card_of(tmp_path / "t.model")["network"]["ndim"] == 3
    call("track", "embed", tmp_path / "n.labels.ome.zarr", "--images", tmp_path / "i.ome.zarr",
         "--model", tmp_path / "t.model", "-o", tmp_path / "e.tracks")


def test_bad_input_is_one_line(tmp_path):
    write(tmp_path)
    assert "two or more" in train(tmp_path, "--frames", "4:5", code=2).said
    assert "FIRST:END" in train(tmp_path, "--frames", "4", code=2).said
    assert "multiple" in train(tmp_path, "--size", 33, code=2).said
    train(tmp_path, tracks="none.csv", code=66)
    (tmp_path / "lone.csv").write_text("t,y,x,track_id\n0,9.5,9.5,1\n3,9.5,11.5,2\n")
    done = train(tmp_path, tracks="lone.csv", code=65, out="l.model")
    assert "no cell of these frames" in done.said
    write_images(tmp_path / "i.ome.zarr", {"": np.ones((FRAMES, 1, 1, 48, 60), np.uint8)})
    assert "same field of view" in train(tmp_path, code=65).said
    assert not (tmp_path / "t.model").exists()


@pytest.mark.parametrize("empty", [0, 2])
def test_frames_without_cells(tmp_path, empty):
    write(tmp_path)
    masks = np.zeros((FRAMES, 1, 48, 64), np.uint32)
    for t in set(range(FRAMES)) - {empty}:
        masks[t, 0, 6:14, 6 + t : 14 + t] = 7
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"cells": masks}})
    rows = [(t, 0, 9.5, 9.5 + t, 1, 0) for t in range(FRAMES) if t != empty]
    with (tmp_path / "true.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("t", "z", "y", "x", "track_id", "parent_track_id"), *rows])
    train(tmp_path)
