"""StarDist, InstanSeg and Cellpose behind our door: what they find, and what is refused."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
from hand_made import call, files_of, write_images
from hand_made_networks import RADIUS_PX, instanseg_file, spots, stardist_folder, zipped

from libcell.data import labels
from libcell.data.images import Source
from libcell.schema.validate import validate

CENTRES = [(20, 24), (20, 90), (60, 50), (84, 100), (100, 20)]
DISC = np.pi * RADIUS_PX**2


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One model of each kind, by its name."""
    folder = tmp_path_factory.mktemp("models")
    star = stardist_folder(folder / "star")
    return {"stardist": star, "zip": zipped(star), "instanseg": instanseg_file(folder / "i.pt"),
            "both": instanseg_file(folder / "b.pt", both=True)}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A field with five spots, a flat one, one of a single pixel."""
    folder = tmp_path_factory.mktemp("images")
    field = spots((120, 130), CENTRES)
    write_images(folder / "i.ome.zarr", {
        "A/1/0": field[None, None, None], "A/1/1": np.full((1, 1, 1, 40, 40), 7, np.uint16),
        "A/1/2": np.full((1, 1, 1, 1, 1), 7, np.uint16)})
    return folder / "i.ome.zarr"


def segment(kind, image, model, out, *more, code=0):
    trust = ["--trust", model.name] if kind == "instanseg" and "--trust" not in more else []
    return call("segment", kind, image, "-m", model, "-o", out, *trust, *more, "--device", "cpu",
                code=code)


def read(path, compartment="nuclei", group="A/1/0", t=0):
    return labels.read_frame(Source(path, group), compartment, t)


def require_discs(found, centres=CENTRES, radius=RADIUS_PX):
    """A disc of about that radius at each centre, and nothing else."""
    assert sorted(np.unique(found)) == list(range(len(centres) + 1))
    y, x = np.indices(found.shape[1:])
    for cy, cx in centres:
        label = found[0, cy, cx]
        assert label
        own = found[0] == label
        assert abs(y[own].mean() - cy) < 1.5 and abs(x[own].mean() - cx) < 1.5
        assert 0.7 < own.sum() / (np.pi * radius**2) < 1.3


@pytest.mark.parametrize("kind", ["stardist", "instanseg"])
def test_what_a_network_sees_is_found_and_what_is_not_there_is_not(kind, models, images, tmp_path):
    out = tmp_path / "x.labels.ome.zarr"
    done = segment(kind, images, models[kind], out)
    assert [r["n"] for r in done.records[:3]] == [len(CENTRES), 0, 0]
    assert validate(out) == []
    require_discs(read(out))


def test_a_published_zip_is_the_folder(models, images, tmp_path):
    for name in ("stardist", "zip"):
        segment("stardist", images, models[name], tmp_path / f"{name}.labels.ome.zarr")
    assert np.array_equal(read(tmp_path / "stardist.labels.ome.zarr"),
                          read(tmp_path / "zip.labels.ome.zarr"))


def test_nuclei_and_cells_in_one_pass(models, images, tmp_path):
    out = tmp_path / "x.labels.ome.zarr"
    segment("instanseg", images, models["both"], out)
    nuclei, cells = read(out), read(out, "cells")
    require_discs(cells)
    require_discs(nuclei, radius=RADIUS_PX / 2)
    assert np.array_equal(cells[nuclei > 0], nuclei[nuclei > 0]), "the numbers differ"
    segment("instanseg", images, models["both"], out, "--target", "cells", "--force")
    assert labels.compartments_at(Source(out, "A/1/0")) == ["cells"]


@pytest.mark.parametrize("kind", ["stardist", "instanseg"])
def test_tiles_join_to_the_whole(kind, models, tmp_path):
    """Spots on and beside the seams of tiles of 128 px; the network is local, so all is equal."""
    centres = [(y, x) for y in (20, 60, 126, 140, 200, 255, 290) for x in (30, 90, 128, 170, 257)]
    image = write_images(tmp_path / "i.ome.zarr",
                         {"A/1/0": spots((310, 300), centres)[None, None, None]})
    for name, tile in (("whole", 1024), ("tiles", 128)):
        segment(kind, image, models[kind], tmp_path / f"{name}.labels.ome.zarr", "--tile", tile,
                "--halo", 64)
    whole = read(tmp_path / "whole.labels.ome.zarr")
    assert whole.max() == len(centres)
    assert np.array_equal(read(tmp_path / "tiles.labels.ome.zarr"), whole)


def test_workers_and_runs_change_nothing(models, images, tmp_path):
    for name, workers in (("x", 1), ("y", 2)):
        segment("stardist", images, models["stardist"], tmp_path / f"{name}.labels.ome.zarr",
                "-j", workers)
    assert files_of(tmp_path / "x.labels.ome.zarr") == files_of(tmp_path / "y.labels.ome.zarr")


def test_a_stack_is_segmented_by_planes_and_joined(models, tmp_path):
    plane = spots((64, 64), [(20, 20), (44, 40)])
    dark = spots((64, 64), [(44, 40)])
    stack = np.stack([plane, plane, dark])[None, None]
    image = write_images(tmp_path / "i.ome.zarr", {"A/1/0": stack})
    out = tmp_path / "x.labels.ome.zarr"
    segment("stardist", image, models["stardist"], out)
    found = read(out)
    assert found.max() == 2
    assert len({found[z, 44, 40] for z in range(3)}) == 1
    assert found[2, 20, 20] == 0


def test_sieve(models, images, tmp_path):
    out = tmp_path / "x.labels.ome.zarr"
    segment("stardist", images, models["stardist"], out, "--min-area", int(DISC * 2))
    assert read(out).max() == 0


# -- what is refused ---------------------------------------------------------------------


def refused(kind, image, model, tmp_path, *more, code=65):
    return segment(kind, image, model, tmp_path / "x.labels.ome.zarr", *more, code=code).said


def test_code_runs_only_where_the_user_says_so(models, images, tmp_path):
    said = refused("instanseg", images, models["instanseg"], tmp_path, "--trust", "other.pt")
    assert "--trust i.pt" in said and len(said.splitlines()) == 1


def test_weights_of_another_architecture(models, images, tmp_path):
    other = stardist_folder(tmp_path / "other", unet_n_depth=2)
    assert "another architecture" in refused("stardist", images, other, tmp_path)
    wide = stardist_folder(tmp_path / "wide", unet_n_filter_base=4)
    assert "another architecture" in refused("stardist", images, wide, tmp_path)
    assert "holds no instanseg.pt" in refused("instanseg", images, models["zip"], tmp_path)


def test_a_network_of_other_channels(models, images, tmp_path):
    said = refused("stardist", images, models["stardist"], tmp_path, "-c", "1,1")
    assert "looks at 1 channels, 2 are given" in said


def test_a_file_that_fails_on_the_image_is_told_as_one(models, images, tmp_path):
    """The hand-made network takes any number of channels; one of weights would take its own."""
    import torch
    from hand_made_networks import write_instanseg

    class OneChannel(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Conv2d(1, 5, 1)

        def forward(self, x):
            return self.first(x)

    write_instanseg(tmp_path / "one.pt", OneChannel(), both=False)
    said = segment("instanseg", images, tmp_path / "one.pt", tmp_path / "x.labels.ome.zarr", "-c",
                   "1,1", code=75).said
    assert "one.pt: cannot take 2 channels (--channels)" in said


def test_a_channel_that_is_not_there(models, images, tmp_path):
    said = refused("stardist", images, models["stardist"], tmp_path, "-c", "DAPI")
    assert "channel 'DAPI' not found" in said


def test_weights_that_are_not_there(images, tmp_path, monkeypatch):
    monkeypatch.setenv("LIBCELL_MODELS", str(tmp_path / "cache"))
    for kind, name in (("stardist", "2D_versatile_fluo"), ("instanseg", "single_channel_nuclei")):
        said = call("segment", kind, images, "-m", name, "-o", tmp_path / "x.labels.ome.zarr",
                    code=69).said
        assert "curl -fL -o" in said and str(tmp_path / "cache") in said
        said = call("segment", kind, images, "-m", "nonsense", "-o",
                    tmp_path / "x.labels.ome.zarr", code=69).said
        assert "nonsense: there is no such file" in said and name in said


def test_a_device_that_is_not_there(models, images, tmp_path):
    call("segment", "stardist", images, "-m", models["stardist"], "-o",
         tmp_path / "x.labels.ome.zarr", "--device", "cuda:7", code=69)


def test_a_run_is_not_continued_with_other_weights(models, images, tmp_path):
    """The third field's image is broken at first, so that the run stays unfinished."""
    out = tmp_path / "x.labels.ome.zarr"
    model = stardist_folder(tmp_path / "m")
    broken = write_images(tmp_path / "i.ome.zarr", {
        "A/1/0": spots((64, 64), [(30, 30)])[None, None, None],
        "A/1/1": spots((64, 64), [(30, 30)])[None, None, None]})
    for file in (broken / "A/1/1/0/c").rglob("*"):
        if file.is_file():
            file.write_bytes(b"no chunk")
    segment("stardist", broken, model, out, code=75)
    (model / "thresholds.json").write_text(json.dumps({"prob": 0.9, "nms": 0.1}))
    assert "other weights" in segment("stardist", broken, model, out, "--resume", code=73).said


# -- cellpose ----------------------------------------------------------------------------


def test_without_cellpose_its_extra_is_named(images, tmp_path):
    if find_spec("cellpose"):
        pytest.skip("cellpose is installed")
    said = call("segment", "cellpose", images, "-m", "cyto3", "-o",
                tmp_path / "x.labels.ome.zarr", code=69).said
    assert "pip install 'libcell[segment-cellpose]'" in said


@pytest.fixture(scope="module")
def cellpose_weights(tmp_path_factory):
    """Cellpose 3's network with drawn weights: what it says means nothing, but it says much."""
    pytest.importorskip("cellpose", reason="the extra segment-cellpose (docs/weights.md says how)")
    import torch
    from cellpose.models import CellposeModel

    torch.manual_seed(5)
    net = CellposeModel(gpu=False, pretrained_model=False).net
    with torch.no_grad():
        net.output[2].weight *= 20  # sure of itself
    path = tmp_path_factory.mktemp("cellpose") / "drawn"
    net.save_model(path)
    return path


@pytest.mark.filterwarnings("ignore")  # another package's own
@pytest.mark.parametrize(("more", "same"), [
    ((), {}), (("--tta", "--iterations", "300"), {"augment": True, "niter": 300}),
    (("--no-resample", "--min-area", "40"), {"resample": False, "min_size": 40}),
])
def test_cellpose_segments_as_cellpose_does(cellpose_weights, tmp_path, more, same):
    from cellpose.models import CellposeModel

    field = spots((130, 140), [(y, x) for y in range(15, 120, 24) for x in range(15, 130, 24)])
    image = write_images(tmp_path / "i.ome.zarr", {"A/1/0": field[None, None, None]})
    out = tmp_path / "x.labels.ome.zarr"
    given = ("--diameter", "25", "--cellprob-threshold", "-2", "--flow-threshold", "0", *more)
    segment("cellpose", image, cellpose_weights, out, *given)
    found = read(out, "cells")[0]
    model = CellposeModel(gpu=False, pretrained_model=str(cellpose_weights))
    expected = model.eval(field, channels=[0, 0], diameter=25, cellprob_threshold=-2,
                          flow_threshold=0, **same)[0]
    pairs = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == expected.max() + 1 > 3, "the labels are not the same but for names"
    assert found.max() == expected.max()


@pytest.mark.filterwarnings("ignore")
def test_cellpose_in_tiles(cellpose_weights, tmp_path):
    """Not as in the whole, but each object once."""
    field = spots((300, 160), [(y, x) for y in range(15, 290, 24) for x in range(15, 150, 24)])
    image = write_images(tmp_path / "i.ome.zarr", {"A/1/0": field[None, None, None]})
    out = tmp_path / "x.labels.ome.zarr"
    segment("cellpose", image, cellpose_weights, out, "--diameter", "30", "--cellprob-threshold",
            "-2", "--flow-threshold", "0", "--tile", "128", "--halo", "32")
    found = read(out, "cells")
    assert np.unique(found).tolist() == list(range(int(found.max()) + 1))
    assert found.max() > 20


def test_cellpose_weights_of_another_network_are_refused(tmp_path, images):
    pytest.importorskip("cellpose", reason="the extra segment-cellpose (docs/weights.md says how)")
    import torch

    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "other")
    assert "another architecture" in refused("cellpose", images, tmp_path / "other", tmp_path)
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole")
    said = refused("cellpose", images, tmp_path / "whole", tmp_path)
    assert "--trust whole" in said
