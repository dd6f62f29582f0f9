"""Features per object beside scikit-image, mahotas, cp_measure and nyxus, on the same images.

One core each: processor time of the calls alone, median of pairs taken in turn, everything
imported and compiled before. `cell-feat measure` itself is measured from its start to its end.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mahotas
import numpy as np
import tifffile
from cp_measure.core.measureobjectintensity import get_intensity
from cp_measure.core.measureobjectsizeshape import get_feret, get_sizeshape, get_zernike
from cp_measure.core.measuretexture import get_texture
from cp_measure.core.numba.measureobjectintensity import get_intensity as fast_intensity
from cp_measure.core.numba.measuretexture import get_texture as fast_texture
from skimage.measure import regionprops, regionprops_table
from skimage.segmentation import relabel_sequential

from libcell.feat import families
from libcell.simulate import simulate_field
from tests.peers.bench import Place, Row
from tests.peers.processes import BIN, peak_gb, remove, seconds

PAIRS = 3
SCIKIT = (  # all of scikit-image's that `shape` and `intensity` have
    "area", "area_bbox", "area_convex", "area_filled", "axis_major_length", "axis_minor_length",
    "bbox", "centroid", "centroid_weighted", "eccentricity", "equivalent_diameter_area",
    "euler_number", "extent", "feret_diameter_max", "intensity_max", "intensity_mean",
    "intensity_min", "intensity_std", "orientation", "perimeter", "perimeter_crofton", "solidity",
)
CORE = ("shape", "moments", "zernike", "intensity", "texture")
NYXUS = [  # nyxus's names of what both have
    "AREA_PIXELS_COUNT", "CENTROID_X", "CENTROID_Y", "BBOX_YMIN", "BBOX_XMIN", "BBOX_HEIGHT",
    "BBOX_WIDTH", "MAJOR_AXIS_LENGTH", "MINOR_AXIS_LENGTH", "ECCENTRICITY", "ORIENTATION",
    "EXTENT", "CONVEX_HULL_AREA", "SOLIDITY", "PERIMETER", "EULER_NUMBER", "CIRCULARITY",
    "STAT_FERET_DIAM_MIN", "STAT_FERET_DIAM_MAX", "INTEGRATED_INTENSITY", "MEAN", "MEDIAN", "MIN",
    "MAX", "STANDARD_DEVIATION", "P25", "P75", "EDGE_MEAN_INTENSITY", "EDGE_STDDEV_INTENSITY",
    "MASS_DISPLACEMENT", "SPAT_MOMENT_00", "CENTRAL_MOMENT_02", "NORM_CENTRAL_MOMENT_02",
    "HU_M1", "ZERNIKE2D", "GLCM_ASM", "GLCM_CONTRAST", "GLCM_CORRELATION", "GLCM_VARIANCE",
    "GLCM_IDM", "GLCM_SUMAVERAGE", "GLCM_SUMVARIANCE", "GLCM_SUMENTROPY", "GLCM_ENTROPY",
    "GLCM_DIFVAR", "GLCM_DIFENTRO", "GLCM_INFOMEAS1", "GLCM_INFOMEAS2", "GLCM_DIS",
]
# nyxus wants other versions of numpy and friends than ours: an environment of its own
NYXUS_RUN = """
import json, sys, time
import numpy as np, nyxus
labels, image = np.load(sys.argv[1]).astype(np.uint32), np.load(sys.argv[2])
made = nyxus.Nyxus(json.loads(sys.argv[3]), n_feature_calc_threads=1, coarse_gray_depth=256,
                   ibsi=False)
start = time.process_time()
table = made.featurize(image, labels)
print(json.dumps([time.process_time() - start, len(table), table.shape[1]]))
"""

Scene = tuple[str, np.ndarray, np.ndarray, float]  # what, labels, image, bound beside loops


def bench_feat_scikit_image(place: Place) -> Iterator[Row]:
    """Size, shape and intensity beside `regionprops_table` with the same properties."""
    for what, labels, image, most in _scenes(place):
        dense = labels.astype(np.int64)
        ours, theirs = _in_turn(
            lambda: _measured(labels, image, ("shape", "intensity")),  # noqa: B023
            lambda: regionprops_table(dense, image, properties=SCIKIT))  # noqa: B023
        yield Row("shape and intensity beside scikit-image's regionprops_table", ours / theirs,
                  most, "times its time", f"{what}; {len(SCIKIT)} properties there, all "
                  f"{len(_names('shape', 'intensity'))} columns here; {_both(ours, theirs)}")


def bench_feat_mahotas(place: Place) -> Iterator[Row]:
    """Haralick features beside mahotas, whose loop over cropped objects CellProfiler runs."""
    for what, labels, image, most in _scenes(place):
        levels = _bytes(image)
        for name, given in (("levels of the pixel type", image), ("all 256 levels", levels)):
            ours, theirs = _in_turn(lambda: _measured(labels, given, ("texture",)),  # noqa: B023
                                    lambda: _haralick(labels, given))  # noqa: B023
            yield Row("Haralick features beside mahotas", ours / theirs, most, "times its time",
                      f"{what}; {name}, scale 3, 4 directions; {_both(ours, theirs)}")


def bench_feat_cp_measure(place: Place) -> Iterator[Row]:
    """Everything that is CellProfiler's MeasureObjectSizeShape, -Intensity and MeasureTexture."""
    for what, labels, image, _ in _scenes(place):
        dense = relabel_sequential(labels.astype(np.int64))[0]
        scaled = image / np.iinfo(image.dtype).max
        ours, theirs = _in_turn(
            lambda: _measured(labels, image, CORE),  # noqa: B023
            lambda: _cp_measure(dense, scaled, get_intensity, get_texture))  # noqa: B023
        fast = _cpu(lambda: _cp_measure(dense, scaled, fast_intensity, fast_texture))  # noqa: B023
        yield Row("shape, moments, Zernike, intensity and texture beside cp_measure",
                  ours / theirs, 1 / 10, "times its time", f"{what}; {_both(ours, theirs)}; with "
                  f"its numba accelerator {fast:.2f} s, {ours / fast:.3f} times")


def bench_feat_nyxus(place: Place) -> Iterator[Row]:
    """What nyxus and we both have, nyxus in an environment of its own."""
    python = _nyxus(place.scratch / "nyxus")
    for what, labels, image, _ in _scenes(place):
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{n}.npy" for n in ("labels", "image")]
            for file, array in zip(files, (labels, image)):
                np.save(file, array)
            done = subprocess.run([python, "-c", NYXUS_RUN, *map(str, files), json.dumps(NYXUS)],
                                  check=True, capture_output=True, text=True)
        theirs, rows, columns = json.loads(done.stdout.splitlines()[-1])
        ours, _ = _in_turn(lambda: _measured(labels, image, CORE), lambda: None)  # noqa: B023
        yield Row("shape, moments, Zernike, intensity and texture beside nyxus", ours / theirs,
                  1 / 3, "times its time", f"{what}; {columns} columns of {rows} objects there, "
                  f"{len(_names(*CORE))} here; {_both(ours, theirs)}")


def bench_feat_workers(place: Place) -> Iterator[Row]:
    """The command on 16 fields of 1920 x 1920 px, two workers beside one; four times the fields."""
    images, labels = _mosaic(place, 16)
    fewer = _mosaic(place, 4)
    table = place.scratch / "f.parquet"
    ratios = []
    for _ in range(PAIRS):
        took = []
        for workers in (1, 2):
            remove(table)
            took.append(seconds(_command(images, labels, table, workers)))
        ratios.append(took[1] / took[0])
    yield Row("cell-feat measure, 2 workers", statistics.median(ratios), 1 / 1.7,
              "times 1 worker", f"median of {PAIRS} pairs, start included; {took[0]:.1f} s with 1")
    peaks = []
    for store in (fewer, (images, labels)):
        remove(table)
        peaks.append(peak_gb(_command(*store, table, 2)))
    yield Row("cell-feat measure, four times the fields", peaks[1] / peaks[0], 1.25,
              "times the peak memory", f"{peaks[0]:.2f} and {peaks[1]:.2f} GB, 2 workers")


def bench_feat_start(place: Place) -> Iterator[Row]:
    """One small field, by a command that was never run before, and run again."""
    images, labels = _small(place)
    table = place.scratch / "f.parquet"
    with tempfile.TemporaryDirectory() as cache:
        took = []
        for _ in range(4):
            remove(table)
            took.append(seconds(["env", f"NUMBA_CACHE_DIR={cache}",
                                 *_command(images, labels, table, 1, CORE)]))
    yield Row("cell-feat measure on one field, for the first time", took[0], 15, "s",
              "compiling its loops")
    yield Row("cell-feat measure on one field, once more", statistics.median(took[1:]), 1.5, "s",
              "median of 3")


# -- the work --------------------------------------------------------------------------------


def _measured(labels: np.ndarray, image: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    index = families.ObjectIndex.of(labels)
    found: dict[str, Any] = {}
    for name in names:
        found |= families.load(name).measure(labels, image, index)
    return found


def _names(*names: str) -> list[str]:
    return [c.name for n in names for c in families.load(n).columns()]


def _haralick(labels: np.ndarray, image: np.ndarray) -> list[np.ndarray]:
    levels = image if image.dtype == np.uint8 else np.rint(image / 65535 * 255).astype(np.uint8)
    found = []
    for region in regionprops(labels.astype(np.int64), levels):
        try:
            found.append(mahotas.features.haralick(region.image_intensity, ignore_zeros=True,
                                                   distance=3))
        except ValueError:  # an object without a pair in some direction
            continue
    return found


def _cp_measure(labels: np.ndarray, image: np.ndarray, intensity: Any, texture: Any) -> None:
    for measure in (get_sizeshape, get_feret, get_zernike, intensity, texture):
        measure(labels, image)


def _bytes(image: np.ndarray) -> np.ndarray:
    """The image over all of 0 .. 255."""
    low, high = (float(q) for q in np.percentile(image, (0.1, 99.9)))
    return np.rint(((image - low) / (high - low)).clip(0, 1) * 255).astype(np.uint8)


def _cpu(function: Callable[[], object]) -> float:
    function()  # imports and compiles
    start = time.process_time()
    function()
    return time.process_time() - start


def _in_turn(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Processor seconds of two calls, medians of runs taken in turn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one-pixel regions, of divisions by 0
        ours()
        pairs: list[list[float]] = []
        for _ in range(PAIRS):
            pairs.append([])
            for function in (ours, theirs):
                start = time.process_time()
                function()
                pairs[-1].append(time.process_time() - start)
    one, two = (statistics.median(p[k] for p in pairs) for k in (0, 1))
    return one, two


def _both(ours: float, theirs: float) -> str:
    return f"{ours:.3f} and {theirs:.2f} s"


def _nyxus(folder: Path) -> Path:
    """Python of an environment with nyxus in it, made if it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "nyxus"], check=True)
    return python


def _command(
    images: Path, labels: Path, table: Path, workers: int, wanted: tuple[str, ...] = ()
) -> list[object]:
    named = ["--families", ",".join(wanted)] if wanted else []
    return [BIN / "cell-feat", "measure", labels, "--images", images, "-o", table, "-j", workers,
            "-q", *named]


# -- the images ------------------------------------------------------------------------------


def _scenes(place: Place) -> Iterator[Scene]:
    """Many small nuclei and some large cells; simulated ones without the data.

    The last is what a loop over objects is measured by: its time goes by the object, ours by the
    pixel, so few large ones are its best case.
    """
    nuclei = place.data / "fractal_omezarr"
    if not nuclei.exists():
        field = simulate_field(0, shape=(1080, 1280), n_cells=600)
        yield "simulated", field.nuclei, field.image[0], 1 / 20
        return
    yield ("3006 nuclei", tifffile.imread(nuclei / "B03_nuclei_labels_level1.tif").astype(
        np.uint32), tifffile.imread(nuclei / "B03_mip_level1_czyx_squeezed_cyx.tif")[0], 1 / 20)
    cells = place.data / "usiigaci_t98g_phase"
    found = [sorted((cells / part).glob("*.tif"))[0] for part in ("labels", "images")]
    labels, image = (tifffile.imread(path) for path in found)
    yield f"{len(np.unique(labels)) - 1} whole cells", labels.astype(np.uint32), image, 1 / 10


def _small(place: Place) -> tuple[Path, Path]:
    return _stores(place, "small", [_picture(place)[:, :320, :320]])


def _mosaic(place: Place, count: int) -> tuple[Path, Path]:
    """Fields of 1920 x 1920 px in two channels: a real one of 640 x 640 nine times, shifted."""
    large = np.tile(_picture(place), (1, 3, 3))
    return _stores(place, f"mosaic{count}", [np.roll(large, 40 * k, axis=(1, 2))
                                            for k in range(count)])


def _picture(place: Place) -> np.ndarray:
    """Two channels (2,640,640)."""
    real = place.data / "sbs_plate96" / "images"
    if real.exists():
        return np.stack([tifffile.imread(real / f"Channel{k}-01-A-01.tif") for k in (2, 1)])
    from skimage import data

    return np.stack([np.pad(data.human_mitosis(), ((0, 128), (0, 128)), mode="wrap")] * 2)


def _stores(place: Place, name: str, pictures: list[np.ndarray]) -> tuple[Path, Path]:
    images, labels = (place.scratch / f"{name}.{k}ome.zarr" for k in ("", "labels."))
    if not labels.exists():
        raw = place.scratch / f"{name}-raw"
        raw.mkdir(exist_ok=True)
        for k, picture in enumerate(pictures):
            for c, plane in enumerate(picture):
                tifffile.imwrite(raw / f"A{k + 1:02d}_c{c + 1}.tif", plane)
        remove(images)
        seconds([BIN / "cell-extract", "images", f"{raw}/*.tif", "--pattern",
                 "{well}_{channel}.tif", "-o", images, "-q"])
        seconds([BIN / "cell-segment", "threshold", images, "-c", "c1", "-o", labels, "-q"])
    return images, labels


