"""Start-up, overlap of two piped commands, and memory on an image larger than it."""

import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from libcell.data import groups, image_store, images
from libcell.data.image import About
from tests.peers.bench import Place, Row
from tests.peers.processes import BIN, peak_gb, remove, seconds

ROOMS = ("extract", "segment", "align", "crop", "feat", "train", "track", "explain")
FIELDS = 96
EDGE = 20_000


def bench_help(place: Place) -> Iterator[Row]:
    """`cell-X --help` beside importing typer alone; runs in turn, so that drift hits both."""
    pairs: dict[str, list[float]] = {room: [] for room in ROOMS}
    for _ in range(9):
        for room in ROOMS:
            alone = seconds([sys.executable, "-c", "import typer"])
            pairs[room].append(seconds([BIN / f"cell-{room}", "--help"]) / alone)
    for room, ratios in pairs.items():
        yield Row(f"cell-{room} --help", statistics.median(ratios), 1.5,
                  "times `import typer`", "median of 9 pairs")


def bench_pipe(place: Place) -> Iterator[Row]:
    """Two piped commands over 96 fields beside the slower of the two alone."""
    plate = _plate(place)
    labels, table = place.scratch / "n.labels.ome.zarr", place.scratch / "f.parquet"
    segment = f"cell-segment threshold {plate} -c 2 -j 1 -o {labels}"
    measure = f"-j 1 --images {plate} -o {table}"
    figures = []
    for _ in range(5):
        remove(labels, table)
        first = seconds(["bash", "-c", segment])
        second = seconds(["bash", "-c", f"cell-feat measure {labels} {measure}"])
        remove(labels, table)
        both = seconds(["bash", "-c", f"{segment} | cell-feat measure - {measure}"])
        figures.append(both / max(first, second))
    yield Row("cell-segment | cell-feat over 96 fields", statistics.median(figures), 1.2,
              "times the slower alone", "median of 5, one worker each")


def bench_memory(place: Place) -> Iterator[Row]:
    """Peak memory of `cell-segment threshold` on 20000 x 20000 px."""
    store = _large(place)
    target = place.scratch / "large.labels.ome.zarr"
    before = time.perf_counter()
    peak = peak_gb([BIN / "cell-segment", "threshold", store, "-j", "2", "--force",
                     "-o", target])
    took = time.perf_counter() - before
    yield Row(f"cell-segment threshold, {EDGE} x {EDGE} px, 2 workers", peak, 1.5,
              "GB peak", f"{EDGE * EDGE / took / 1e6:.1f} Mpx/s")


def _plate(place: Place) -> Path:
    """An image store of 96 fields: the real plate where it is, else simulated fields."""
    store = place.scratch / "plate.ome.zarr"
    if store.exists():
        return store
    raw = place.data / "sbs_plate96" / "images"
    if raw.exists():
        seconds([BIN / "cell-extract", "images", f"{raw}/*.tif", "--pattern",
                  "Channel{channel}-{_}-{row}-{col}.tif", "-o", store])
        return store
    made = place.scratch / "raw"
    shutil.rmtree(made, ignore_errors=True)
    seconds([sys.executable, "-m", "libcell.simulate", "plate", "-o", made, "--wells",
              str(FIELDS), "--sites", "1", "--size", "640"])
    seconds([BIN / "cell-extract", "images", f"{made}/*.tif", "--pattern",
              "{well}_s{site}_{channel}.tif", "-o", store])
    return store


def _large(place: Place) -> Path:
    """One image of 20000 x 20000 px: a real picture of nuclei repeated, written band by band."""
    store = place.scratch / "large.ome.zarr"
    if store.exists():
        return store
    picture = _nuclei(place)
    root = place.scratch / "large.partial"
    shutil.rmtree(root, ignore_errors=True)
    about = About("large", "", "large", (1, 1, 1, EDGE, EDGE), picture.dtype, ("DNA",))
    groups.ensure(root)
    levels = image_store.create(root, about)
    for y in range(0, EDGE, images.SHARD):
        rows = np.arange(y, min(y + images.SHARD, EDGE)) % picture.shape[0]
        for x in range(0, EDGE, images.SHARD):
            columns = np.arange(x, min(x + images.SHARD, EDGE)) % picture.shape[1]
            images.write_region(levels, 0, 0, y, x, picture[np.ix_(rows, columns)][None],
                                mean=True)
    provenance = {"command": "bench", "version": "0", "parameters": {}, "inputs": []}
    image_store.seal(root, "large", [""], ["sha256:" + "0" * 64], provenance)
    root.rename(store)
    return store


def _nuclei(place: Place) -> np.ndarray:
    real = place.data / "sbs_plate96" / "images" / "Channel2-01-A-01.tif"
    if real.exists():
        return np.asarray(tifffile.imread(real))
    from skimage import data

    return np.asarray(data.human_mitosis())


