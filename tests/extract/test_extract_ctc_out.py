"""cell-extract to-ctc: what comes out is what went in, and what is written of other tracks."""

import challenge_folders as folders
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
from hand_made import PROVENANCE, call, files_of, write_images, write_labels
from traccuracy.loaders import load_ctc_data

from libcell.data import objects, tables, tracks
from libcell.schema.validate import validate
from libcell.simulate import simulate_timelapse


def write_out(folder, *args, store="b", out="out", code=0):
    return call("extract", "to-ctc", folder / store, *args, "-o", folder / out, code=code)


def same(one, two, name="01"):
    """Pixels, dtype and rows of two folders."""
    for below in (name, f"{name}_GT/TRA"):
        a, b = folders.frames_of(one / below), folders.frames_of(two / below)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    text = f"{name}_GT/TRA/man_track.txt"
    assert folders.rows_of(one / text) == folders.rows_of(two / text)


# -- there and back ----------------------------------------------------------------------------


@pytest.mark.parametrize("deep", [False, True])
def test_a_folder_comes_back(tmp_path, deep):
    folders.write(tmp_path / "in", folders.film(deep))
    call("extract", "ctc", tmp_path / "in", "-o", tmp_path / "b")
    done = write_out(tmp_path)
    assert done.records == [{"schema": "files", "path": str(tmp_path / "out"), "n": 1,
                             "complete": True, "frames": 6, "tracks": 5}]
    same(tmp_path / "in", tmp_path / "out")
    with tifffile.TiffFile(tmp_path / "out" / "01_GT" / "TRA" / "man_track000.tif") as file:
        assert file.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert file.series[0].axes == ("ZYX" if deep else "YX")


def test_joined_gaps_are_taken_apart_again(tmp_path):
    """The label after the gap is a new one, beyond all ids; here it is the same by chance."""
    folders.write(tmp_path / "in")
    call("extract", "ctc", tmp_path / "in", "--gaps", "join", "-o", tmp_path / "b")
    write_out(tmp_path)
    same(tmp_path / "in", tmp_path / "out")


def test_the_real_colony_comes_back(shared, tmp_path):
    given = shared("bacteria_trpL")
    done = call("extract", "ctc", given, "--sequence", "01", "-o", tmp_path / "b")
    assert done.records[-1]["tracks"] == 226 and done.records[-1]["divisions"] == 112
    assert validate(tmp_path / "b") == []
    write_out(tmp_path)
    same(given, tmp_path / "out")


def test_several_sequences_come_back(tmp_path):
    folders.write(tmp_path / "in")
    folders.write(tmp_path / "in", folders.film() * 2, name="03",
                  rows="2 0 3 0\n4 0 1 0\n6 2 3 4\n8 2 5 4\n10 5 5 2\n")
    call("extract", "ctc", tmp_path / "in", "-o", tmp_path / "b")
    assert write_out(tmp_path).said.count("\n") == 1
    for name in ("01", "03"):
        same(tmp_path / "in", tmp_path / "out", name)


def simulated(folder, frames=14, planes=3):
    """A simulated film made deep, labels fresh in every frame, track 1 away for two frames."""
    film = simulate_timelapse(5, shape=(150, 150), n_cells=5, frames=frames)
    deep = np.repeat(film.nuclei[:, None], planes, axis=1)
    deep[:, 0] = 0
    table = {n: v.astype(np.int64) for n, v in film.tracks.items() if n != "stage"}
    first = table["track_id"] == 1
    away = first & np.isin(table["t"], [3, 4])
    assert away.sum() == 2
    for t, label in zip(table["t"][away], table["label"][away]):
        deep[t][deep[t] == label] = 0
    table = {n: v[~away] for n, v in table.items()}
    write_labels(folder / "n.labels.ome.zarr", {"": {"nuclei": deep}})
    keys = {"Metadata_Plate": None, "Metadata_Well": None, "Metadata_Site": None,
            "Metadata_Image": "image"}
    parts = []
    for t in range(frames):
        here = table["t"] == t
        parts.append(tables.from_columns("links", objects.key_columns(
            keys, t, "nuclei", table["label"][here]) | {
                "score": [None] * int(here.sum()),
                **{n: table[n][here] for n in ("track_id", "parent_track_id", "y", "x")}}))
    graph = tracks.write(folder / "x.tracks", pa.concat_tables(parts), PROVENANCE)
    return deep, table, graph


def test_a_simulated_film_with_planes_divisions_and_a_gap(tmp_path):
    deep, table, graph = simulated(tmp_path)
    assert graph.divisions >= 1
    write_out(tmp_path, "--labels", tmp_path / "n.labels.ome.zarr", store="x.tracks")
    masks = folders.frames_of(tmp_path / "out" / "01_GT" / "TRA")
    assert masks.dtype == np.uint16 and not (tmp_path / "out" / "01").exists()
    np.testing.assert_array_equal(masks > 0, deep > 0)
    beyond = int(table["track_id"].max()) + 1
    for t, label, track in zip(table["t"], table["label"], table["track_id"]):
        value = beyond if track == 1 and t > 4 else track
        assert (masks[t][deep[t] == label] == value).all()
    rows = folders.rows_of(tmp_path / "out" / "01_GT" / "TRA" / "man_track.txt")
    ends = max(t for t, track in zip(table["t"], table["track_id"]) if track == 1)
    assert (1, 0, 2, 0) in rows and (beyond, 5, ends, 1) in rows
    assert len(rows) == graph.tracks + 1
    judged = load_ctc_data(str(tmp_path / "out" / "01_GT" / "TRA"))  # checks what the format asks
    assert (judged.graph.number_of_nodes(), judged.graph.number_of_edges()) == (
        len(table["t"]), len(graph.edges))
    back(tmp_path, deep, table, graph)


def back(folder, deep, table, graph):
    """Read again, the gap joined, the tracks are what they were."""
    folders.write_frames(folder / "out" / "01", "t", (deep > 0).astype(np.uint8))
    call("extract", "ctc", folder / "out", "--gaps", "join", "-o", folder / "b")
    found = pq.read_table(folder / "b" / "true.tracks" / "tracks.parquet").to_pylist()
    assert {(r["Metadata_T"], r["track_id"], r["parent_track_id"]) for r in found} == {
        *zip(*(table[n].tolist() for n in ("t", "track_id", "parent_track_id")))}
    again = tracks.graph_of(tracks.read(folder / "b" / "true.tracks"))
    assert (again.tracks, again.divisions) == (graph.tracks, graph.divisions)


# -- results, images, what is left out ---------------------------------------------------------


def tracked(folder, frames=4):
    """Two fields of view that cell-track tracked, with images of two channels."""
    rng = np.random.default_rng(1)
    film = folders.film()[:frames, None].astype(np.uint32)
    fields = {"A/01/0": {"nuclei": film}, "A/02/0": {"nuclei": film}}
    write_labels(folder / "n.labels.ome.zarr", fields)
    pixels = {g: rng.integers(0, 999, (frames, 2, 1, 20, 30)).astype(np.uint16) for g in fields}
    write_images(folder / "p.ome.zarr", pixels, channels=("DNA", "GFP"))
    call("track", "overlap", folder / "n.labels.ome.zarr", "-o", folder / "x.tracks")
    return pixels


def test_a_result_with_images(tmp_path):
    pixels = tracked(tmp_path)
    args = ("--labels", tmp_path / "n.labels.ome.zarr", "--images", tmp_path / "p.ome.zarr",
            "-c", "GFP", "--as", "res")
    done = write_out(tmp_path, *args, store="x.tracks")
    assert "fields of view are numbered: 01 A/01/0, 02 A/02/0" in done.said
    for name, group in (("01", "A/01/0"), ("02", "A/02/0")):
        np.testing.assert_array_equal(folders.frames_of(tmp_path / "out" / name),
                                      pixels[group][:, 1, 0])
        masks = folders.frames_of(tmp_path / "out" / f"{name}_RES")
        np.testing.assert_array_equal(masks > 0, folders.film()[:4] > 0)
        rows = folders.rows_of(tmp_path / "out" / f"{name}_RES" / "res_track.txt")
        assert {(b, e) for _, b, e, _ in rows} == {(0, 3), (0, 1), (2, 3)}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["01", "01_RES", "02", "02_RES"]
    write_out(tmp_path, *args, "-j", "2", store="x.tracks", out="two")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "two")


def test_objects_in_no_track_are_left_out_and_told_of(tmp_path):
    folders.write(tmp_path / "in")
    call("extract", "ctc", tmp_path / "in", "-o", tmp_path / "b")
    store = tmp_path / "b" / "true.tracks"
    table = tracks.read(store)
    kept = table.filter(np.asarray(table.column("track_id")) != 4)
    tracks.write(tmp_path / "x.tracks", kept, PROVENANCE)
    done = write_out(tmp_path, "--labels", tmp_path / "b" / "labels.ome.zarr", store="x.tracks")
    assert "4 of 13 objects are left out: 4 in no track" in done.said
    masks = folders.frames_of(tmp_path / "out" / "01_GT" / "TRA")
    np.testing.assert_array_equal(masks, np.where(folders.film() == 4, 0, folders.film()))
    left = tables.read(tmp_path / "out" / "omissions.parquet", "omissions").to_pylist()
    assert left == [{"source": "labels.ome.zarr", "item": f"01:t{t}:cells:4",
                     "Metadata_Image": "01", "reason": "in no track"} for t in (2, 3, 4, 5)]


def test_a_label_beyond_what_masks_hold(tmp_path):
    folders.write(tmp_path / "in", np.where(folders.film() == 4, 65_535, folders.film()).astype(
        np.uint16), folders.ROWS.replace("4 2 5 2", "65535 2 5 2"))
    call("extract", "ctc", tmp_path / "in", "-o", tmp_path / "b")
    write_out(tmp_path)
    same(tmp_path / "in", tmp_path / "out")
    call("extract", "ctc", tmp_path / "in", "--gaps", "join", "-o", tmp_path / "joined")
    done = write_out(tmp_path, store="joined", out="o", code=65)
    assert "track 65536 is beyond 65535" in done.said and not (tmp_path / "o").exists()


def test_stores_that_do_not_belong_together(tmp_path):
    tracked(tmp_path)
    given = ("--labels", tmp_path / "n.labels.ome.zarr")
    assert "(--labels)" in write_out(tmp_path, store="x.tracks", code=2).said
    write_labels(tmp_path / "one.labels.ome.zarr", {"A/01/0": {
        "nuclei": folders.film()[:4, None].astype(np.uint32)}})
    said = write_out(tmp_path, "--labels", tmp_path / "one.labels.ome.zarr", store="x.tracks",
                     code=65).said
    assert "is about A/02/0, which" in said
    write_labels(tmp_path / "other.labels.ome.zarr", {g: {
        "nuclei": np.ones((4, 1, 20, 30), np.uint32)} for g in ("A/01/0", "A/02/0")})
    said = write_out(tmp_path, "--labels", tmp_path / "other.labels.ome.zarr", store="x.tracks",
                     code=65).said
    assert "A/01/0: frame 0 has no label 2, which is in track 2 (and 5 more such)" in said
    said = write_out(tmp_path, *given, "--images", tmp_path / "p.ome.zarr", "-c", "x", "--force",
                     store="x.tracks", code=65).said
    assert "channel 'x' not found" in said and said.count("\n") == 1
    assert "expected a bundle" in write_out(tmp_path, store="p.ome.zarr", code=66).said
