"""cell-track lineage: trees, films, pages; with and without pixels, masks and stages."""

import json
import re
import subprocess
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from hand_made import PROVENANCE, call, files_of, write_images, write_labels, write_table
from hand_tracks import links
from PIL import Image

from libcell.data import tracks
from libcell.simulate import simulate_timelapse
from libcell.track.pictures import colours, encode, film, tree


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    """A film with a division: images, labels, tracks and stages."""
    folder = tmp_path_factory.mktemp("movie")
    made = simulate_timelapse(5, shape=(120, 160), n_cells=4, frames=10)
    nuclei = made.nuclei.astype(np.uint32)
    write_labels(folder / "n.labels.ome.zarr", {"": {"nuclei": nuclei[:, None]}})
    write_images(folder / "i.ome.zarr", {"": (nuclei > 0)[:, None, None].astype(np.uint16) * 500})
    call("track", "lap", folder / "n.labels.ome.zarr", "-o", folder / "t.tracks")
    table = tracks.read(folder / "t.tracks")
    ids = table.column("object_id").to_pylist()
    stage = ["mitosis" if d else "interphase" for d in table.column("division").to_pylist()]
    keys = {n: table.column(n) for n in ("Metadata_Image", "Metadata_T", "Metadata_Label",
                                         "Metadata_Compartment")}
    nothing = [None] * len(ids)
    write_table(folder / "p.parquet", "predictions", keys | {
        "object_id": ids, "Metadata_Plate": nothing, "Metadata_Well": nothing,
        "Metadata_Site": nothing, "target": nothing, "predicted": stage,
        "split": ["new"] * len(ids), "p_interphase": [1.0 * (s == "interphase") for s in stage],
        "p_mitosis": [1.0 * (s == "mitosis") for s in stage]})
    return folder


def lineage(folder, *args, out, code=0):
    return call("track", "lineage", folder / "t.tracks", "-o", out, *args, code=code)


def test_everything_at_once(movie, tmp_path):
    done = lineage(movie, "--images", movie / "i.ome.zarr", "--labels",
                   movie / "n.labels.ome.zarr", "--stages", movie / "p.parquet", "--movie", "both",
                   out=tmp_path / "out").records[-1]
    table = tracks.read(movie / "t.tracks")
    assert (done["frames"], done["n"]) == (10, 1)
    assert done["tracks"] == len(set(table.column("track_id").to_pylist()))
    page = (tmp_path / "out" / "lineage.html").read_text()
    assert not re.search(r'(?:src|href)="https?:', re.sub(r"(?s)<script>.*?</script>", "", page))
    assert 'src="film.mp4"' in page and "mitosis" in page
    told = page[page.index("const trees = ") + 14 :]
    drawn = json.JSONDecoder().raw_decode(told)[0]
    objects = sum(len(d["text"]) for t in drawn for d in t["figure"]["data"]
                  if d["mode"] == "markers")
    assert objects == table.num_rows
    trees = sorted((tmp_path / "out" / "trees").glob("*.svg"))
    assert len(trees) == done["trees"] == len(drawn)
    assert Xml.parse(trees[0]).getroot().tag.endswith("svg")
    with Image.open(tmp_path / "out" / "film.gif") as gif:
        assert gif.n_frames == 10


def test_the_mp4_holds_every_frame(movie, tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    lineage(movie, "--images", movie / "i.ome.zarr", "--movie", "mp4", out=tmp_path / "out")
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-i", tmp_path / "out" / "film.mp4", "-f", "rawvideo",
         "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
    frames = np.frombuffer(done.stdout, np.uint8).reshape(10, 480, 640, 3)  # four times as large
    assert frames[0].std() > 10 and (frames[0] != frames[-1]).any()


def test_the_same_bytes_twice(movie, tmp_path):
    for name in "ab":
        lineage(movie, "--labels", movie / "n.labels.ome.zarr", "--movie", "both",
                out=tmp_path / name)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


@pytest.mark.parametrize("given", [(), ("--images", "i.ome.zarr")])
def test_without_masks_there_are_dots(movie, tmp_path, given):
    given = [movie / g if g.endswith("zarr") else g for g in given]
    lineage(movie, *given, "--movie", "gif", "--tail", 0, out=tmp_path / "out")
    with Image.open(tmp_path / "out" / "film.gif") as gif:
        frame = np.asarray(gif.convert("RGB"))
    assert (np.ptp(frame, axis=2) > 30).any()


def test_a_table_without_objects(tmp_path):
    (tmp_path / "p.csv").write_text("t,y,x\n")
    call("track", "lap", tmp_path / "p.csv", "-o", tmp_path / "t.tracks")
    assert lineage(tmp_path, out=tmp_path / "out").records[-1]["trees"] == 0
    assert "no tracks" in (tmp_path / "out" / "lineage.html").read_text()


def test_fields_of_view_have_folders(tmp_path):
    rows = [(i, t, 1, 1, 0) for i in "ab" for t in range(2)]
    tracks.write(tmp_path / "t.tracks", links(rows), PROVENANCE)
    done = lineage(tmp_path, "--movie", "none", out=tmp_path / "out")
    assert done.records[-1]["n"] == 2
    assert sorted(p.parent.name for p in tmp_path.glob("out/*/lineage.html")) == ["a", "b"]


def test_only_the_largest_trees(movie, tmp_path):
    done = lineage(movie, "--trees", 1, "--movie", "none", out=tmp_path / "out")
    assert len(list((tmp_path / "out" / "trees").iterdir())) == 1
    assert "smaller trees are not drawn" in done.said


def test_what_does_not_fit(movie, tmp_path):
    small = np.ones((10, 1, 1, 20, 20), np.uint16)
    write_images(tmp_path / "s.ome.zarr", {"": small})
    said = lineage(movie, "--images", tmp_path / "s.ome.zarr", "--labels",
                   movie / "n.labels.ome.zarr", out=tmp_path / "out", code=65).said
    assert "10 x 120 x 160" in said and "10 x 20 x 20" in said
    write_images(tmp_path / "f.ome.zarr", {"": np.ones((3, 1, 1, 120, 160), np.uint16)})
    assert "reach frame 9" in lineage(movie, "--images", tmp_path / "f.ome.zarr",
                                      out=tmp_path / "out", code=65).said
    assert not (tmp_path / "out").exists()


def test_stages_of_other_objects(movie, tmp_path):
    (tmp_path / "p.csv").write_text("t,y,x\n0,1,1\n1,1,1\n")
    call("track", "lap", tmp_path / "p.csv", "-o", tmp_path / "t.tracks")
    said = lineage(tmp_path, "--stages", movie / "p.parquet", out=tmp_path / "out", code=65).said
    assert "has no object of the tracks" in said


# -- the parts -----------------------------------------------------------------------------


def test_mothers_lie_between_their_daughters():
    rows = [("a", 0, 1, 1, 0), ("a", 1, 1, 2, 1), ("a", 1, 2, 3, 1), ("a", 2, 1, 4, 3),
            ("a", 2, 2, 5, 3), ("a", 0, 2, 6, 0)]
    family, other = tree.families(links(rows))
    places = {b.track: b.place for b in family}
    assert places == {1: 0.75, 2: 0.0, 3: 1.5, 4: 1.0, 5: 2.0}
    assert [b.track for b in other] == [6]
    lines = list(tree.strokes(family, np.zeros(6, np.uint8)))
    forks = [s for s in lines if s.y[0] != s.y[1]]
    assert {s.x[0] for s in forks} == {0.5, 1.5} and len(forks) == 4


def test_a_division_flashes_and_tails_follow():
    """A mother in frame 0 and 1; her daughters from frame 2 on."""
    t, before = np.array([0, 1, 2, 2]), np.array([-1, 0, 1, 1])
    places = np.array([[20, 10], [20, 30], [10, 30], [30, 30]], float)
    scene = film.Scene(t, np.array([1, 1, 1, 2]), places, before, np.array([0, 1, 0, 0], bool),
                       np.full(4, colours.FIRST, np.uint8), (3, 40, 60))
    plain, ring, line = film.frames(scene, (40, 60), 5)
    counts = [(f == colours.WHITE).sum() for f in (plain, ring, line)]
    assert counts[1] > counts[0] + 30 and counts[2] > counts[0] + 30
    assert (ring[20, 12:28] == colours.FIRST).sum() > 10  # the way from frame 0
    assert (plain[20, 14:28] == 0).all()


def test_a_gif_gives_back_what_it_was_given(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 20, 30)).astype(np.uint8)
    palette = colours.palette(stages=False)
    encode.write_gif(tmp_path / "f.gif", iter(frames), palette, 5)
    with Image.open(tmp_path / "f.gif") as gif:
        for k, frame in enumerate(frames):
            gif.seek(k)
            assert (np.asarray(gif.convert("RGB")) == palette[frame]).all()
            assert gif.info["duration"] == 200
