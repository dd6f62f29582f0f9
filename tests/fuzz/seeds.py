"""Valid inputs of every kind, made here by the tests' own helpers; each fits in a few kilobytes.

A function fills one folder. What lies below `keep/` is needed beside the input and not changed.
"""

import json
import os
import shutil
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path += [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "feat")]
sys.path += [str(Path(__file__).parent.parent / name) for name in ("segment", "extract", "track")]

EDGE = 48


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def plane(shape: tuple[int, ...] = (EDGE, EDGE), dtype: type = np.uint16) -> np.ndarray:
    """Noise with two bright squares."""
    made = rng().integers(0, 60, shape).astype(dtype)
    made[..., 6:16, 6:16] = 200
    made[..., 24:38, 20:34] = 220
    return made


def label_plane() -> np.ndarray:
    made = np.zeros((EDGE, EDGE), np.uint32)
    made[6:16, 6:16] = 1
    made[24:38, 20:34] = 2
    return made


# -- foreign images ----------------------------------------------------------------------------


def tiff_plain(to: Path) -> None:
    import tifffile

    tifffile.imwrite(to / "x.tif", plane(), compression="zlib")


def tiff_ome(to: Path) -> None:
    import tifffile

    tifffile.imwrite(to / "x.ome.tif", plane((2, 2, EDGE, EDGE)), compression="zstd", tile=(32, 32),
                     metadata={"axes": "TCYX", "Channel": {"Name": ["DNA", "GFP"]},
                               "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5,
                               "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"})


def tiff_imagej(to: Path) -> None:
    import tifffile

    tifffile.imwrite(to / "x.tif", plane((3, 2, EDGE, EDGE)), imagej=True,
                     resolution=(2.0, 2.0), metadata={"axes": "ZCYX", "unit": "um", "spacing": 2.0})


def tiff_lzw(to: Path) -> None:
    import tifffile

    tifffile.imwrite(to / "x.tif", plane((EDGE, EDGE, 3), np.uint8), photometric="rgb",
                     compression="lzw", predictor=True, bigtiff=True)


def picture_png(to: Path) -> None:
    from PIL import Image

    Image.fromarray(plane()).save(to / "x.png")


def picture_jpeg(to: Path) -> None:
    from PIL import Image

    Image.fromarray(plane((EDGE, EDGE, 3), np.uint8)).save(to / "x.jpg")


def picture_bmp(to: Path) -> None:
    from PIL import Image

    Image.fromarray(plane(dtype=np.uint8)).convert("P").save(to / "x.bmp")


def czi(to: Path) -> None:
    from pylibCZIrw import czi as zeiss

    with zeiss.create_czi(str(to / "x.czi"),
                          compression_options="zstd1:ExplicitLevel=3;PreProcess=HiLoByteUnpack"
                          ) as file:
        for c in range(2):
            for y in (0, 24):
                file.write(plane()[y : y + 24, :, None].copy(), plane={"T": 0, "C": c, "Z": 0},
                           location=(0, y), scene=0)
        file.write_metadata(channel_names={0: "DNA", 1: "GFP"}, scale_x=0.65e-6, scale_y=0.7e-6,
                            scale_z=2e-6)


def lif(to: Path) -> None:
    from foreign_files import write_lif

    write_lif(to / "x.lif", [("a", "TCYX", plane((2, 2, EDGE, EDGE)), ["Red", "Green"], 0.5),
                             ("b", "YX", plane(), ["Grey"], 0.5)])


def nd2(to: Path) -> None:
    from foreign_files import write_nd2

    write_nd2(to / "x.nd2", plane((2, 1, 2, EDGE, EDGE)).transpose(0, 1, 2, 3, 4)[..., None],
              ["DNA"], um=0.5)


# -- stores ------------------------------------------------------------------------------------


def image_store(to: Path) -> None:
    from hand_made import write_images

    write_images(to / "p.ome.zarr", {"A/01/0": plane()[None, None, None],
                                     "B/02/0": plane()[None, None, None]}, channels=("DNA",))


def image_zip(to: Path) -> None:
    image_store(to)
    _zip(to / "p.ome.zarr")


def image_old(to: Path) -> None:
    """OME-Zarr 0.4, as most programs write it."""
    import numcodecs
    import zarr

    group = zarr.open_group(str(to / "p.ome.zarr"), mode="w", zarr_format=2)
    for level, step in ((0, 1), (1, 2)):
        group.create_array(str(level), data=plane((2, EDGE, EDGE))[:, ::step, ::step],
                           chunks=(1, 24, 24), compressors=numcodecs.Zlib() if level else
                           numcodecs.Blosc())
    datasets = [{"path": str(k), "coordinateTransformations": [
        {"type": "scale", "scale": [1.0, 0.5 * 2**k, 0.5 * 2**k]}]} for k in (0, 1)]
    group.attrs["multiscales"] = [{"version": "0.4", "datasets": datasets, "axes": [
        {"name": "c", "type": "channel"}, {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"}]}]
    group.attrs["omero"] = {"channels": [{"label": "DNA"}, {"label": "GFP"}]}


def label_store(to: Path) -> None:
    from hand_made import write_labels

    stack = label_plane()[None, None]
    write_labels(to / "n.labels.ome.zarr", {g: {"nuclei": stack} for g in ("A/01/0", "B/02/0")})
    _keep(to, image_store)


def crop_store(to: Path) -> None:
    import embed_stores

    embed_stores.store(to / "c.crops.zarr", n=20)
    _keep(to, model_network)


def crop_zip(to: Path) -> None:
    crop_store(to)
    _zip(to / "c.crops.zarr")


def _zip(store: Path) -> None:
    from libcell.data.output import _zip as packed

    packed(store, store.with_name(f"{store.name}.zip"))
    shutil.rmtree(store)


def _keep(to: Path, make: object) -> None:
    (to / "keep").mkdir(exist_ok=True)
    make(to / "keep")  # type: ignore[operator]


# -- tables, records, settings -----------------------------------------------------------------


def features(to: Path) -> None:
    from small_plate import write_features

    write_features(to / "f.parquet", wells=4, rows=5)


def features_csv(to: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    features(to)
    pyarrow.csv.write_csv(pyarrow.parquet.read_table(to / "f.parquet"), to / "f.csv")
    (to / "f.parquet").unlink()


def stream_parquet(to: Path) -> None:
    features(to)
    (to / "f.parquet").rename(to / "stdin")


def stream_arrow(to: Path) -> None:
    import pyarrow.ipc
    import pyarrow.parquet

    features(to)
    table = pyarrow.parquet.read_table(to / "f.parquet")
    with pyarrow.ipc.new_stream(to / "stdin", table.schema) as writer:
        writer.write_table(table)
    (to / "f.parquet").unlink()


def stream_csv(to: Path) -> None:
    features_csv(to)
    (to / "f.csv").rename(to / "stdin")


def records(to: Path) -> None:
    _keep(to, image_store)
    said = [{"schema": "image/1", "path": "in/keep/p.ome.zarr", "group": g, "n": 1,
             "partial": "in/keep/.p.ome.zarr.partial/out"} for g in ("A/01/0", "B/02/0")]
    said.append({"schema": "image/1", "path": "in/keep/p.ome.zarr", "n": 2, "complete": True})
    (to / "stdin").write_text("".join(f"{json.dumps(one)}\n" for one in said))


def record(to: Path) -> None:
    _keep(to, image_store)
    (to / "stdin").write_text(json.dumps(
        {"schema": "image/1", "path": "in/keep/p.ome.zarr", "n": 2, "complete": True}))


def paths(to: Path) -> None:
    _keep(to, image_store)
    (to / "stdin").write_text("in/keep/p.ome.zarr\n")


def layout_csv(to: Path) -> None:
    _raw(to)
    (to / "l.csv").write_text("Plate,Well,Dose,Drug\np,A01,0.5,x\np,B02,1,\n")


def layout_grid(to: Path) -> None:
    import openpyxl

    _raw(to)
    book = openpyxl.Workbook()
    for row in ([None, 1, 2], ["A", "astro", 1.5], ["B", None, "co"]):
        book.active.append(row)
    book.save(to / "l.xlsx")


def layout_list(to: Path) -> None:
    import openpyxl

    _raw(to)
    book = openpyxl.Workbook()
    for row in (["Well", "Dose"], ["A01", 1.0], ["B2", 0.5]):
        book.active.append(row)
    book.save(to / "l.xlsx")


def _raw(to: Path) -> None:
    import tifffile

    (to / "keep").mkdir()
    for well in ("A01", "B02"):
        tifffile.imwrite(to / "keep" / f"{well}.tif", plane())


def settings(to: Path) -> None:
    _keep(to, image_store)
    (to / "c.toml").write_text('seed = 3\nworkers = 1\n[segment]\nchannel = "DNA"\n'
                               "[segment.threshold]\nmin_area = 20\nsigma = 1.5\n")


# -- annotations -------------------------------------------------------------------------------


def coco(to: Path) -> None:
    import coco_files

    size = {"size": [30, 40], "counts": [130, 5, 25, 5, 1035]}
    packed = {"size": [30, 40], "counts": "b4e00000f6"}
    coco_files.write(to, coco_files.document([
        coco_files.annotation(1), coco_files.annotation(2, size, iscrowd=1),
        coco_files.annotation(3, packed, image=2)], images=["a.png", "b.png"]))


def coco_train(to: Path) -> None:
    """A file whose pictures are in a folder of their own."""
    coco(to)
    document = json.loads((to / "coco.json").read_text())
    (to / "keep").mkdir()
    for image in document["images"]:
        (to / image["file_name"]).rename(to / "keep" / image["file_name"])


def ctc(to: Path) -> None:
    import challenge_folders

    challenge_folders.write(to / "film")


def rois(to: Path) -> None:
    import roifile

    _keep(to, _one_image)
    with zipfile.ZipFile(to / "a.zip", "w") as archive:
        for i, points in enumerate(([(2, 3), (12, 3), (12, 9), (4, 9)],
                                    [(20, 20), (30, 20), (30, 29)])):
            archive.writestr(f"{i}.roi", roifile.ImagejRoi.frompoints(
                np.array(points, np.float32)).tobytes())


def roi(to: Path) -> None:
    import roifile

    _keep(to, _one_image)
    (to / "a.roi").write_bytes(roifile.ImagejRoi.frompoints(
        np.array([(2, 3), (12, 3), (12, 9), (4, 9)], np.float32)).tobytes())


def _one_image(to: Path) -> None:
    from hand_made import write_images

    write_images(to / "p.ome.zarr", {"": plane()[None, None, None]})


def masks(to: Path) -> None:
    from PIL import Image

    _keep(to, _one_image)
    (to / "a" / "masks").mkdir(parents=True)
    for label in (1, 2):
        Image.fromarray(((label_plane() == label) * 255).astype(np.uint8)).save(
            to / "a" / "masks" / f"{label}.png")


def classes(to: Path) -> None:
    from PIL import Image

    rows = ["file,plate,well,dose"]
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        (to / "pics" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(plane((20, 24), np.uint8)[:20]).save(to / "pics" / name)
        rows.append(f"{name},p,A01,0.5")
    (to / "index.csv").write_text("\n".join(rows) + "\n")


def sequences(to: Path) -> None:
    from test_extract_sequences import sequence

    (to / "data").mkdir()
    sequence(to / "data", "p1_A01_m1_cell1", [1, 1, 2, 3])
    sequence(to / "data", "p1_A01_m1_cell2", [1, 2, 2, 3])


# -- tracks ------------------------------------------------------------------------------------


def track_store(to: Path) -> None:
    from hand_made import PROVENANCE
    from hand_tracks import ROWS, links

    from libcell.data import tracks

    tracks.write(to / "t.tracks", links([r for r in ROWS if r[0] == "b"]), PROVENANCE)


def geff_ours(to: Path) -> None:
    track_store(to)
    (to / "t.tracks" / "graph.geff").rename(to / "g.geff")
    shutil.rmtree(to / "t.tracks")


def geff_theirs(to: Path) -> None:
    from test_extract_geff import write_graph

    write_graph(to / "g.geff", label=[1, 2, 1, 1, 2, 1, 2])


def trackmate(to: Path) -> None:
    _converted(to, "t.xml")


def napari(to: Path) -> None:
    _converted(to, "t.csv")


def _converted(to: Path, name: str) -> None:
    from hand_made import call

    track_store(to)
    call("track", "convert", to / "t.tracks", "-o", to / name, "--image", "b")
    shutil.rmtree(to / "t.tracks")


# -- models and weights ------------------------------------------------------------------------


def model_network(to: Path) -> None:
    import embed_stores

    card = embed_stores.model(to / "c.model") / "model.json"
    told = json.loads(card.read_text())
    told["calibration"] = {"temperature": 1.0}
    told["split"] = {"by": ["Metadata_Plate"], "groups": {"train": ["p0"], "test": ["p1"]}}
    card.write_text(json.dumps(told))


def model_beside_crops(to: Path) -> None:
    import embed_stores

    model_network(to)
    (to / "keep").mkdir()
    embed_stores.store(to / "keep" / "c.crops.zarr", n=20)


def model_segmenter(to: Path) -> None:
    import networks

    networks.write_model(to / "s.model")
    _keep(to, _one_image)


def model_forest(to: Path) -> None:
    _grown(to, "random-forest")


def model_boosting(to: Path) -> None:
    _grown(to, "boosting")


def _grown(to: Path, algorithm: str) -> None:
    from hand_made import call
    from small_plate import write_features

    (to / "keep").mkdir()
    write_features(to / "keep" / "f.parquet", wells=20, rows=6)
    call("train", "forest", to / "keep" / "f.parquet", "--target", "Metadata_Condition", "--group",
         "Metadata_Well", "--algorithm", algorithm, "--trees", 5, "-o", to / "c.model")


def checkpoint(to: Path) -> None:
    import torch

    torch.save({"a.weight": torch.ones(3, 4), "a.bias": torch.zeros(3)}, to / "w.pt")


def checkpoint_old(to: Path) -> None:
    """Torch's format from before 1.6, a bare pickle."""
    import torch

    torch.save({"a.weight": torch.ones(3, 4)}, to / "w.pt", _use_new_zipfile_serialization=False)


def safetensors(to: Path) -> None:
    from safetensors.numpy import save

    (to / "w.safetensors").write_bytes(save({"a.weight": np.ones((3, 4), np.float32)}))


def stardist(to: Path) -> None:
    from hand_made_networks import stardist_folder

    stardist_folder(to / "m")
    _keep(to, _one_image)


def stardist_zip(to: Path) -> None:
    from hand_made_networks import zipped

    stardist(to)
    zipped(to / "m")
    shutil.rmtree(to / "m")


def associations(to: Path) -> None:
    """The files that trackastra saves; the network itself is not needed to read them."""
    import torch

    (to / "m").mkdir()
    torch.save({"model.a": torch.ones(2)}, to / "m" / "model.pt")
    (to / "m" / "config.yaml").write_text("coord_dim: 2\nfeat_dim: 7\nwindow: 4\n")
    (to / "m" / "train_config.yaml").write_text("features: wrfeat\n")


# -- what a run leaves for the next ------------------------------------------------------------


def unfinished(to: Path) -> None:
    """The folder of a run of which one field of two failed."""
    from hand_made import call

    _raw(to)
    bad = to / "keep" / "B02.tif"
    whole = bad.read_bytes()
    bad.write_bytes(whole[:300])
    here = Path.cwd()
    os.chdir(to.parent)
    name = to.name
    (to.parent / "in").symlink_to(name)
    try:
        call("extract", "images", "in/keep/*.tif", "--pattern", "{well}.tif", "-o",
             "in/x.ome.zarr", code=75)
    finally:
        (to.parent / "in").unlink()
        os.chdir(here)
    bad.write_bytes(whole)
    (to / ".x.ome.zarr.partial").rename(to / "partial")
    (to / "partial" / "out").rename(to / "keep" / "out")  # what is made is trusted, notes are not


# -- the contract ------------------------------------------------------------------------------


def example(to: Path) -> None:
    """All valid examples of the schemas, one of which is looked at."""
    folder = Path(__file__).parent.parent.parent / "schemas" / "examples" / "valid"
    for path in folder.glob("*.json"):
        shutil.copy(path, to / path.name)


def judged_crops(to: Path) -> None:
    import embed_stores

    embed_stores.store(to / "x.zarr", n=20)


# what the validator judges: other seeds, under the names that it is told
JUDGED: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "judged_store": (image_store, "p.ome.zarr", "x.zarr"),
    "judged_zip": (image_zip, "p.ome.zarr.zip", "x.zarr.zip"),
    "judged_model": (model_network, "c.model", "x.model"),
    "judged_tracks": (track_store, "t.tracks", "x.tracks"),
    "judged_table": (features, "f.parquet", "x.parquet"),
}


def make(name: str, to: Path) -> None:
    """Fill the folder `to` with the seed of that name."""
    to.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in JUDGED:
            seed, made, told = JUDGED[name]
            seed(to)
            (to / made).rename(to / told)
        else:
            globals()[name](to)
