"""cell-crop sequences: one cell in time order, as the tracks say, gaps and mothers marked."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
from hand_made import PROVENANCE, call, files_of, write_images, write_labels
from hand_tracks import links

from libcell.crop.kernels.following import follow
from libcell.data import crops, tables, tracks
from libcell.schema.validate import validate

# (image, t, label, track, parent): a division of track 2 in frame 2; track 1 misses frame 1
TRACKS = [("a", 0, 9, 1, 0), ("a", 2, 4, 1, 0), ("a", 0, 2, 2, 0), ("a", 1, 1, 2, 0),
          ("a", 2, 1, 3, 2), ("a", 2, 2, 4, 2), ("a", 3, 6, 3, 2)]
PLACES = {9: (0, 12), 4: (22, 30), 2: (30, 40), 1: (31, 42), 6: (40, 8)}


@pytest.fixture
def film(tmp_path):
    """A bundle of four frames: every label of TRACKS is a square of 6 px at its own place."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 60000, (4, 2, 1, 52, 60)).astype(np.uint16)
    labels = np.zeros((4, 1, 52, 60), np.uint32)
    for _, t, label, *_ in TRACKS:
        y, x = PLACES[label]
        x += 9 * (label == 2 and t == 2)
        labels[t, 0, y : y + 6, x : x + 6] = label
    labels[1, 0, 2:5, 2:5] = 33  # in no track
    write_images(tmp_path / "image.ome.zarr", {"a": pixels}, ("DNA", "GFP"))
    write_labels(tmp_path / "labels.ome.zarr", {"a": {"nuclei": labels}})
    tracks.write(tmp_path / "true.tracks", links(TRACKS), PROVENANCE)
    return tmp_path, pixels, labels[:, 0]


def crop(folder, *args, out="s.crops.zarr", code=0):
    return call("crop", "sequences", folder / "true.tracks", "-o", folder / out, "--size", 10,
                *args, code=code)


def rows(folder, out="s.crops.zarr"):
    store = crops.open_crops(folder / out)
    return store, store.index().to_pylist(), store.sequences().to_pylist()


def test_crops_lie_in_the_order_of_the_tracks(film):
    folder, pixels, labels = film
    made = crop(folder)
    assert made.records[-1]["n"] == 7 and made.records[-1]["sequences"] == 4
    assert validate(folder / "s.crops.zarr") == []
    store, index, listed = rows(folder)
    assert [(r["Metadata_Track"], r["Metadata_T"], r["Metadata_Label"]) for r in index] == [
        (1, 0, 9), (1, 2, 4), (2, 0, 2), (2, 1, 1), (3, 2, 1), (3, 3, 6), (4, 2, 2)]
    got, masks = store.read(slice(0, 7))
    for one, crop_, mask in zip(index, got, masks):
        y, x = (int(np.floor(one[n] + 0.5)) - 5 + 10 for n in "yx")
        t = one["Metadata_T"]
        wide = np.pad(pixels[t, :, 0], [(0, 0), (10, 10), (10, 10)])
        np.testing.assert_array_equal(crop_, wide[:, y : y + 10, x : x + 10])
        inside = np.pad(labels[t] == one["Metadata_Label"], 10)[y : y + 10, x : x + 10]
        np.testing.assert_array_equal(mask, inside)
    ids = [r["object_id"] for r in index]
    assert [(r["sequence_id"], r["Metadata_T"], r["position"], r["gap"], r["track_id"],
             r["parent_sequence_id"]) for r in listed] == [
        ("a:1", 0, 0, False, 1, None), ("a:1", 1, 1, True, None, None),
        ("a:1", 2, 2, False, 1, None), ("a:2", 0, 0, False, 2, None),
        ("a:2", 1, 1, False, 2, None), ("a:3", 2, 0, False, 3, "a:2"),
        ("a:3", 3, 1, False, 3, "a:2"), ("a:4", 2, 0, False, 4, "a:2")]
    assert [r["object_id"] for r in listed] == [ids[0], None, *ids[1:4], *ids[4:7]]


def test_mothers_come_before(film):
    """A daughter's sequence begins in its mother; the mother's crops are there once."""
    folder, *_ = film
    crop(folder, "--before", 1, "--min-length", 2)
    _, index, listed = rows(folder)
    assert [(r["Metadata_Track"], r["Metadata_T"]) for r in index] == [
        (1, 0), (1, 2), (2, 0), (2, 1), (3, 2), (3, 3)]
    third = [r for r in listed if r["sequence_id"] == "a:3"]
    assert [(r["track_id"], r["Metadata_T"], r["position"]) for r in third] == [
        (2, 1, 0), (3, 2, 1), (3, 3, 2)]


def test_short_and_cut_sequences_are_left_out(film):
    folder, *_ = film
    crop(folder, "--skip-border")
    assert {r["sequence_id"] for r in rows(folder)[2]} == {"a:2", "a:3", "a:4"}
    made = crop(folder, "--min-length", 9, out="none.crops.zarr")
    assert made.records[-1]["n"] == 0 and made.records[-1]["sequences"] == 0
    assert validate(folder / "none.crops.zarr") == []


def test_labels_and_images_by_name(film, tmp_path):
    folder, *_ = film
    crop(folder, "-j", 2)
    (folder / "elsewhere").mkdir()
    for name in ("labels.ome.zarr", "image.ome.zarr"):
        (folder / name).rename(folder / "elsewhere" / name)
    said = crop(folder, out="b.crops.zarr", code=66).said
    assert "no labels.ome.zarr beside it; name it with --labels" in said
    crop(folder, "--labels", folder / "elsewhere" / "labels.ome.zarr",
         "--images", folder / "elsewhere" / "image.ome.zarr", out="c.crops.zarr")
    assert files_of(folder / "s.crops.zarr") == files_of(folder / "c.crops.zarr")


def test_tracks_of_other_labels(film):
    folder, *_ = film
    for name, made in (("more", [*TRACKS, ("a", 3, 77, 9, 0)]), ("other", [("zz", 0, 1, 1, 0)])):
        tracks.write(folder / f"{name}.tracks", links(made), PROVENANCE)
    said = call("crop", "sequences", folder / "more.tracks", "-o", folder / "a.crops.zarr",
                code=65).said
    assert "1 objects of the tracks are not in the labels, e.g. label 77 in frame 3" in said
    said = call("crop", "sequences", folder / "other.tracks", "-o", folder / "b.crops.zarr",
                code=65).said
    assert "has no field of view 'zz', which the tracks are of; it has a" in said
    both = (folder / "true.tracks", folder / "more.tracks", "--labels", folder / "labels.ome.zarr",
            "--images", folder / "image.ome.zarr")
    assert "both track field of view a" in call("crop", "sequences", *both, "-o",
                                                folder / "c.crops.zarr", code=65).said


def test_gaps_and_ancestors_by_hand():
    """Grandmother 1 (frames 0, 1), mother 2 (frame 3; a gap before), daughter 5 (frames 4, 6)."""
    t, track = np.array([6, 0, 1, 3, 4]), np.array([5, 1, 1, 2, 5])
    parent = np.array([2, 0, 0, 1, 2])
    found = follow(t, track, parent, before=2)
    last = found.owner == 5
    assert found.t[last].tolist() == [1, 2, 3, 4, 5, 6]
    assert found.row[last].tolist() == [2, -1, 3, 4, -1, 0]
    assert found.position[last].tolist() == [0, 1, 2, 3, 4, 5]
    assert follow(t, track, parent, least=2).owner.tolist() == [1, 1, 5, 5, 5]
    assert all(len(v) == 0 for v in follow(t[:0], track[:0], parent[:0]))


def test_real_bacteria(shared, tmp_path):
    """Frames of a real micro-colony: each crop holds its own cell, in its own frame."""
    import shutil

    source = shared("bacteria_trpL")
    for name in ("01", "01_GT/TRA"):
        (tmp_path / "ctc" / name).mkdir(parents=True)
        for file in sorted((source / name).glob("*.tif"))[:6]:
            shutil.copy(file, tmp_path / "ctc" / name)
    lines = (source / "01_GT" / "TRA" / "man_track.txt").read_text().splitlines()
    kept = [list(map(int, line.split())) for line in lines if int(line.split()[1]) < 6]
    text = "\n".join(f"{i} {a} {min(b, 5)} {p}" for i, a, b, p in kept)
    (tmp_path / "ctc" / "01_GT" / "TRA" / "man_track.txt").write_text(text + "\n")
    call("extract", "ctc", tmp_path / "ctc", "--sequence", "01", "-o", tmp_path / "b")
    made = call("crop", "sequences", tmp_path / "b" / "true.tracks", "--size", 48,
                "-o", tmp_path / "s.crops.zarr")
    table = tracks.read(tmp_path / "b" / "true.tracks")
    assert made.records[-1]["n"] == table.num_rows > 0
    assert made.records[-1]["sequences"] == len(kept)
    store, index, listed = rows(tmp_path)
    assert not any(r["gap"] for r in listed)
    assert [r["object_id"] for r in listed] == [r["object_id"] for r in index]
    masks = store.read(slice(0, store.n))[1]
    for one, mask in zip(index, masks):
        assert 0 < mask.sum() <= one["area_px"]
        if max(one["y1"] - one["y0"], one["x1"] - one["x0"]) < 20:
            assert mask.sum() == one["area_px"]


def test_columns_of_tracks_and_of_a_table_come_along(film):
    """A class that the tracks carry, and a stage by object_id; null where the table has no row."""
    folder, *_ = film
    made = links(TRACKS)
    made = made.append_column("Metadata_Class", pa.array([f"c{r[3]}" for r in TRACKS]))
    shutil.rmtree(folder / "true.tracks")
    tracks.write(folder / "true.tracks", made, PROVENANCE)
    crop(folder)
    _, index, _ = rows(folder)
    assert [r["Metadata_Class"] for r in index] == [f"c{r['Metadata_Track']}" for r in index]
    listed = crops.open_crops(folder / "s.crops.zarr").index().slice(0, 3)
    listed = listed.append_column("Metadata_Stage", pa.array(["x", "y", "z"]))
    tables.write_parts(folder / "o.parquet", [listed], listed.schema, "objects", PROVENANCE)
    crop(folder, "--table", folder / "o.parquet", out="t.crops.zarr")
    assert validate(folder / "t.crops.zarr") == []
    assert [r["Metadata_Stage"] for r in rows(folder, "t.crops.zarr")[1]] == [
        "x", "y", "z", None, None, None, None]
