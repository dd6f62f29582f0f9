"""cell-track trackastra: its network behind our door. The tests of the network itself are skipped
by name where trackastra is not installed."""

from importlib.util import find_spec

import numpy as np
import pyarrow.parquet as pq
import pytest
from hand_made import call, write_images, write_labels

from libcell.simulate import simulate_timelapse
from libcell.track.associated import film
from libcell.track.associated.film import Choice, Pairs

HERE = find_spec("trackastra") is not None
needs = pytest.mark.skipif(not HERE, reason="trackastra is not installed (libcell[trackastra])")


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    """A film, its pixels, and a network that was never trained."""
    folder = tmp_path_factory.mktemp("movie")
    made = simulate_timelapse(5, shape=(150, 150), n_cells=5, frames=7)
    nuclei = made.nuclei.astype(np.uint32)
    write_labels(folder / "n.labels.ome.zarr", {"": {"nuclei": nuclei[:, None]}})
    rng = np.random.default_rng(0)
    pixels = (200 * (nuclei > 0) + rng.integers(0, 60, nuclei.shape)).astype(np.uint16)
    write_images(folder / "i.ome.zarr", {"": pixels[:, None, None]})
    if HERE:
        network(folder / "model")
    return folder, nuclei, pixels


def network(folder, **more):
    """Associations by the logistic function: untrained, about half of them are above 0.5."""
    import torch
    import yaml
    from trackastra.model.model import TrackingTransformer

    torch.manual_seed(3)  # of the first few, the one whose associations lie on both sides of 0.5
    model = TrackingTransformer(**({
        "coord_dim": 2, "feat_dim": 7, "d_model": 32, "nhead": 2, "num_encoder_layers": 1,
        "num_decoder_layers": 1, "window": 4, "spatial_pos_cutoff": 64, "causal_norm": "none",
        "pos_embed_per_dim": 8} | more))
    folder.mkdir()
    torch.save(model.state_dict(), folder / "model.pt")
    (folder / "config.yaml").write_text(yaml.safe_dump(model.config))
    (folder / "train_config.yaml").write_text(yaml.safe_dump({"features": "wrfeat"}))
    return folder


def track(folder, *args, model="model", out="t.tracks", code=0):
    return call("track", "trackastra", folder / "n.labels.ome.zarr", "--images",
                folder / "i.ome.zarr", "-m", folder / model, "-o", folder / out, "--device", "cpu",
                "--force", *args, code=code)


def edges(folder, out="t.tracks"):
    """Links as pairs of (frame, label)."""
    rows = pq.read_table(folder / out / "tracks.parquet").to_pylist()
    last, found = {}, set()
    for row in sorted(rows, key=lambda r: r["Metadata_T"]):
        before = last.get(row["track_id"]) or last.get(row["parent_track_id"])
        here = (row["Metadata_T"], row["Metadata_Label"])
        if before:
            found.add((before, here))
        last[row["track_id"]] = here
    return found


@needs
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # trackastra leaves its settings open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_same_links_as_trackastra_itself(movie):
    import torch
    from trackastra.model import Trackastra
    from trackastra.utils import normalize

    folder, nuclei, pixels = movie
    track(folder, "--max-distance", 40)
    flat = np.stack([normalize(p.astype(np.float32)) for p in pixels])
    own = Trackastra.from_folder(folder / "model", device="cpu")
    with torch.no_grad():
        graph, _ = own.track(flat, nuclei.astype(np.int32), mode="greedy", normalize_imgs=False,
                             max_distance=40)
    node = {k: (int(d["time"]), int(d["label"])) for k, d in graph.nodes(data=True)}
    theirs = {(node[a], node[b]) for a, b in graph.edges}
    assert len(theirs) > 10
    assert edges(folder) == theirs


@needs
def test_the_best_together_is_no_worse_than_the_greedy(movie):
    folder, *_ = movie
    greedy, best = (track(folder, "--solver", s, "--max-distance", 40, out=f"{s}.tracks").records
                    for s in ("greedy", "global"))
    assert best[-1]["objective"] <= greedy[-1]["objective"] < 0


@needs
def test_label_values_mean_nothing(movie, tmp_path):
    folder, nuclei, pixels = movie
    rng = np.random.default_rng(1)
    other = np.zeros_like(nuclei)
    for frame, made in zip(nuclei, other):
        ids = np.unique(frame[frame > 0])
        table = np.zeros(int(frame.max()) + 1, np.uint32)
        table[ids] = rng.permutation(ids.size) + 1
        made[:] = table[frame]
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": other[:, None]}})
    write_images(tmp_path / "i.ome.zarr", {"": pixels[:, None, None]})
    track(folder)
    track(tmp_path, model=folder / "model")
    places = [{(r["Metadata_T"], r["y"], r["x"]): r["track_id"] for r in
               pq.read_table(p / "t.tracks" / "tracks.parquet").to_pylist()}
              for p in (folder, tmp_path)]
    assert places[0] == places[1]


@needs
@pytest.mark.parametrize("empty", [[0], [2, 3], list(range(7))])
def test_frames_without_objects(movie, tmp_path, empty):
    folder, nuclei, pixels = movie
    frames = nuclei.copy()
    frames[empty] = 0
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": frames[:, None]}})
    write_images(tmp_path / "i.ome.zarr", {"": pixels[:, None, None]})
    done = track(tmp_path, model=folder / "model")
    assert done.records[-1]["n"] == sum(len(np.unique(f)) - 1 for f in frames)


@needs
def test_what_is_no_such_network(movie, tmp_path):
    folder, *_ = movie
    assert "holds no model.pt" in track(folder, model=tmp_path, code=65).said
    bad = network(tmp_path / "bad")
    (bad / "model.pt").write_bytes(b"not tensors")
    assert "holds more than tensors" in track(folder, model=bad, code=65).said
    other = network(tmp_path / "other")
    (other / "train_config.yaml").write_text("features: pretrained_feats\n")
    assert "wants features 'pretrained_feats'" in track(folder, model=other, code=65).said
    wide = network(tmp_path / "wide", d_model=64)
    (wide / "config.yaml").write_bytes((folder / "model" / "config.yaml").read_bytes())
    assert "no network of this trackastra" in track(folder, model=wide, code=65).said


@needs
def test_weights_by_name_are_never_fetched(movie, monkeypatch, tmp_path):
    folder, *_ = movie
    monkeypatch.setenv("LIBCELL_MODELS", str(tmp_path))
    said = call("track", "trackastra", folder / "n.labels.ome.zarr", "--images",
                folder / "i.ome.zarr", "-m", "general_2d", "-o", folder / "u.tracks", code=69).said
    assert "general_2d.zip" in said and "curl" in said


@pytest.mark.skipif(HERE, reason="trackastra is installed")
def test_without_the_extra(movie):
    assert "libcell[trackastra]" in track(movie[0], code=69).said


# -- choosing, which needs no network -------------------------------------------------------


def test_greedy_and_global_choices():
    """The two surest links of object 0 leave object 1 without; others together are worth more."""
    found = Pairs(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]), np.array([0.9, 0.8, 0.7, 0.85]))
    assert sorted(film.chosen(found, Choice()).tolist()) == [0, 1]
    assert sorted(film.chosen(found, Choice("global")).tolist()) == [1, 2, 3]


def test_a_link_needs_the_threshold():
    found = Pairs(np.array([0]), np.array([0]), np.array([0.6]))
    for solver in ("greedy", "global"):
        assert film.chosen(found, Choice(solver, 0.7)).size == 0
        assert film.chosen(found, Choice(solver, 0.5)).tolist() == [0]
