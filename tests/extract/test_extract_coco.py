"""cell-extract coco and to-coco: what becomes a crop, what is left out and told, round trips."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from coco_files import SQUARE, annotation, document, picture, truth, write
from hand_made import call, files_of
from PIL import Image as Pillow
from pycocotools import mask as coco

from libcell.data import crops, labels
from libcell.data.images import Source
from libcell.extract.annotations import document as reading
from libcell.extract.annotations import packed
from libcell.schema.validate import validate


def extract(folder, *args, out="x.crops.zarr", code=0):
    return call("extract", "coco", *args, "-o", folder / out, "--scheduler", "threads", code=code)


def opened(folder, out="x.crops.zarr"):
    store = crops.open_crops(folder / out)
    assert validate(folder / out) == []
    return store, store.index().to_pylist(), *store.read(slice(0, store.n))


def left_out(folder, out="x.crops.zarr"):
    rows = pq.read_table(folder / out / "omissions.parquet").to_pylist()
    assert len({row["item"] for row in rows}) == len(rows)
    return {row["item"]: row["reason"] for row in rows}


def whole_mask(row, mask, shape):
    """A crop's mask back in its image."""
    size = row["y1"] - row["y0"], row["x1"] - row["x0"]
    y, x = ((have - want) // 2 for have, want in zip(mask.shape, size))
    made = np.zeros(shape, bool)
    inside = mask[y : y + size[0], x : x + size[1]]
    made[row["y0"] : row["y1"], row["x0"] : row["x1"]] = inside
    assert inside.sum() == mask.sum()
    return made


# -- crops ---------------------------------------------------------------------------------------


def test_crops_hold_raw_pixels_and_the_mask_apart(tmp_path):
    other = [30.0, 20.0, 39.9, 20.0, 39.9, 29.0]
    path = write(tmp_path, document([annotation(7), annotation(9, (other, SQUARE))]))
    extract(tmp_path, path)
    _, rows, pixels, masks = opened(tmp_path)
    image = np.asarray(Pillow.open(tmp_path / "a.png"))
    found = truth(path)
    assert [r["Metadata_Annotation"] for r in rows] == ["7", "9"]
    assert [r["object_id"] for r in rows] == ["a:t0:cells:1", "a:t0:cells:2"]
    assert [r["touches_border"] for r in rows] == [False, True]
    for row, crop, mask in zip(rows, pixels[:, 0], masks):
        wanted = found.annToMask(found.anns[int(row["Metadata_Annotation"])]).astype(bool)
        np.testing.assert_array_equal(whole_mask(row, mask, image.shape), wanted)
        y, x = np.nonzero(wanted)
        assert (row["y"], row["x"]) == (y.mean(), x.mean()) and row["area_px"] == len(y)
        box = image[row["y0"] : row["y1"], row["x0"] : row["x1"]]
        assert crop.sum() == box.sum(), "the box as it is, nothing around it"


def test_margin_and_black_background(tmp_path):
    path = write(tmp_path, document([annotation(1, ([12.0, 9.0, 20.0, 9.0, 12.0, 18.0],))]))
    extract(tmp_path, path, "--pad", 3)
    extract(tmp_path, path, "--pad", 3, "--background", "black", out="b.crops.zarr")
    _, rows, pixels, masks = opened(tmp_path)
    _, _, black, same = opened(tmp_path, "b.crops.zarr")
    image = np.asarray(Pillow.open(tmp_path / "a.png"))
    row = rows[0]
    np.testing.assert_array_equal(
        pixels[0, 0], image[row["y0"] - 3 : row["y1"] + 3, row["x0"] - 3 : row["x1"] + 3])
    np.testing.assert_array_equal(masks, same)
    np.testing.assert_array_equal(black[0, 0], np.where(masks[0], pixels[0, 0], 0))


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_resized_to_squares_as_livecell_cls_does(tmp_path, mode):
    path = write(tmp_path, document([annotation(1, ([5.0, 5, 25, 5, 25, 15, 5, 15],)),
                                     annotation(2, ([2.0, 2, 9, 2, 9, 20, 2, 20],))]), a=mode)
    extract(tmp_path, path, "--size", 40, "--background", "black")
    store, rows, pixels, masks = opened(tmp_path)
    assert store.size_px == (40, 40)
    image = np.asarray(Pillow.open(tmp_path / "a.png"))
    for row, crop, mask in zip(rows, pixels[:, 0], masks):
        box = image[row["y0"] : row["y1"], row["x0"] : row["x1"]]
        edge = max(box.shape)
        square = np.zeros((edge, edge), image.dtype)
        y, x = ((edge - s) // 2 for s in box.shape)
        square[y : y + box.shape[0], x : x + box.shape[1]] = box
        exact = square if mode == "L" else square.astype(np.float32)
        wanted = np.asarray(Pillow.fromarray(exact).resize((40, 40), Pillow.Resampling.BILINEAR))
        np.testing.assert_allclose(crop, wanted, atol=0.5)
        assert abs(mask.mean() - box.size / edge**2) < 0.02


@pytest.mark.parametrize("kind", ["L", "RGB", "float"])
@pytest.mark.parametrize("pad", [0, 4])
def test_packing_boxes_and_packing_windows_is_one(tmp_path, monkeypatch, kind, pad):
    """Pixels and masks are the same whether frames are made of boxes alone, or of whole windows."""
    random = np.random.default_rng(4)
    names = ["a.tif", "b.tif"] if kind == "float" else ["a.png", "b.png"]
    outlines = [np.column_stack([random.integers(-2, 42, 5), random.integers(-2, 32, 5)])
                for _ in range(50)]
    found = document([annotation(i, (o.ravel().tolist(),), image=1 + i // 30)
                      for i, o in enumerate(outlines)], names)
    path = write(tmp_path, found, **({} if kind == "float" else dict.fromkeys("ab", kind)))
    if kind == "float":
        for name in names:
            tifffile.imwrite(tmp_path / name, random.random((30, 40)).astype(np.float32))
    made, used = [], []
    for dear in (0, math.inf):
        monkeypatch.setattr(packed, "DEAR", dear)
        with monkeypatch.context() as patch:
            patch.setattr(crops.Shard, "add_frames", _noted(crops.Shard.add_frames, used))
            extract(tmp_path, path, "--pad", pad, "-j", 1, out=f"{dear}.crops.zarr")
        made.append(opened(tmp_path, f"{dear}.crops.zarr")[2:])
        assert len(used) == (0 if dear == 0 else -(-len(made[-1][0]) // crops.CHUNK))
    for windows, boxes in zip(*made):
        np.testing.assert_array_equal(windows, boxes)


def _noted(function, calls):
    def noted(*args):
        calls.append(args)
        return function(*args)

    return noted


def test_grey_colour_palette_and_16_bit_pictures(tmp_path):
    names = ["a.png", "b.png", "c.png", "d.png", "e.png"]
    kinds = dict(zip("abcde", ("L", "RGB", "RGBA", "P", "I;16")))
    path = write(tmp_path, document([annotation(i, image=i) for i in range(1, 6)], names), **kinds)
    extract(tmp_path, path)
    store, _, pixels, _ = opened(tmp_path)
    assert store.channels == ("R", "G", "B") and store.crops.dtype == np.uint16
    first, last = (np.asarray(Pillow.open(tmp_path / n)) for n in ("a.png", "e.png"))
    for crop, image in ((pixels[0], first), (pixels[4], last)):
        np.testing.assert_array_equal(crop, np.broadcast_to(image[3:9, 4:13], crop.shape))
    colours = np.asarray(Pillow.open(tmp_path / "b.png"))
    np.testing.assert_array_equal(pixels[1], np.moveaxis(colours[3:9, 4:13], -1, 0))
    extract(tmp_path, path, "--grey", out="g.crops.zarr")
    store, _, pixels, _ = opened(tmp_path, "g.crops.zarr")
    luma = np.asarray(Pillow.open(tmp_path / "b.png").convert("L")).astype(int)[3:9, 4:13]
    assert store.channels == ("1",) and np.abs(pixels[1, 0].astype(int) - luma).max() <= 1


def test_splits_and_pictures_of_several_files(tmp_path):
    """Each file beside its pictures, as in Roboflow's exports; category 0 is one like any other."""
    categories = [{"id": 0, "name": "none"}, {"id": 1, "name": "rbc"}]
    for folder, numbers in (("train", (1, 2)), ("valid", (3,)), ("test", (4,))):
        found = document([annotation(i, [], category_id=i % 2) for i in numbers],
                         [f"{folder}.jpg"], categories=categories)
        write(tmp_path / folder, found, "_annotations.coco.json")
    extract(tmp_path, tmp_path / "*" / "_annotations.coco.json", "--images", tmp_path)
    _, rows, _, _ = opened(tmp_path)
    assert {r["Metadata_Image"]: r["Metadata_Split"] for r in rows} == {
        "test": "test", "train": "train", "valid": "validation"}
    assert [r["Metadata_Class"] for r in rows] == ["none", "rbc", "none", "rbc"]
    extract(tmp_path, tmp_path / "*" / "_annotations.coco.json", "--images", tmp_path,
            "--split", "a,b,c", out="s.crops.zarr")
    assert [r["Metadata_Split"] for r in opened(tmp_path, "s.crops.zarr")[1]] == list("abbc")
    assert "names 2 splits for 3" in extract(
        tmp_path, tmp_path / "*" / "_annotations.coco.json", "--split", "a,b", out="t.crops.zarr",
        code=2).said


def test_names_of_livecell(tmp_path):
    """Cell line, well, site and time from the names; annotations in a dict, as in its subsets."""
    names = ["A172_Phase_C7_1_01d04h00m_3.tif", "SkBr3_Phase_E3_2_03d12h00m_1.tif"]
    found = document([annotation(1), annotation(2, image=2), annotation(3, image=2)], names)
    found["annotations"] = {str(a["id"]): a for a in found["annotations"]}
    path = tmp_path / "livecell_coco_val.json"
    write(tmp_path / "images" / "deep", found, path.name)
    (tmp_path / "images" / "deep" / path.name).rename(path)
    done = extract(tmp_path, path, "--images", tmp_path / "images")
    assert "LIVECell" in done.said
    _, rows, _, _ = opened(tmp_path)
    assert [r["Metadata_Class"] for r in rows] == ["A172", "SkBr3", "SkBr3"]
    assert [r["Metadata_Well"] for r in rows] == ["C7", "E3", "E3"]
    assert [r["Metadata_Density"] for r in rows] == [1, 2, 2]
    assert {r["Metadata_Split"] for r in rows} == {"validation"}
    extract(tmp_path, path, "--images", tmp_path / "images", "--class-from", "category",
            out="c.crops.zarr")
    assert {r["Metadata_Class"] for r in opened(tmp_path, "c.crops.zarr")[1]} == {"cell"}
    said = extract(tmp_path, path, "--images", tmp_path / "images", "--class-from", "donor",
                   out="d.crops.zarr", code=2).said
    assert "--class-from donor" in said and "CellLine" in said


def test_a_pattern_of_the_user(tmp_path):
    path = write(tmp_path, document([annotation(1)], ["d3_B02_s4.png"]))
    extract(tmp_path, path, "--pattern", "{donor}_{well}_s{site}.png", "--class-from", "Donor")
    row = opened(tmp_path)[1][0]
    assert (row["Metadata_Class"], row["Metadata_Donor"], row["Metadata_Well"],
            row["Metadata_Site"]) == ("d3", "d3", "B02", "4")
    assert "does not match" in extract(tmp_path, path, "--pattern", "{well}.png", code=65,
                                       out="y.crops.zarr").said
    assert "no name of LIVECell" in extract(tmp_path, path, "--pattern", "livecell", code=65,
                                            out="y.crops.zarr").said


# -- what is left out ----------------------------------------------------------------------------


def test_every_annotation_is_a_crop_or_told(tmp_path):
    """Records in = crops out + reported, whatever is wrong with them."""
    outside = [100.0, 100.0, 120.0, 100.0, 110.0, 120.0]
    far = {"size": [30, 40], "counts": [1200]}
    bad = [
        annotation(1), annotation(2, ([1.0, 1, 5, 5],)), annotation(3, (outside,)),
        annotation(4, far), annotation(5, [], bbox=[1, 2, math.nan, 4]),
        annotation(6, ([1.0, math.nan, 5, 5, 9, 9],)), annotation(7, iscrowd=1),
        annotation(8, image=99), annotation(9, image=2), annotation(10, image=3),
        annotation(11, image=4), annotation(20, None, bbox=None), "nonsense",
        {"id": 14, "bbox": [1, 2, 3, 4]}, annotation(15, category_id=0), annotation(1),
        annotation(17, image=5),
    ]
    found = document(bad, ["a.png", "gone.png", "small.png", "broken.png", "cut.png", "empty.png"])
    path = write(tmp_path, found)
    (tmp_path / "gone.png").unlink()
    picture(tmp_path / "small.png", shape=(30, 39))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    done = extract(tmp_path, path)
    store, rows, _, _ = opened(tmp_path)
    left = left_out(tmp_path)
    assert store.n + len(left) == len(bad)
    assert sorted(r["Metadata_Annotation"] for r in rows) == ["1", "1", "15"]
    assert [r["Metadata_Class"] for r in rows] == ["cell", None, "cell"]
    for item, reason in {
        "2": "fewer than 3 points", "3": "no pixel inside", "4": "no pixel inside",
        "5": "four numbers", "6": "no number", "7": "crowd", "8": "not among the images",
        "9": "image file is not there: gone.png", "10": "30 x 39", "11": "broken.png",
        "20": "neither outline nor box", "12": "not an annotation", "14": "not an annotation",
        "17": "cut.png",
    }.items():
        assert reason in left[item], item
    assert f"{len(left)} of {len(bad)} annotations are left out" in done.said
    assert "1 of 6 images have no annotation" in done.said
    assert "1 annotation ids stand in it twice" in done.said
    assert "1 annotations are of a category" in done.said
    assert done.records[-1]["left_out"] == len(left)


def test_crowds_on_demand(tmp_path):
    counts = coco.encode(np.asfortranarray(np.eye(30, 40, dtype=np.uint8)))["counts"].decode()
    crowd = annotation(2, {"size": [30, 40], "counts": counts}, iscrowd=1)
    path = write(tmp_path, document([annotation(1), crowd]))
    extract(tmp_path, path, "--crowd")
    _, rows, _, masks = opened(tmp_path)
    assert [r["Metadata_Crowd"] for r in rows] == [False, True]
    assert masks[1].sum() == 30


def test_nothing_that_can_be_used(tmp_path):
    path = write(tmp_path, document([annotation(1, image=4)]))
    assert "none of 1 annotations" in extract(tmp_path, path, code=65).said
    path = write(tmp_path, document([]))
    assert "there are none" in extract(tmp_path, path, code=65).said
    assert not list(tmp_path.glob("*.zarr")) and not list(tmp_path.glob(".x*"))


@pytest.mark.parametrize(("content", "said"), [
    (b"", "0 bytes"),
    (b'{"images": [], "annotations": [{"id"', "cut short"),
    (b'{"images": [], "annotations"', "cut short"),
    (b"[1, 2]", "not a COCO file"),
    (b'{"images": [], "annotations": [NaN], "categories": 3}', "not a COCO file"),
    (b'{"images": [{"id": 1}], "annotations": [NaN]}', "image 0"),
    (b"\x89PNG\r\n", "not JSON"),
    (b'{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], "annotations": []}',
     "stands in it twice"),
])
def test_files_that_are_no_annotations(tmp_path, content, said):
    (tmp_path / "x.json").write_bytes(content)
    assert said in extract(tmp_path, tmp_path / "x.json", code=65).said


def test_one_image_in_two_files(tmp_path):
    write(tmp_path, document([annotation(1)]), "one.json")
    write(tmp_path, document([annotation(1)]), "two.json")
    said = extract(tmp_path, tmp_path / "one.json", tmp_path / "two.json", code=65).said
    assert "a.png" in said and "annotated twice" in said


def test_pictures_of_one_name_in_two_folders(tmp_path):
    for folder in ("p", "q"):
        write(tmp_path / folder, document([annotation(1)]))
    extract(tmp_path, tmp_path / "p" / "coco.json", tmp_path / "q" / "coco.json")
    assert [r["Metadata_Image"] for r in opened(tmp_path)[1]] == ["a", "a_1"]
    found = document([annotation(1)])
    (tmp_path / "r.json").write_text(json.dumps(found))
    said = extract(tmp_path, tmp_path / "r.json", "--images", tmp_path, out="r.crops.zarr",
                   code=65).said
    assert "several image files of that name" in said


def test_the_patient_reader_reads_the_same(tmp_path):
    """One NaN makes a file invalid JSON; everything else in it must come out as before."""
    found = document([annotation(i, image=1 + i % 2) for i in range(5)], ["a.png", "b.png"])
    path = write(tmp_path, found)
    extract(tmp_path, path)
    found["annotations"][3]["area"] = math.nan
    again = write(tmp_path, found, "odd.json")
    assert b"NaN" in again.read_bytes()
    extract(tmp_path, again, out="y.crops.zarr")
    assert opened(tmp_path)[1] == opened(tmp_path, "y.crops.zarr")[1]
    assert isinstance(reading.load(path).text, type(path))
    assert isinstance(reading.load(again).text, bytes)


# -- labels, and back ------------------------------------------------------------------------------


def test_label_images_fit_the_images(tmp_path):
    path = write(tmp_path, document([annotation(1), annotation(2, ([20.0, 5, 30, 5, 30, 15],)),
                                     annotation(3, image=2)], ["a.png", "b.png", "none.png"]))
    extract(tmp_path, path, "--compartment", "nuclei", out="n.labels.ome.zarr")
    call("extract", "images", tmp_path / "*.png", "-o", tmp_path / "p.ome.zarr")
    assert validate(tmp_path / "n.labels.ome.zarr") == []
    done = call("feat", "measure", tmp_path / "n.labels.ome.zarr", "--images",
                tmp_path / "p.ome.zarr", "-o", tmp_path / "f.parquet")
    assert done.records[-1]["n"] == 3
    found = truth(path)
    frame = labels.read_frame(Source(tmp_path / "n.labels.ome.zarr", "a"), "nuclei", 0)[0]
    wanted = found.annToMask(found.anns[1]) + 2 * found.annToMask(found.anns[2])
    np.testing.assert_array_equal(frame, wanted)


def test_overlaps_in_a_label_image_are_told(tmp_path):
    path = write(tmp_path, document([annotation(1), annotation(2), annotation(3, (
        [10.0, 5, 30, 5, 30, 25],))]))
    done = extract(tmp_path, path, out="n.labels.ome.zarr")
    assert left_out(tmp_path, "n.labels.ome.zarr") == {"1": "hidden below other objects"}
    assert "pixels belong to several objects" in done.said


def test_there_and_back_is_exact(tmp_path):
    random = np.random.default_rng(5)
    image = np.kron(random.integers(0, 9, (6, 8)), np.ones((5, 5), int)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", image)
    call("extract", "images", tmp_path / "a.tif", "-o", tmp_path / "p.ome.zarr")
    call("extract", "labels", tmp_path / "a.tif", "--like", tmp_path / "p.ome.zarr", "-o",
         tmp_path / "n.labels.ome.zarr")
    done = call("extract", "to-coco", tmp_path / "n.labels.ome.zarr", "-o", tmp_path / "x.json")
    assert done.records[-1] == {"schema": "files", "path": str(tmp_path / "x.json"), "n": 8,
                                "complete": True}
    extract(tmp_path, tmp_path / "x.json", "--compartment", "nuclei", out="m.labels.ome.zarr")
    back = labels.read_frame(Source(tmp_path / "m.labels.ome.zarr", ""), "nuclei", 0)[0]
    np.testing.assert_array_equal(back, image)
    extract(tmp_path, tmp_path / "x.json", "--compartment", "nuclei")
    _, rows, _, masks = opened(tmp_path)
    for row, mask in zip(rows, masks):
        np.testing.assert_array_equal(whole_mask(row, mask, image.shape),
                                      image == row["Metadata_Label"])


def test_classes_go_back_by_a_table(tmp_path):
    kinds = [{"id": 4, "name": "round"}, {"id": 5, "name": "flat"}]
    outlines = [([5.0 + 10 * i, 5, 9 + 10 * i, 5, 9 + 10 * i, 12],) for i in range(3)]
    found = document([annotation(i, o, category_id=c) for i, o, c in zip((1, 2, 3), outlines,
                                                                        (5, 4, 9))],
                     categories=kinds)
    path = write(tmp_path, found)
    extract(tmp_path, path)
    extract(tmp_path, path, out="n.labels.ome.zarr")
    back = call("extract", "to-coco", tmp_path / "n.labels.ome.zarr", "--table",
                tmp_path / "x.crops.zarr" / "index.parquet", "-o", tmp_path / "back.json")
    assert "1 of 3 objects have no class" in back.said
    made = truth(tmp_path / "back.json")
    names = [made.cats[a["category_id"]]["name"] for a in made.anns.values()]
    assert names == ["flat", "round", "unclassified"]
    extract(tmp_path, path, "--compartment", "nuclei", out="o.crops.zarr")
    said = call("extract", "to-coco", tmp_path / "n.labels.ome.zarr", "--table",
                tmp_path / "o.crops.zarr" / "index.parquet", "-o", tmp_path / "z.json",
                code=65).said
    assert "class for none of 3" in said


# -- the same, however it is done ------------------------------------------------------------------


def test_workers_do_not_change_the_bytes(tmp_path):
    found = document([annotation(i, image=1 + i % 3) for i in range(40)],
                     ["a.png", "b.png", "c.png"])
    path = write(tmp_path, found)
    extract(tmp_path, path)
    call("extract", "coco", path, "-o", tmp_path / "y.crops.zarr", "-j", 2, "--scheduler",
         "processes")
    assert files_of(tmp_path / "x.crops.zarr") == files_of(tmp_path / "y.crops.zarr")


@pytest.mark.data
@pytest.mark.parametrize(("folder", "count"), [("dsb2018_nuclei", 2412),
                                               ("usiigaci_t98g_phase", 404)])
def test_real_outlines(shared, tmp_path, folder, count):
    place = shared(folder)
    extract(tmp_path, place / "coco.json", "--images", place / "images")
    store, rows, _, masks = opened(tmp_path)
    assert store.n == count
    found = truth(place / "coco.json")
    for row, mask in zip(rows, masks):
        wanted = found.annToMask(found.anns[int(row["Metadata_Annotation"])]).astype(bool)
        np.testing.assert_array_equal(whole_mask(row, mask, wanted.shape), wanted)


@pytest.mark.data
def test_real_boxes(shared, tmp_path):
    place = shared("coco_rbc_wbc")
    extract(tmp_path, place / "*" / "_annotations.coco.json", "--images", place)
    store, rows, _, _ = opened(tmp_path)
    assert store.n == 5638
    splits = [r["Metadata_Split"] for r in rows]
    assert [splits.count(s) for s in ("train", "validation", "test")] == [4947, 470, 221]
