"""Where input comes in: every reader, how it is called, and the valid inputs that are damaged."""

import contextlib
import io
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Body = Callable[[], int]
JUDGED = (".zarr", ".zip", ".parquet", ".tracks", ".model")
WARM = ("json", "numpy", "pyarrow.parquet", "pyarrow.dataset", "pyarrow.csv", "pyarrow.ipc",
        "zarr", "tifffile", "PIL.Image", "pydantic", "libcell.cli.app", "libcell.cli.execute",
        "libcell.data.tables", "libcell.data.labels", "libcell.data.crop_reader",
        "libcell.data.readers.tiff", "libcell.data.readers.picture", "libcell.schema.validate",
        "scipy.ndimage", "numba", "skimage.measure", "traceback", "xml.etree.ElementTree")
LEARNT = ("torch", "libcell.data.models", "libcell.data.weights")
IMAGES = "in/keep/p.ome.zarr"


@dataclass(frozen=True)
class Door:
    """A reader: names of its seeds, and what is called with one in `in/`.

    `call` returns an exit code. `warm` are modules worth importing once for all cases.
    """

    name: str
    seeds: tuple[str, ...]
    call: Callable[[bool], int]
    warm: tuple[str, ...] = ()


class Command:
    """`cell-ROOM ARGS` with one worker. `sole:PATTERN` is the one input of that name."""

    def __init__(self, room: str, *args: str):
        self.room = room
        self._args = args

    def args(self) -> list[str]:
        """The arguments as they are in a sandbox."""
        return [*(_sole(a[5:]) if a.startswith("sole:") else a for a in self._args), "-j", "1"]

    def __call__(self, verbose: bool) -> int:
        """Run it in this process, judge its output, return its exit code."""
        from libcell.cli import app

        app.hush_libraries()
        code = app.run(self.room, "", [*self.args(), *(["-v"] if verbose else [])])
        _judge(code)
        return code


def _judge(code: int) -> None:
    """What lies in `out/` conforms, and is there only where it should be."""
    from libcell.schema.validate import validate

    made = sorted(Path("out").iterdir())
    if code:
        made = [p for p in made if not p.name.startswith(".")]  # what --resume goes on from
        assert not made, f"exit {code}, but there is {made[0]}"
        return
    for path in made:
        assert not path.name.startswith("."), f"success, but {path} is left"
        if path.suffix in JUDGED:
            found = validate(path)
            if path.suffix == ".parquet":  # values of the user's ride along as they are
                found = [v for v in found if "expected" in v.fault
                         and not v.fault.endswith("expected a number")]
            assert not found, f"success, but invalid output: {found[0]}"


def _library(function: Callable[[], object]) -> Callable[[bool], int]:
    """A call of the library that ends as a command would."""

    def call(verbose: bool) -> int:
        from libcell.cli import app
        from libcell.errors import CellError

        app.hush_libraries()
        try:
            function()
        except CellError as error:
            if verbose:
                import traceback

                traceback.print_exc()
            sys.stderr.write(f"cell-library: {' '.join(str(error).split())}\n")
            return error.exit_code
        return 0

    return call


# -- what the library does with crops, weights and paths ---------------------------------------


def _crops() -> None:
    from libcell.data import crops
    from libcell.data.crop_reader import CropReader

    for path in sorted(Path("in").glob("c.crops.zarr*")):
        store = crops.open_crops(path)
        store.index()
        for _ in store.blocks():
            pass
        for _ in CropReader(path, region="object").shuffled(8, seed=0, epoch=0):
            pass


def _checkpoint() -> None:
    """Both ways in which weights of other people are read; the second even if the first fails."""
    from libcell.data import models, weights

    there = [p for p in sorted(Path("in").iterdir()) if p.name != "keep"]
    path = there[0] if there else Path("in/w.pt")
    try:
        models.load_foreign(path)
    finally:
        if path.suffix == ".pt":
            weights.load_tensors(path)


def _associations() -> None:
    """What is read of a network of trackastra's before its own package is asked for."""
    from libcell.data import weights
    from libcell.track.associated import network

    path = Path("in/m") if Path("in/m").exists() else Path("in/m.zip")
    weights.given(path)
    for name in network.FILES[1:]:
        network._settings(path, name)
    network._tensors(path)


def _validate(verbose: bool) -> int:
    from libcell.cli import app
    from libcell.schema.__main__ import main

    app.hush_libraries()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["validate", *(sorted(str(p) for p in Path("in").iterdir()) or ["in/away"])])
    assert said.getvalue().strip(), "the validator said nothing"
    if code:
        sys.stderr.write(f"cell-schema: {' '.join(said.getvalue().split())[:2000]}\n")
    return code


def _unfinished(verbose: bool) -> int:
    """A run that goes on from what an earlier one left."""
    if Path("in/partial").is_dir():
        shutil.copytree("in/partial", "out/.x.ome.zarr.partial", symlinks=True)
        shutil.copytree("in/keep/out", "out/.x.ome.zarr.partial/out")
    return Command("extract", "images", "in/keep/*.tif", "--pattern", "{well}.tif", "-o",
                    "out/x.ome.zarr", "--resume")(verbose)


def _images(suffix: str) -> Command:
    return Command("extract", "images", f"in/x.{suffix}", "-o", "out/x.ome.zarr")


def _convert(given: str, made: str) -> Command:
    return Command("track", "convert", f"in/{given}", "-o", f"out/{made}", "--image", "b")


def _predict(*args: str) -> Command:
    return Command("train", "predict", "in/c.model", *args, "-o", "out/p.parquet",
                    "--device", "cpu")


STAR = ("libcell.segment.foreign.stardist_network", "h5py", "stardist.nms", "stardist.geometry")
DOORS = (
    Door("tiff", ("tiff_plain", "tiff_imagej", "tiff_lzw", "tiff_ome"), _images("*")),
    Door("picture", ("picture_png", "picture_jpeg", "picture_bmp"), _images("*")),
    Door("czi", ("czi",), _images("czi"), ("czifile", "libcell.data.readers.czi")),
    Door("lif", ("lif",), _images("lif"), ("liffile", "libcell.data.readers.lif")),
    Door("nd2", ("nd2",), _images("nd2"), ("nd2", "libcell.data.readers.nd2")),
    Door("image-store", ("image_store", "image_old"),
         Command("extract", "images", "in/p.ome.zarr", "-o", "out/x.ome.zarr")),
    Door("image-zip", ("image_zip",),
         Command("segment", "threshold", "in/p.ome.zarr.zip", "-o", "out/x.labels.ome.zarr")),
    Door("labels", ("label_store",),
         Command("crop", "cells", "in/n.labels.ome.zarr", "--images", IMAGES, "--size", "16",
                  "-o", "out/c.crops.zarr")),
    Door("measure", ("label_store",),
         Command("feat", "measure", "in/n.labels.ome.zarr", "--images", IMAGES, "--families",
                  "shape,intensity", "-o", "out/f.parquet")),
    Door("crops", ("crop_store", "crop_zip"), _library(_crops)),
    Door("table", ("features", "features_csv"),
         Command("feat", "aggregate", "in/f.*", "-o", "out/w.parquet")),
    Door("stream", ("stream_parquet", "stream_arrow", "stream_csv"),
         Command("feat", "normalize", "-", "-o", "out/z.parquet")),
    Door("records", ("records", "record", "paths"),
         Command("segment", "threshold", "-", "-o", "out/x.labels.ome.zarr")),
    Door("layout", ("layout_csv", "layout_grid", "layout_list"),
         Command("extract", "images", "in/keep/*.tif", "--pattern", "{well}.tif", "--layout",
                 "sole:l.*", "-o", "out/x.ome.zarr"), ("openpyxl",)),
    Door("settings", ("settings",),
         Command("segment", "threshold", IMAGES, "--config", "in/c.toml", "-o",
                  "out/x.labels.ome.zarr")),
    Door("coco", ("coco", "coco_train"),
         Command("extract", "coco", "in/coco.json", "--images", "in", "-o", "out/c.crops.zarr"),
         ("pycocotools.mask",)),
    Door("challenge", ("ctc",),
         Command("extract", "ctc", "in/film", "-o", "out/b")),
    Door("rois", ("rois", "roi"),
         Command("extract", "labels", "sole:a.*", "--like", IMAGES, "-o",
                 "out/n.labels.ome.zarr"), ("roifile",)),
    Door("masks", ("masks",),
         Command("extract", "labels", "in/a", "--like", IMAGES, "-o", "out/n.labels.ome.zarr")),
    Door("classes", ("classes",),
         Command("extract", "classes", "in/pics", "--index", "in/index.csv", "-o",
                  "out/c.crops.zarr")),
    Door("sequences", ("sequences",),
         Command("extract", "sequences", "in/data", "-o", "out/s.crops.zarr")),
    Door("geff", ("geff_ours", "geff_theirs"),
         Command("extract", "geff", "in/g.geff", "-o", "out/t.tracks"), ("geff", "geff_spec")),
    Door("tracks", ("track_store",), _convert("t.tracks", "t.xml"), ("geff", "geff_spec")),
    Door("trackmate", ("trackmate",), _convert("t.xml", "t.tracks"), ("geff", "geff_spec")),
    Door("napari", ("napari",), _convert("t.csv", "t.tracks"), ("geff", "geff_spec")),
    Door("model", ("model_beside_crops",), _predict("in/keep/c.crops.zarr", "--no-baselines"),
         (*LEARNT, "timm", "torchvision")),
    Door("forest", ("model_forest", "model_boosting"), _predict("in/keep/f.parquet"),
         (*LEARNT, "lightgbm", "sklearn")),
    Door("segmenter", ("model_segmenter",),
         Command("segment", "unet", IMAGES, "-m", "in/s.model", "-o", "out/x.labels.ome.zarr",
                  "--device", "cpu"), LEARNT),
    Door("checkpoint", ("checkpoint", "checkpoint_old", "safetensors"), _library(_checkpoint),
         LEARNT),
    Door("stardist", ("stardist", "stardist_zip"),
         Command("segment", "stardist", IMAGES, "-m", "sole:m*", "-o", "out/x.labels.ome.zarr",
                 "--device", "cpu"), (*LEARNT, *STAR)),
    Door("trackastra", ("associations",), _library(_associations), (*LEARNT, "yaml")),
    Door("unfinished", ("unfinished",), _unfinished),
    Door("validator", ("example", "judged_store", "judged_zip", "judged_crops", "judged_model",
                       "judged_tracks", "judged_table"), _validate),
)


def _sole(pattern: str) -> str:
    """The one input that matches; the pattern where there is none any more."""
    found = sorted(Path("in").glob(pattern))
    return str(found[0]) if found else f"in/{pattern}"
