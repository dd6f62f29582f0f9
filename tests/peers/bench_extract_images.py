"""Files to an image store, beside reading them with tifffile and writing them with zarr alone."""

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.peers.bench import Place, Row
from tests.peers.processes import BIN, remove, seconds

RUNS = 5

# What a script of one's own would do: the same pixels, pyramid, chunks, shards and compression;
# no names, no plate, no display windows, no digests, no journal.
PLAIN = """
import sys
from pathlib import Path
import numpy as np, tifffile, zarr
from zarr.codecs import ZstdCodec
target, files = Path(sys.argv[1]), [Path(f) for f in sys.argv[2:]]
wells = {}
for file in files:
    wells.setdefault(file.stem.split("-", 2)[-1] if "-" in file.stem else file.stem[:-4],
                     []).append(file)
root = zarr.open_group(str(target), mode="w")
for well, channels in wells.items():
    planes = [tifffile.imread(f) for f in sorted(channels)]
    level = 0
    while True:
        height, width = planes[0].shape
        edge = [n + n % 2 for n in planes[0].shape]
        chunk = [min(512, n) for n in edge]
        array = root.create_array(
            f"{well}/{level}", shape=(1, len(planes), 1, height, width), dtype=planes[0].dtype,
            chunks=(1, 1, 1, *chunk), shards=(1, 1, 1, *(c * -(-n // c) for n, c in
                                                       zip(edge, chunk))),
            compressors=ZstdCodec(level=1))
        for c, plane in enumerate(planes):
            array[0, c, 0] = plane
        if max(height, width) <= 512:
            break
        planes = [p[:height // 2 * 2, :width // 2 * 2].reshape(height // 2, 2, width // 2, 2)
                  .mean((1, 3)).astype(p.dtype) for p in planes]
        level += 1
"""


def bench_extract_images(place: Place) -> Iterator[Row]:
    """The whole plate, one worker, both from a fresh process to the last byte; in turn."""
    files, pattern = _files(place)
    store, plain = place.scratch / "x.ome.zarr", place.scratch / "plain.zarr"
    ours, theirs = [], []
    for _ in range(RUNS):
        remove(store, plain)
        theirs.append(seconds([sys.executable, "-c", PLAIN, plain, *files]))
        ours.append(seconds([BIN / "cell-extract", "images", *files, "--pattern", pattern,
                             "-j", "1", "-q", "-o", store]))
    remove(store, plain)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    yield Row(f"cell-extract images, {len(files)} TIFFs, beside tifffile.imread and zarr", ratio,
              1.25, "times its time",
              f"same pyramid, chunks and compression; {statistics.median(ours):.2f} and "
              f"{statistics.median(theirs):.2f} s; median of {RUNS} pairs, one worker")


def _files(place: Place) -> tuple[list[Path], str]:
    """The TIFFs of a plate and their pattern: the real one where it is, else a simulated one."""
    real = sorted((place.data / "sbs_plate96" / "images").glob("*.tif"))
    if real:
        return real, "Channel{channel}-{_}-{row}-{col}.tif"
    made = place.scratch / "raw96"
    if not made.exists():
        seconds([sys.executable, "-m", "libcell.simulate", "plate", "-o", made, "--wells", "96",
                 "--sites", "1", "--size", "640"])
    return sorted(made.rglob("*_*.tif")), "{well}_s{site}_{channel}.tif"
