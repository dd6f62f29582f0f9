"""cell-extract ctc: Cell Tracking Challenge folders to bundles, and what they must hold."""

import json
import shutil

import challenge_folders as folders
import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from hand_made import call, files_of

from libcell.data import images, labels
from libcell.data.images import Source
from libcell.extract import ctc
from libcell.schema.validate import validate


def extract(folder, *args, code=0):
    return call("extract", "ctc", folder / "in", *args, "-o", folder / "b", code=code)


def rows(folder, store="true.tracks"):
    return pq.read_table(folder / "b" / store / "tracks.parquet").to_pylist()


def root(folder, store="true.tracks"):
    return json.loads((folder / "b" / store / "zarr.json").read_text())["attributes"]


def frame(folder, t, compartment="cells", group=""):
    return labels.read_frame(Source(folder / "b" / "labels.ome.zarr", group), compartment, t)


@pytest.mark.parametrize("deep", [False, True])
def test_a_folder_becomes_a_bundle(tmp_path, deep):
    masks = folders.film(deep)
    folders.write(tmp_path / "in", masks)
    done = extract(tmp_path, "--pixel-size", "0.5", "--z-step", "2")
    assert done.records[-1] == {"schema": "bundle/1", "path": str(tmp_path / "b"), "n": 1,
                                "complete": True, "frames": 6, "tracks": 5, "divisions": 1}
    assert validate(tmp_path / "b") == []
    image = images.open_source(Source(tmp_path / "b" / "image.ome.zarr", ""))
    assert image.about.shape == (6, 1, 3 if deep else 1, 20, 30)
    assert (image.about.dtype, image.about.pixel_size_um) == (np.uint8, (2, 0.5, 0.5))
    given = folders.pictures(masks).reshape(image.about.shape)
    for t in range(6):
        np.testing.assert_array_equal(image.read(t), given[t, 0])
        np.testing.assert_array_equal(frame(tmp_path, t), masks[t].reshape(given[t, 0].shape))
    found = rows(tmp_path)
    assert {(r["track_id"], r["parent_track_id"]) for r in found} == {
        (1, 0), (2, 0), (3, 2), (4, 2), (5, 1)}
    assert all(r["Metadata_Label"] == r["track_id"] for r in found)
    last = found[-1]
    assert (last["object_id"], last["y"], last["x"]) == ("01:t5:cells:5", 3, 8.5)
    assert last.get("z") == (0.5 if deep else None)
    assert root(tmp_path)["n_tracks"] == 5 and root(tmp_path)["n_divisions"] == 1


def test_gaps_are_joined_where_that_is_asked_for(tmp_path):
    folders.write(tmp_path / "in")
    extract(tmp_path, "--gaps", "join")
    found = rows(tmp_path)
    assert [r["Metadata_T"] for r in found if r["track_id"] == 1] == [0, 1, 2, 3, 5]
    assert found[-1]["Metadata_Label"] == 5 and found[-1]["parent_track_id"] == 0
    assert root(tmp_path)["n_tracks"] == 4 and root(tmp_path)["n_divisions"] == 1


# -- other sources, several sequences ----------------------------------------------------------


def test_a_result_beside_the_truth(tmp_path):
    masks = folders.film()
    folders.write(tmp_path / "in", masks)
    swapped = np.where(masks == 1, 9, masks).astype(np.uint16)
    folders.write_frames(tmp_path / "in" / "01_RES", "mask", swapped)
    (tmp_path / "in" / "01_RES" / "res_track.txt").write_text(
        "9 0 3 0\n2 0 1 0\n3 2 3 2\n4 2 5 2\n5 5 5 0\n")
    extract(tmp_path, "--labels", "res")
    assert validate(tmp_path / "b") == []
    np.testing.assert_array_equal(frame(tmp_path, 1)[0], swapped[1])
    np.testing.assert_array_equal(frame(tmp_path, 1, "markers")[0], masks[1])
    assert {r["Metadata_Compartment"] for r in rows(tmp_path)} == {"markers"}
    found = rows(tmp_path, "predicted.tracks")
    assert {r["object_id"] for r in found if r["track_id"] == 9} == {
        f"01:t{t}:cells:9" for t in range(4)}


def test_results_beside_the_truth_are_scored_as_they_are(tmp_path):
    """Other label values, and a division that was missed."""
    masks = folders.film()
    folders.write(tmp_path / "in", masks)
    folders.write_frames(tmp_path / "in" / "01_RES", "mask", np.where(masks, masks + 10, 0))
    (tmp_path / "in" / "01_RES" / "res_track.txt").write_text(
        "11 0 3 0\n12 0 1 0\n13 2 3 0\n14 2 5 12\n15 5 5 0\n")
    extract(tmp_path, "--results")
    assert validate(tmp_path / "b") == []
    assert labels.compartments_at(Source(tmp_path / "b" / "labels.ome.zarr", "")) == [
        "cells", "predicted"]
    assert {r["Metadata_Compartment"] for r in rows(tmp_path)} == {"cells"}
    found = call("track", "score", tmp_path / "b" / "predicted.tracks",
                 tmp_path / "b" / "true.tracks", "--truth-labels",
                 tmp_path / "b" / "labels.ome.zarr").records[-1]
    assert (found["DET"], found["divisions_missed"]) == (1, 1)
    assert (found["AOGM_missed_links"], found["AOGM_false_links"]) == (2, 0)


def test_sparse_planes_of_a_segmentation(tmp_path):
    masks = folders.film(deep=True)
    folders.write(tmp_path / "in", masks)
    seg = tmp_path / "in" / "01_GT" / "SEG"
    folders.write_frames(seg, "man_seg", masks[5:6] * 7, at=[5])
    tifffile.imwrite(seg / "man_seg_002_001.tif", masks[2, 1] * 3)
    extract(tmp_path, "--labels", "seg", "--compartment", "nuclei")
    np.testing.assert_array_equal(frame(tmp_path, 5, "nuclei"), masks[5] * 7)
    third = frame(tmp_path, 2, "nuclei")
    np.testing.assert_array_equal(third[1], masks[2, 1] * 3)
    assert not third[[0, 2]].any() and not frame(tmp_path, 0, "nuclei").any()
    place = tmp_path / "b" / "labels.ome.zarr" / "labels"
    told = [json.loads((place / c / "zarr.json").read_text())["attributes"]["challenge"]
            for c in ("nuclei", "markers")]
    assert told == [{"source": "seg", "first_frame": 0, "annotated": [[2, 1], 5]},
                    {"source": "tra", "first_frame": 0, "annotated": "all"}]
    assert {r["Metadata_Compartment"] for r in rows(tmp_path)} == {"markers"}


def test_several_sequences_and_frames_that_begin_late(tmp_path):
    folders.write(tmp_path / "in")
    folders.write_frames(tmp_path / "in" / "02", "t", folders.pictures(folders.film())[:2],
                         at=[150, 151], digits=4)
    folders.write_frames(tmp_path / "in" / "02_GT" / "TRA", "man_track", folders.film()[:2],
                         at=[150, 151])
    (tmp_path / "in" / "02_GT" / "TRA" / "man_track.txt").write_text("1 150 151 0\n2 150 151 0\n")
    extract(tmp_path)
    assert validate(tmp_path / "b") == []
    found = rows(tmp_path)
    assert {r["Metadata_Image"] for r in found} == {"01", "02"}
    assert {r["Metadata_T"] for r in found if r["Metadata_Image"] == "02"} == {0, 1}
    assert root(tmp_path)["n_tracks"] == 7
    assert frame(tmp_path, 1, group="02").max() == 2


def test_images_alone(tmp_path):
    folders.write_frames(tmp_path / "in" / "01", "t", folders.pictures(folders.film()))
    assert "no masks" in extract(tmp_path).said
    assert [p.name for p in (tmp_path / "b").iterdir()] == ["image.ome.zarr"]
    assert validate(tmp_path / "b") == []


def test_a_frame_without_cells_and_no_track_at_all(tmp_path):
    folders.write(tmp_path / "in", np.zeros((2, 20, 30), np.uint16), "")
    extract(tmp_path)
    assert validate(tmp_path / "b") == []
    assert rows(tmp_path) == [] and root(tmp_path)["n_tracks"] == 0


# -- what is refused, in one line --------------------------------------------------------------


@pytest.mark.parametrize(("text", "said"), [
    ("1 0 3\n", "line 1 is '1 0 3'"),
    ("\n1 0 x 0\n", "line 2"),
    ("1 0 3 0\n1 4 5 0\n", "track 1 stands there twice"),
    ("1 3 0 0\n", "track 1 ends in frame 0, before it begins in 3"),
    ("1 0 9 0\n", "track 1 is of frames 0 to 9, but there are 0 to 5"),
    (folders.ROWS.replace("3 2 3 2", "3 2 3 7"), "track 3 has the parent 7, which is not there"),
    (folders.ROWS.replace("5 5 5 1", "5 5 5 4"), "but its parent 4 is there until 5"),
    ("0 0 1 0\n", "a label is 0"),
    (folders.ROWS + "8 0 3 0\n", "track 8 (frames 0 to 3) is in no mask"),
    (folders.ROWS.replace("2 0 1 0", "2 0 0 0"), "track 2 is in the mask of frame 1, outside"),
    (folders.ROWS.replace("5 5 5 1\n", ""), "label 5 in the mask of frame 5 is not there"),
    (folders.ROWS.replace("1 0 3 0", "1 0 4 0"), "track 1 (frames 0 to 4) is away in frame 4"),
])
def test_a_text_that_is_not_true(tmp_path, text, said):
    folders.write(tmp_path / "in", rows=text)
    done = extract(tmp_path, code=65)
    assert said in done.said and len(done.said.splitlines()) == 1
    assert not (tmp_path / "b").exists()


def test_all_faults_are_named_at_once(tmp_path):
    folders.write(tmp_path / "in", rows="1 0 3 9\n2 4 1 0\n3 2 7 0\n")
    said = extract(tmp_path, code=65).said
    assert all(w in said for w in ("parent 9", "track 2 ends", "frames 2 to 7"))


def test_a_gap_inside_a_track(tmp_path):
    masks = np.where(folders.film() == 5, 1, folders.film()).astype(np.uint16)
    folders.write(tmp_path / "in", masks, folders.ROWS.replace("5 5 5 1\n", "").replace(
        "1 0 3 0", "1 0 5 0"))
    assert "track 1 (frames 0 to 5) is away in frame 4" in extract(tmp_path, code=65).said
    extract(tmp_path, "--gaps", "join", "--force")
    assert [r["Metadata_T"] for r in rows(tmp_path) if r["track_id"] == 1] == [0, 1, 2, 3, 5]


def spoil(folder, how):
    """Break one thing; the code and a word of what is said."""
    track = folder / "01_GT" / "TRA"
    if how == "frame":
        (folder / "01" / "t003.tif").unlink()
        return 66, "frame 3 is missing"
    if how == "mask":
        (track / "man_track005.tif").unlink()
        return 66, "frame 5 is missing"
    if how == "text":
        (track / "man_track.txt").unlink()
        return 66, "man_track.txt: not found"
    if how == "size":
        tifffile.imwrite(track / "man_track002.tif", np.zeros((20, 31), np.uint16))
        return 65, "is 20 x 31, but"
    if how == "image size":
        tifffile.imwrite(folder / "01" / "t002.tif", np.zeros((9, 9), np.uint8))
        return 65, "t002.tif: is 9 x 9 uint8, but"
    if how == "fractions":
        tifffile.imwrite(track / "man_track002.tif", np.zeros((20, 30), np.float32))
        return 65, "labels are whole numbers"
    if how == "beyond":
        tifffile.imwrite(track / "man_track006.tif", np.zeros((20, 30), np.uint16))
        return 65, "is of frame 6"
    if how == "twice":
        shutil.copy(track / "man_track002.tif", track / "man_track0002.tif")
        return 65, "are the same frame"
    if how == "colour":
        tifffile.imwrite(folder / "01" / "t000.tif", np.zeros((20, 30, 3), np.uint8),
                         photometric="rgb")
        return 65, "expected grey"
    (folder / "01" / "t000.tif").write_bytes((folder / "01" / "t000.tif").read_bytes()[:-9])
    return 65, "cut short"


@pytest.mark.parametrize("how", ["frame", "mask", "text", "size", "image size", "fractions",
                                 "beyond", "twice", "colour", "cut"])
def test_files_that_do_not_fit(tmp_path, how):
    folders.write(tmp_path / "in")
    code, said = spoil(tmp_path / "in", how)
    done = extract(tmp_path, code=code)
    assert said in done.said and len(done.said.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["in"], "something was left behind"


@pytest.mark.parametrize(("args", "code", "said"), [
    (("--sequence", "07"), 66, "has no sequence 07; it has 01"),
    (("--labels", "seg"), 66, "01_GT/SEG: holds no masks; there are tra"),
    (("--results",), 66, "01_RES: holds no masks (--results)"),
    (("--z-step", "1"), 2, "--z-step needs --pixel-size"),
    (("--sequence", "01,01"), 2, "twice"),
])
def test_options_that_do_not_fit(tmp_path, args, code, said):
    folders.write(tmp_path / "in")
    assert said in extract(tmp_path, *args, code=code).said


# -- carrying it out ---------------------------------------------------------------------------


def test_workers_leave_no_trace(tmp_path):
    folders.write(tmp_path / "in", folders.film(deep=True))
    for n in (1, 2):
        call("extract", "ctc", tmp_path / "in", "-j", n, "-o", tmp_path / f"b{n}")
    one, two = files_of(tmp_path / "b1"), files_of(tmp_path / "b2")
    assert one == two
    assert str(tmp_path).encode() not in b"".join(one.values())


def test_killed_and_resumed_with_a_mended_frame(tmp_path, monkeypatch):
    masks = folders.film()
    folders.write(tmp_path / "whole" / "in", masks)
    extract(tmp_path / "whole")
    folders.write(tmp_path / "in", masks)
    second = tmp_path / "in" / "01_GT" / "TRA" / "man_track001.tif"
    tifffile.imwrite(second, masks[1] * 0)
    real, seen = ctc.write_frame, []

    class Killed(BaseException):
        pass

    def counting(**args):
        seen.append(args["t"])
        if len(seen) == 4:
            raise Killed
        return real(**args)

    with monkeypatch.context() as patch:
        patch.setattr(ctc, "write_frame", counting)
        with pytest.raises(Killed):
            extract(tmp_path)
        folders.write_frames(second.parent, "man_track", masks[1:2], at=[1])
        extract(tmp_path, "--resume")
    assert seen == [0, 1, 2, 3, 1, 3, 4, 5]
    ours, theirs = files_of(tmp_path / "b"), files_of(tmp_path / "whole" / "b")
    assert ours == theirs


def test_a_frame_that_cannot_be_decoded_is_mended(tmp_path):
    folders.write(tmp_path / "in")
    bad = tmp_path / "in" / "01_GT" / "TRA" / "man_track002.tif"
    whole = bad.read_bytes()
    with tifffile.TiffFile(bad) as file:
        start = file.pages[0].dataoffsets[0]
    bad.write_bytes(whole[:start] + b"\xff" * 8 + whole[start + 8 :])
    said = extract(tmp_path, code=75).said
    assert "man_track002.tif: cannot be decoded" in said and "--resume" in said
    bad.write_bytes(whole)
    extract(tmp_path, "--resume")
    np.testing.assert_array_equal(frame(tmp_path, 2)[0], folders.film()[2])


def test_dry_run(tmp_path):
    folders.write(tmp_path / "in")
    said = extract(tmp_path, "-n").records[-1]
    assert (said["blocks"], said["fields"]) == (6, ["01"])
    assert not (tmp_path / "b").exists()
