"""cell-extract labels of objects that come one by one: folders of masks, ImageJ's ROIs."""

import json
import zipfile

import numpy as np
import pytest
import roifile
import tifffile
from hand_made import call, write_images
from PIL import Image as Pillow
from skimage.measure import find_contours, regionprops

from libcell.data import labels, tables
from libcell.data.images import Source
from libcell.schema.validate import validate

SHAPE = (30, 40)


def square(y, x, edge=6):
    made = np.zeros(SHAPE, bool)
    made[y : y + edge, x : x + edge] = True
    return made


def store(root, groups=("a", "b"), frames=1, planes=1, shape=SHAPE):
    pixels = np.ones((frames, 1, planes, *shape), np.uint8)
    return write_images(root / "p.ome.zarr", dict.fromkeys(groups, pixels))


def mask(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.asarray(values).astype(np.uint8) * 255).save(path)


def extract(root, *args, code=0, out="n.labels.ome.zarr"):
    return call("extract", "labels", *args, "--like", root / "p.ome.zarr", "-o", root / out,
                code=code)


def read(root, group, t=0, out="n.labels.ome.zarr"):
    found = labels.read_frame(Source(root / out, group), "nuclei", t)
    return found[0] if len(found) == 1 else found


def left(root, out="n.labels.ome.zarr"):
    rows = tables.read(root / out / "omissions.parquet", "omissions").to_pylist()
    return {row["item"]: row["reason"] for row in rows}


# -- folders of masks --------------------------------------------------------------------------


def bowl(root):
    """ID/masks/*.png of two fields, their objects named out of order."""
    for name, y in (("10.png", 3), ("9.png", 12), ("2.png", 22)):
        mask(root / "train" / "a" / "masks" / name, square(y, 4))
    mask(root / "train" / "b" / "masks" / "x.png", square(1, 1))
    mask(root / "train" / "b" / "images" / "b.png", square(0, 0, 30))
    return root / "train"


@pytest.mark.parametrize("given", ["train", "train/*", "train/*/masks"])
def test_a_folder_an_image(tmp_path, given):
    store(tmp_path)
    bowl(tmp_path)
    done = extract(tmp_path, tmp_path / given)
    assert [r["n"] for r in done.records] == [3, 1, 2] and done.records[-1]["left_out"] == 0
    wanted = square(22, 4) * 1 + square(12, 4) * 2 + square(3, 4) * 3
    np.testing.assert_array_equal(read(tmp_path, "a"), wanted)
    np.testing.assert_array_equal(read(tmp_path, "b"), square(1, 1))
    assert validate(tmp_path / "n.labels.ome.zarr") == []


@pytest.mark.parametrize(("overlap", "owner"), [("last", 3), ("first", 1), ("largest", 2)])
def test_overlaps(tmp_path, overlap, owner):
    store(tmp_path, ("a",))
    for name, edge in (("1", 5), ("2", 9), ("3", 6)):
        mask(tmp_path / "a" / "masks" / f"{name}.png", square(8, 8, edge))
    done = extract(tmp_path, tmp_path / "a", "--overlap", overlap)
    assert "pixels are claimed by several objects" in done.said
    found = read(tmp_path, "a")
    assert (found[8:13, 8:13] == owner).all()
    hidden = {str(i) + ".png" for i in (1, 2, 3) if i not in found}
    assert set(left(tmp_path)) == hidden == {"last": {"1.png"}, "first": {"3.png"},
                                             "largest": {"1.png", "3.png"}}[overlap]
    assert done.records[0]["n"] + len(hidden) == 3


def test_masks_that_are_none_are_reported(tmp_path):
    store(tmp_path, ("a",))
    folder = tmp_path / "a" / "masks"
    mask(folder / "1.png", square(2, 2))
    mask(folder / "2.png", np.zeros(SHAPE))
    Pillow.fromarray(np.arange(1200).reshape(SHAPE).astype(np.uint8)).save(folder / "3.png")
    (folder / "4.png").write_bytes(b"none")
    (folder / "notes.txt").write_text("x")
    done = extract(tmp_path, tmp_path / "a")
    assert "4 of 5 objects are left out" in done.said and done.records[-1]["left_out"] == 4
    found = left(tmp_path)
    assert list(found) == ["2.png", "3.png", "4.png", "notes.txt"]
    assert [r.split(":")[0] for r in found.values()] == [
        "mask is empty", "mask of several values", "cannot be read",
        "neither a picture nor a .roi"]


def test_folders_that_do_not_fit(tmp_path):
    store(tmp_path, ("a", "b"))
    mask(tmp_path / "x" / "a" / "masks" / "1.png", np.ones((9, 9)))
    assert "must be the same field of view" in extract(tmp_path, tmp_path / "x", code=65).said
    mask(tmp_path / "y" / "c" / "masks" / "1.png", square(1, 1))
    said = extract(tmp_path, tmp_path / "y", code=65, out="o.labels.ome.zarr").said
    assert "no field of view for 1 of 1 masks, e.g. c" in said
    (tmp_path / "z" / "a" / "masks").mkdir(parents=True)
    assert "holds no masks" in extract(tmp_path, tmp_path / "z", code=65,
                                       out="q.labels.ome.zarr").said


def test_masks_of_frames(tmp_path):
    """A folder a frame; what the image has several of must be told by someone."""
    store(tmp_path, ("",), frames=2)
    for t in (1, 2):
        for k in range(t):
            mask(tmp_path / f"t{t}" / f"{k}.png", square(8 * k, 5 * t))
    extract(tmp_path, tmp_path / "t*", "--pattern", "t{t}")
    assert [len(np.unique(read(tmp_path, "", t))) - 1 for t in (0, 1)] == [1, 2]
    assert read(tmp_path, "", 1).max() == 3, "numbers are the field's, not the frame's"
    said = extract(tmp_path, tmp_path / "t1", code=65, out="o.labels.ome.zarr").said
    assert "tells no frame or plane" in said
    for t in (3, 4):
        mask(tmp_path / f"t{t}" / "0.png", square(1, 1))
    said = extract(tmp_path, tmp_path / "t*", "--pattern", "t{t}", code=65,
                   out="q.labels.ome.zarr").said
    assert "masks of 4 frames, the image has 2" in said


def test_real_masks_one_by_one(shared, tmp_path):
    """Real nuclei laid out as their contest did: what goes in as files comes out as labels."""
    folder = shared("dsb2018_nuclei")
    some = sorted((folder / "labels").glob("*.tif"))[::13]
    pictures = [next((folder / "images").glob(f"{p.stem}.*")) for p in some]
    call("extract", "images", *pictures, "-o", tmp_path / "p.ome.zarr")
    truth = {p.stem: tifffile.imread(p) for p in some}
    for name, found in truth.items():
        for label in np.unique(found[found > 0]):
            mask(tmp_path / "train" / name / "masks" / f"{label}.png", found == label)
    done = extract(tmp_path, tmp_path / "train")
    assert done.records[-1]["left_out"] == 0
    for record in done.records[:-1]:
        name = next(n for n in truth if n == record["group"] or record["group"] == "")
        found = read(tmp_path, record["group"])
        ranks = np.unique(truth[name], return_inverse=True)[1].reshape(found.shape)
        np.testing.assert_array_equal(found, ranks)


# -- ImageJ's ROIs -----------------------------------------------------------------------------


def roi(points, **more):
    made = roifile.ImagejRoi.frompoints(np.asarray(points, np.float32))
    for name, value in more.items():
        setattr(made, name, value)
    return made.tobytes()


def box(y, x, edge=6, **more):
    return roi([(x, y), (x + edge, y), (x + edge, y + edge), (x, y + edge)], **more)


def zipped(path, **regions):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in regions.items():
            archive.writestr(f"{name}.roi", data)
    return path


def line():
    made = roifile.ImagejRoi()
    made.roitype, made.version = roifile.ROI_TYPE.LINE, 227
    return made.tobytes()


def test_zips_of_regions(tmp_path):
    store(tmp_path)
    one = zipped(tmp_path / "a.zip", r10=box(3, 4), r9=box(12, 4), axis=line(), bad=b"none")
    two = zipped(tmp_path / "b.zip", __MACOSX=b"x", r1=box(1, 1))
    done = extract(tmp_path, one, two)
    assert "3 of 6 objects are left out" in done.said
    np.testing.assert_array_equal(read(tmp_path, "a"), square(12, 4) * 1 + square(3, 4) * 2)
    found = left(tmp_path)
    assert found["axis.roi"] == "has no area: line"
    assert set(found) == {"axis.roi", "bad.roi", "__MACOSX.roi"}
    assert validate(tmp_path / "n.labels.ome.zarr") == []


def test_single_regions_and_folders_of_them(tmp_path):
    store(tmp_path)
    (tmp_path / "a.roi").write_bytes(box(3, 4))
    (tmp_path / "b").mkdir()
    for k in (1, 2):
        (tmp_path / "b" / f"{k}.roi").write_bytes(box(8 * k, 4))
    extract(tmp_path, tmp_path / "a.roi", tmp_path / "b")
    assert read(tmp_path, "a").max() == 1 and read(tmp_path, "b").max() == 2


def test_frames_and_planes_of_regions(tmp_path):
    store(tmp_path, ("",), frames=2, planes=3)
    path = zipped(tmp_path / "r.zip", r1=box(3, 4, t_position=1, z_position=3),
                  r2=box(3, 4, t_position=2, z_position=1), r3=box(3, 4, t_position=2))
    extract(tmp_path, path)
    found = np.stack([read(tmp_path, "", t) for t in (0, 1)])
    assert [tuple(np.argwhere(found == k)[0][:2].tolist()) for k in (1, 2)] == [(0, 2), (1, 0)]
    assert left(tmp_path) == {"r3.roi": "where it lies: tells no plane of 3"}


@pytest.mark.parametrize("content", [b"no zip", b"PK\x03\x04"])
def test_a_zip_that_is_none(tmp_path, content):
    store(tmp_path, ("",))
    (tmp_path / "r.zip").write_bytes(content)
    assert "not a readable zip" in extract(tmp_path, tmp_path / "r.zip", code=65).said


def test_one_kind_a_field(tmp_path):
    store(tmp_path, ("",), frames=2)
    zipped(tmp_path / "m1.zip", r1=box(1, 1))
    tifffile.imwrite(tmp_path / "m2.tif", square(1, 1).astype(np.uint8))
    said = extract(tmp_path, tmp_path / "m1.zip", tmp_path / "m2.tif", "--pattern", "m{t}.{_}",
                   code=65).said
    assert "give one kind" in said


def outline(patch, y, x):
    """A connected mask's outer outline in ImageJ's corner positions."""
    found = max(find_contours(np.pad(patch, 1).astype(float), 0.5, "high"), key=len)
    return found[:-1, ::-1] + (x - 0.5, y - 0.5)


def test_real_outlines_of_whole_cells(shared, tmp_path):
    """Manual outlines of real cells through ROI files: exact, but for holes and second pieces."""
    folder = shared("usiigaci_t98g_phase")
    truth = tifffile.imread(folder / "labels" / "val_set46.tif")
    whole = [p for p in regionprops(truth) if p.euler_number == 1]
    assert len(whole) > 20
    zipped(tmp_path / "val_set46.zip", **{
        f"{p.label:04d}": roi(outline(p.image, *p.bbox[:2])) for p in whole})
    store(tmp_path, ("val_set46", "other"), shape=truth.shape)
    extract(tmp_path, tmp_path / "val_set46.zip")
    wanted = np.zeros_like(truth)
    for k, p in enumerate(whole, 1):
        wanted[truth == p.label] = k
    np.testing.assert_array_equal(read(tmp_path, "val_set46"), wanted)


def test_real_polygons_of_whole_cells(shared, tmp_path):
    """Simplified polygons beside the label image that they were made from."""
    folder = shared("usiigaci_t98g_phase")
    truth = tifffile.imread(folder / "labels" / "val_set46.tif")
    document = json.loads((folder / "coco.json").read_text())
    number = next(i["id"] for i in document["images"] if "val_set46" in i["file_name"])
    own = [a for a in document["annotations"]
           if a["image_id"] == number and len(a["segmentation"]) == 1]
    zipped(tmp_path / "r.zip", **{f"{k:04d}": roi(np.reshape(a["segmentation"][0], (-1, 2)))
                                  for k, a in enumerate(own)})
    store(tmp_path, ("",), shape=truth.shape)
    extract(tmp_path, tmp_path / "r.zip")
    found = read(tmp_path, "")
    overlaps = []
    for k in range(1, len(own) + 1):
        inside = found == k
        label = np.bincount(truth[inside])[1:].argmax() + 1
        overlaps.append((inside & (truth == label)).sum() / (inside | (truth == label)).sum())
    assert len(overlaps) > 20 and np.mean(overlaps) > 0.99 and min(overlaps) > 0.95


# -- label images in depth and time ------------------------------------------------------------


def test_label_images_of_planes_and_frames(tmp_path):
    store(tmp_path, ("",), frames=2, planes=3)
    made = np.random.default_rng(0).integers(0, 300, (2, 3, *SHAPE)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "m.tif", made[:, :, None], imagej=True,
                     metadata={"axes": "TZCYX"})
    extract(tmp_path, tmp_path / "m.tif")
    np.testing.assert_array_equal(np.stack([read(tmp_path, "", t) for t in (0, 1)]), made)
    tifffile.imwrite(tmp_path / "k.ome.tif", made, metadata={"axes": "TZYX"})
    extract(tmp_path, tmp_path / "k.ome.tif", out="k.labels.ome.zarr")
    assert (read(tmp_path, "", 1, out="k.labels.ome.zarr") == made[1]).all()
