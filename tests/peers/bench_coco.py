"""Annotations to crops: beside pycocotools, and beside the way that LIVECell-CLS was made."""

import concurrent.futures
import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numcodecs.zstd import compress
from PIL import Image as Pillow
from pycocotools import mask as coco
from pycocotools.coco import COCO

from libcell.data import crops
from tests.peers.bench import Place, Row
from tests.peers.processes import BIN, peak_gb, remove, seconds

CELLS = 200_000
IN_IMAGE = 450
HEIGHT, WIDTH = 520, 704  # LIVECell's images
SAMPLE = 3 * IN_IMAGE
SIZE_MB = 200
SHARDS = 5  # whose size is compared


def bench_coco_crops(place: Place) -> Iterator[Row]:
    """Crops of 200,000 real outlines in images of LIVECell's size."""
    folder = _annotated(place, CELLS, "coco")
    theirs = _cls_way(folder, place.scratch / "cls")
    boxes = _in_boxes(folder)
    target = place.scratch / "x.crops.zarr"
    runs = [[_extract(folder, target, workers) for workers in (1, 2)] for _ in range(3)]
    one, two = map(min, zip(*runs))
    apart = _side_by_side(folder, place.scratch)
    size = _beside_zstd(target)
    remove(target)
    rate = f"{CELLS / two:.0f} cells/s with 2 workers, {CELLS / one:.0f} with 1"
    yield Row("cell-extract coco beside annToMask, crop, one PNG per cell", two / CELLS / theirs,
              1 / 20, "times its time per cell", rate)
    yield Row("cell-extract coco beside pycocotools drawing the same outlines in their boxes",
              two / boxes, 1.5, "times its time", f"2 workers; with 1: {one / boxes:.2f}")
    yield Row("cell-extract coco, 2 workers", two / one, 1 / 1.7, "times 1 worker",
              f"{rate}; two separate runs at once take {apart / 2 / one:.2f} of both in turn")
    yield Row("crops packed from their boxes beside zstd, level 1, of the same windows", size, 1.1,
              "times its bytes", "overlapping boxes, which zstd finds again; more than real ones")


def bench_coco_memory(place: Place) -> Iterator[Row]:
    """Four times the images, with as many cells in all."""
    few, many = (_annotated(place, CELLS // 4, f"coco-{n}", n) for n in (IN_IMAGE, IN_IMAGE // 4))
    target = place.scratch / "x.crops.zarr"
    peaks = []
    for folder in (few, many):
        remove(target)
        peaks.append(peak_gb([BIN / "cell-extract", "coco", folder / "coco.json", "-o", target,
                              "-j", "2", "-q"]))
    remove(target)
    yield Row("cell-extract coco, four times the images", peaks[1] / peaks[0], 1.25,
              "times the peak memory",
              f"{peaks[0]:.2f} and {peaks[1]:.2f} GB in the largest process")


def bench_coco_load(place: Place) -> Iterator[Row]:
    """An annotation file of 200 MB, each way in a process of its own."""
    path = _large(place)
    ours = _load(path, "from pathlib import Path; from libcell.extract.annotations import document",
                 "document.load(Path(path))")
    theirs = _load(path, "from pycocotools.coco import COCO", "COCO(path)")
    how = f"{path.stat().st_size / 1e6:.0f} MB; {ours[0]:.2f} and {theirs[0]:.2f} s"
    yield Row("loading annotations beside pycocotools.COCO", ours[0] / theirs[0], 1 / 4,
              "times its time", how)
    yield Row("loading annotations beside pycocotools.COCO", ours[1] / theirs[1], 1 / 4,
              "times its memory", f"{ours[1]:.2f} and {theirs[1]:.2f} GB")


def _extract(folder: Path, target: Path, workers: int) -> float:
    remove(target)
    took = seconds([BIN / "cell-extract", "coco", folder / "coco.json", "-o", target,
                    "-j", workers, "-q"])
    return took


def _side_by_side(folder: Path, scratch: Path) -> float:
    """Seconds of two runs with one worker each at the same time: what the cores can give."""
    targets = [scratch / f"x{i}.crops.zarr" for i in range(2)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        took = max(pool.map(lambda target: _extract(folder, target, 1), targets))
    for target in targets:
        remove(target)
    return took


def _beside_zstd(path: Path) -> float:
    """Bytes of some shards of crops beside what zstd makes of their chunks."""
    store = crops.open_crops(path)
    assert store.crops.shards
    rows = store.crops.shards[0]
    shards = range(0, store.n // rows, max(1, store.n // rows // SHARDS))
    ours = sum((path / "crops" / "c" / str(i) / "0" / "0" / "0").stat().st_size for i in shards)
    theirs = 0
    for first in (f for i in shards for f in range(i * rows, (i + 1) * rows, crops.CHUNK)):
        chunk = store.read(slice(first, first + crops.CHUNK))[0]
        theirs += len(compress(np.ascontiguousarray(chunk), 1))
    return ours / theirs


def _cls_way(folder: Path, target: Path) -> float:
    """Seconds per cell of the full-frame mask, the crop on black, one PNG each."""
    remove(target)
    target.mkdir()
    with contextlib.redirect_stdout(io.StringIO()):
        found = COCO(str(folder / "coco.json"))
    start = time.perf_counter()
    done = 0
    for number, image in found.imgs.items():
        pixels = tifffile.imread(folder / image["file_name"])
        for one in found.imgToAnns[number]:
            mask = found.annToMask(one).astype(bool)
            y, x = np.nonzero(mask)
            box = (slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1))
            Pillow.fromarray(np.where(mask[box], pixels[box], 0)).save(target / f"{one['id']}.png")
            done += 1
        if done >= SAMPLE:
            break
    took = (time.perf_counter() - start) / done
    remove(target)
    return took


def _in_boxes(folder: Path) -> float:
    """Seconds that pycocotools takes to draw every outline into its bounding box."""
    found = json.loads((folder / "coco.json").read_text())["annotations"]
    start = time.perf_counter()
    for one in found:
        x, y, width, height = one["bbox"]
        left, top = int(x), int(y)
        size = int(np.ceil(y + height)) - top, int(np.ceil(x + width)) - left
        moved = [(np.array(p).reshape(-1, 2) - (left, top)).ravel().tolist()
                 for p in one["segmentation"]]
        coco.decode(coco.merge(coco.frPyObjects(moved, *size)))
    return time.perf_counter() - start


def _load(path: Path, imports: str, call: str) -> tuple[float, float]:
    """Seconds and GB that a call adds to a process that has imported what it needs."""
    code = (  # not getrusage: its peak is at first that of the process that started this one
        f"import sys, time; {imports}; path = sys.argv[1]; "
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]); "
        f"before, start = peak(), time.perf_counter(); found = {call}; "
        "print(time.perf_counter() - start, (peak() - before) * 1024 / 1e9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True,
                          capture_output=True, text=True, env=os.environ)
    took, size = done.stdout.splitlines()[-1].split()
    return float(took), float(size)


# -- inputs ------------------------------------------------------------------------------


def _annotated(place: Place, cells: int, name: str, in_image: int = IN_IMAGE) -> Path:
    """Images of LIVECell's size, each with some real outlines put where they fit."""
    folder = place.scratch / name
    if (folder / "coco.json").exists():
        return folder
    folder.mkdir(exist_ok=True)
    outlines, random = _outlines(place), np.random.default_rng(0)
    images, annotations = [], []
    pictures = _pictures(place)
    for number in range(1, -(-cells // in_image) + 1):
        images.append({"id": number, "file_name": f"i{number}.tif", "height": HEIGHT,
                       "width": WIDTH})
        tifffile.imwrite(folder / f"i{number}.tif",
                         np.roll(pictures[number % len(pictures)], number * 7))
        for _ in range(min(in_image, cells - len(annotations))):
            points = outlines[len(annotations) % len(outlines)]
            room = np.array([WIDTH, HEIGHT]) - points.max(axis=0)
            annotations.append(_annotation(len(annotations) + 1, number,
                                           points + np.floor(random.random(2) * room)))
    (folder / "coco.json").write_text(json.dumps({
        "images": images, "annotations": annotations,
        "categories": [{"id": 1, "name": "cell"}]}))
    return folder


def _pictures(place: Place) -> list[np.ndarray]:
    """Real phase contrast of LIVECell's size and depth; noise without the data."""
    paths = sorted((place.data / "usiigaci_t98g_phase" / "images").glob("*.tif"))
    if not paths:
        noise = np.random.default_rng(0).normal(128, 20, (HEIGHT, WIDTH))
        return [noise.clip(0, 255).astype(np.uint8)]
    found = [tifffile.imread(p)[:HEIGHT, :WIDTH].astype(np.float64) for p in paths]
    low, high = np.percentile(found, (0.1, 99.9))
    return [((f - low) * 255 / (high - low)).clip(0, 255).astype(np.uint8) for f in found]


def _annotation(number: int, image: int, points: np.ndarray) -> dict[str, Any]:
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    return {"id": number, "image_id": image, "category_id": 1, "iscrowd": 0,
            "area": float(np.prod(size)), "bbox": [*low.tolist(), *size.tolist()],
            "segmentation": [np.round(points, 2).ravel().tolist()]}


def _outlines(place: Place) -> list[np.ndarray]:
    """Real outlines (n,2: x, y) from 0 that fit an image; simulated ones without the data.

    Whole cells in phase contrast, as LIVECell's are: 70 points each, of LIVECell's about 50.
    """
    found = []
    path = place.data / "usiigaci_t98g_phase" / "coco.json"
    if path.exists():
        listed = json.loads(path.read_text())["annotations"]
        found = [np.array(p).reshape(-1, 2) for a in listed for p in a["segmentation"][:1]]
    else:
        random = np.random.default_rng(1)
        for _ in range(2000):
            angles = np.sort(random.random(40)) * 2 * np.pi
            radius = (10 + 15 * random.random()) * (1 + 0.1 * random.random((40, 1)))
            found.append(radius * np.column_stack([np.cos(angles), np.sin(angles)]))
    return [p - np.floor(p.min(axis=0)) for p in found if (np.ptp(p, axis=0) < HEIGHT - 2).all()]


def _large(place: Place) -> Path:
    """Annotations of about 200 MB: the densest real outlines, repeated."""
    path = place.scratch / "large.json"
    if path.exists():
        return path
    outlines = sorted(_outlines(place), key=len)[-400:]
    annotations, size = [], 0
    while size < SIZE_MB * 1_000_000:
        number = len(annotations) + 1
        annotations.append(_annotation(number, number // IN_IMAGE + 1,
                                       outlines[number % len(outlines)]))
        size += len(json.dumps(annotations[-1])) + 2
    images = [{"id": i + 1, "file_name": f"i{i + 1}.tif", "height": HEIGHT, "width": WIDTH}
              for i in range(len(annotations) // IN_IMAGE + 1)]
    path.write_text(json.dumps({"images": images, "annotations": annotations,
                                "categories": [{"id": 1, "name": "cell"}]}))
    return path
