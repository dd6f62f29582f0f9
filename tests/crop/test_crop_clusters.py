"""cell-crop clusters: patches of phase contrast with their bags, as a user makes them."""

import numpy as np
import pyarrow as pa
import pytest
from hand_made import call, files_of, write_images, write_labels

from libcell.crop.stores.bags import bag_columns, bags_of
from libcell.data import crops, labels
from libcell.data.images import Source
from libcell.errors import DataError
from libcell.schema.validate import validate
from libcell.simulate import simulate_timelapse


@pytest.fixture(scope="module")
def flasks(tmp_path_factory):
    """Two flasks: a simulated phase film at 0, 4 and 9 h, and one field with a few cells at 2 h."""
    folder = tmp_path_factory.mktemp("flasks")
    film = simulate_timelapse(3, frames=3, shape=(192, 224), n_cells=20, contrast="phase")
    cells = film.cells[:, None]
    few = np.where(cells[:1] <= 2, cells[:1], 0)
    wells = {"a": {"Metadata_Flask": "G7", "Metadata_Hours": [0.0, 4.0, 9.0]},
             "b": {"Metadata_Flask": "G8", "Metadata_Hours": 2.0}}
    pixels = {"a": film.image[:, :, None], "b": film.image[:1, :, None]}
    write_images(folder / "p.ome.zarr", pixels, ("Phase",), wells)
    write_labels(folder / "n.labels.ome.zarr",
                 {"a": {"foreground": cells > 0}, "b": {"foreground": few > 0}}, wells)
    return folder


def crop(folder, out, *args, code=0, source="n.labels.ome.zarr"):
    return call("crop", "clusters", folder / source, "--images", folder / "p.ome.zarr",
                "-o", out, *args, code=code)


def test_patches_and_bags_of_a_time_series(flasks, tmp_path):
    out = tmp_path / "c.crops.zarr"
    made = crop(flasks, out, "--size", 32, "--bag", "Metadata_Flask", "--top", 6)
    assert made.records[-1]["bags"] == 2 and validate(out) == []
    store = crops.open_crops(out)
    index, bags = store.index().to_pandas(), store.bags().to_pandas()
    assert set(bags.object_id) == set(index.object_id) and len(bags) == len(index)
    assert list(bags[bags.bag_id == "G7"].Metadata_Hours.unique()) == [0, 4, 9]
    for _, bag in bags.groupby("bag_id"):
        assert bag.position.tolist() == list(range(len(bag)))
    for _, picture in index.groupby(["Metadata_Image", "Metadata_T"]):
        assert len(picture) <= 6
        assert picture.Metadata_Label.tolist() == list(range(1, len(picture) + 1))
        assert (np.diff(picture.confluency) <= 0).all() and picture.confluency.min() > 0
    pixels, masks = store.read(slice(0, store.n))
    image = Source(flasks / "n.labels.ome.zarr", "a")
    for row, one in index[index.Metadata_Image == "a"].iterrows():
        found = labels.read_frame(image, "foreground", one.Metadata_T)[0] > 0
        span = (slice(one.y0, one.y1), slice(one.x0, one.x1))
        np.testing.assert_array_equal(masks[row], found[span])
        assert masks[row].sum() == one.area_px and pixels[row].all()
        assert one.confluency == masks[row].mean()


def test_alike_patches_are_thinned_or_kept(flasks, tmp_path):
    counts = {}
    for similar in ("drop", "keep"):
        out = tmp_path / f"{similar}.crops.zarr"
        crop(flasks, out, "--size", 32, "--top", 500, "--similar", similar)
        index = crops.open_crops(out).index().to_pandas()
        counts[similar] = len(index)
        box = index[["y0", "x0", "y1", "x1"]].to_numpy()
        assert (box[:, 2:] - box[:, :2] == 32).all()
    assert 0 < counts["drop"] < counts["keep"]
    out = tmp_path / "dense.crops.zarr"
    crop(flasks, out, "--size", 32, "--min-confluency", 0.5)
    index = crops.open_crops(out).index()
    assert index.num_rows > 0 and min(index.column("confluency").to_pylist()) >= 0.5


def test_no_cells_and_no_bag(flasks, tmp_path):
    """An empty field gives no patch and is said; bags that are too short are counted."""
    out = tmp_path / "c.crops.zarr"
    made = crop(flasks, out, "--size", 32, "--min-images", 2, "--bag", "Metadata_Flask")
    assert made.records[-1]["bags"] == 1 and made.records[-1]["left_out"] == 1
    assert "1 bags are left out" in made.said
    empty = np.zeros((1, 1, 192, 224), np.uint32)
    write_labels(tmp_path / "e.labels.ome.zarr", {"b": {"foreground": empty}})
    made = call("crop", "clusters", tmp_path / "e.labels.ome.zarr", "--images",
                flasks / "p.ome.zarr", "-o", tmp_path / "e.crops.zarr")
    assert made.records[-1] == made.records[-1] | {"n": 0, "bags": 0}
    assert "1 of 1 fields of view have no patch" in made.said
    assert validate(tmp_path / "e.crops.zarr") == []


def test_what_is_refused(flasks, tmp_path):
    said = crop(flasks, tmp_path / "a.crops.zarr", "--bag", "Metadata_Row", code=65).said
    assert "'Metadata_Row' is not in the index; it has Metadata_Plate" in said
    said = crop(flasks, tmp_path / "b.crops.zarr", "--channel", "X", code=65).said
    assert "channel 'X' not found" in said


def test_workers_leave_no_trace(flasks, tmp_path):
    for workers in (1, 2):
        crop(flasks, tmp_path / f"{workers}" / "c.crops.zarr", "--size", 48, "-j", workers)
    assert files_of(tmp_path / "1") == files_of(tmp_path / "2")


def test_phase_contrast_from_files_to_bags(shared, tmp_path, monkeypatch):
    """Real fields, cut small; hours come from the file names."""
    import tifffile

    folder = shared("usiigaci_t98g_phase") / "images"
    for i, file in enumerate(sorted(folder.glob("*.tif"))[:3]):
        plane = tifffile.imread(file)[:300, :320]
        tifffile.imwrite(tmp_path / f"VID1_G7_1_{i:02d}d12h30m.tif", plane)
    monkeypatch.chdir(tmp_path)
    call("extract", "images", "*.tif", "--pattern", "{exp}_{pos}_{flask}_{time}.tif",
         "-o", "p.ome.zarr")
    call("segment", "foreground", "p.ome.zarr", "--closing", 3, "-o", "a.labels.ome.zarr")
    made = call("crop", "clusters", "a.labels.ome.zarr", "--images", "p.ome.zarr",
                "-o", "c.crops.zarr", "--bag", "Metadata_Exp,Metadata_Pos,Metadata_Flask")
    bags = crops.open_crops(tmp_path / "c.crops.zarr").bags().to_pandas()
    assert made.records[-1]["bags"] == 1 and set(bags.bag_id) == {"VID1/G7/1"}
    assert list(bags.Metadata_Hours.unique()) == [12.5, 36.5, 60.5]
    assert bags.confluency.mean() > 0.3


def index(rows):
    """A table of (image, well, t, hours, label)."""
    image, well, t, hours, label = (list(c) for c in zip(*rows))
    return pa.table({"object_id": [f"{i}:{a}:{k}" for i, a, k in zip(image, t, label)],
                     "Metadata_Plate": ["p"] * len(rows), "Metadata_Well": well,
                     "Metadata_Image": image, "Metadata_T": t, "Metadata_Hours": hours,
                     "Metadata_Label": label})


def test_bags_are_in_order_of_time_and_rank():
    rows = index([("x", "A01", 0, 9.0, 2), ("x", "A01", 0, 9.0, 1), ("y", "A01", 0, 1.0, 1),
                  ("z", "B01", 0, 0.0, 1)])
    assert bag_columns(rows, ()) == ["Metadata_Plate", "Metadata_Well"]
    table, left = bags_of(rows, ["Metadata_Plate", "Metadata_Well"], 1, 1)
    assert left == 0 and table.column("bag_id").to_pylist() == ["p/A01"] * 3 + ["p/B01"]
    assert table.column("object_id").to_pylist() == ["y:0:1", "x:0:1", "x:0:2", "z:0:1"]
    assert table.column("position").to_pylist() == [0, 1, 2, 0]
    table, left = bags_of(rows, ["Metadata_Plate", "Metadata_Well"], 2, 1)
    assert left == 1 and table.column("object_id").to_pylist() == ["x:0:1", "x:0:2"]
    table, left = bags_of(rows, ["Metadata_Well"], 1, 2)
    assert left == 1 and set(table.column("bag_id").to_pylist()) == {"A01"}
    with pytest.raises(DataError, match="Metadata_Dose"):
        bag_columns(rows, ("Metadata_Dose",))
