"""Crops of real nuclei: cut beside the loop that a script would be, read beside zarr and codec."""

import os
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numcodecs import blosc
from skimage.measure import regionprops

from libcell.data.crop_reader import CropReader
from libcell.data.crops import open_crops
from libcell.data.shard_reader import open_chunks
from tests.hand_made import write_images, write_labels
from tests.peers.bench import Place, Row
from tests.peers.processes import BIN, peak_gb, remove

SIZE = 96
FIELDS = 8  # of 3006 nuclei
LOOPED = 400  # crops that the plain loop cuts
BATCH = 256


def bench_crop_cells(place: Place) -> Iterator[Row]:
    """Nuclei of a real field with four channels of 16 bits, mirrored to eight fields."""
    folder = _plate(place)
    half, whole = (_cpu_seconds(_command(folder, name)) for name in ("half", "whole"))
    few, many = (open_crops(folder / f"{n}.crops.zarr").n for n in ("half", "whole"))
    each = (whole - half) / (many - few) * 1e6
    how = f"{many} crops of 4 x 96 x 96 uint16, real nuclei, one worker, without start-up"
    yield Row("cell-crop cells: 10,000 crops a second and core", each, 100,
              "us of CPU per crop", f"{how}; {1e6 / each:.0f} crops/s")
    plain = _plain_loop(folder, place.scratch / "plain.zarr")
    yield Row("cell-crop cells beside regionprops, slices and one zarr write a crop", each / plain,
              0.1, "times its CPU", f"{how}; {plain:.0f} us each")
    small, large = (peak_gb(_command(folder, name)) for name in ("half", "whole"))
    yield Row("memory of twice as many crops", large / small, 1.1, "times",
              f"{few} and {many} crops; {large:.2f} GB")
    remove(folder, place.scratch / "plain.zarr")


def bench_crop_reading(place: Place) -> Iterator[Row]:
    """Shuffled batches of a store, after an epoch that fetches memory and files."""
    folder = _plate(place)
    for compression in ("none", "auto"):
        subprocess.run([*_command(folder, "half"), "--compression", compression], check=True,
                       capture_output=True)
        path = folder / "half.crops.zarr"
        each, decoding = _reading(CropReader(path)), _decoding(path)
        how = "4 x 96 x 96 uint16, blocks of 64, pools of 2048, one core"
        if compression == "none":
            yield Row("shuffled crops, uncompressed: 100,000 a second and core", each, 10,
                      "us of CPU per crop", f"{how}; {1e6 / each:.0f} crops/s")
            continue
        yield Row("shuffled crops beside their decompression alone", each / decoding, 1.6,
                  "times its CPU", f"{how}; {1e6 / each:.0f} crops/s, {1e6 / decoding:.0f}")
        yield Row("shuffled crops beside zarr's own selection", each / _zarr_random(path), 0.05,
                  "times its CPU", how)
        nucleus = _reading(CropReader(path, "nucleus", size=(60, 60)))
        yield Row("masked and cut to 60 px beside whole patches", nucleus / each, 1.2,
                  "times its CPU", how)
    remove(folder)


def _plate(place: Place) -> Path:
    """Stores `half` and `whole` of images and labels: the field and its mirror images."""
    folder = place.scratch / "crop"
    remove(folder)
    folder.mkdir()
    source = place.data / "fractal_omezarr"
    pixels = tifffile.imread(source / "B03_mip_level1_czyx_squeezed_cyx.tif")
    labels = tifffile.imread(source / "B03_nuclei_labels_level1.tif").squeeze()
    pixels = np.concatenate([pixels, pixels[:1]])
    names = [f"B/{i + 1:02d}/0" for i in range(FIELDS)]
    turns = [(slice(None, None, 1 - 2 * (i % 2)), slice(None, None, 1 - i // 2 % 2 * 2))
             for i in range(FIELDS)]
    for name, count in (("half", FIELDS // 2), ("whole", FIELDS)):
        chosen = list(zip(names, turns))[:count]
        write_images(folder / f"{name}.ome.zarr",
                     {n: pixels[None, :, None, *t] for n, t in chosen})
        write_labels(folder / f"{name}.labels.ome.zarr",
                     {n: {"nuclei": labels[None, None, *t]} for n, t in chosen})
    return folder


def _command(folder: Path, name: str) -> list[str]:
    return [str(BIN / "cell-crop"), "cells", str(folder / f"{name}.labels.ome.zarr"), "--images",
            str(folder / f"{name}.ome.zarr"), "--size", str(SIZE), "-j", "1", "--force", "-o",
            str(folder / f"{name}.crops.zarr")]


def _cpu_seconds(command: list[str]) -> float:
    """User and system time of a command: the least of three runs."""
    found = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True,
                       env=os.environ | {"OMP_NUM_THREADS": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def _plain_loop(folder: Path, target: Path) -> float:
    """Microseconds of CPU per crop of the usual script: centroid, slice, append to an array."""
    images = zarr.open_group(str(folder / "half.ome.zarr"), mode="r")["B/01/0/0"]
    labels = zarr.open_group(str(folder / "half.labels.ome.zarr"),
                             mode="r")["B/01/0/labels/nuclei/0"]
    pixels, found = np.asarray(images[0, :, 0]), np.asarray(labels[0, 0, 0])  # type: ignore[index]
    out = zarr.create_array(str(target), shape=(LOOPED, len(pixels), SIZE, SIZE), dtype="u2",
                            chunks=(1, len(pixels), SIZE, SIZE), overwrite=True)
    wide = np.pad(pixels, [(0, 0), (SIZE, SIZE), (SIZE, SIZE)])
    props = regionprops(found)[:LOOPED]
    start = time.process_time()
    for i, one in enumerate(props):
        y, x = (round(v) + SIZE // 2 for v in one.centroid)
        out[i] = wide[:, y : y + SIZE, x : x + SIZE]
    return (time.process_time() - start) / len(props) * 1e6


def _reading(reader: CropReader) -> float:
    """Microseconds of CPU per crop; the first two epochs fetch memory."""
    found = []
    for epoch in range(5):
        start = time.process_time()
        for _ in reader.shuffled(BATCH, seed=0, epoch=epoch):
            pass
        found.append((time.process_time() - start) / len(reader) * 1e6)
    return min(found[2:])


def _decoding(path: Path) -> float:
    """The same for the codec alone: every chunk of crops and masks into one buffer."""
    blosc.use_threads = False
    store: Any = open_crops(path)
    found = []
    for _ in range(3):
        start = time.process_time()
        for array in (store.crops, store.masks):
            chunks = open_chunks(array, path)
            out = np.empty((chunks.step, *array.shape[1:]), array.dtype)
            for number in range(store.n // chunks.step):
                chunks.read(number, out)
        found.append((time.process_time() - start) / store.n * 1e6)
    return min(found)


def _zarr_random(path: Path) -> float:
    """The same for batches of random rows through zarr's orthogonal selection."""
    store = open_crops(path)
    rows = np.random.default_rng(0).permutation(store.n)[:BATCH]
    start = time.process_time()
    store.crops.oindex[rows]
    return (time.process_time() - start) / BATCH * 1e6
