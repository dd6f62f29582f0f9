"""What is done to one tile in each pass: value range, histogram, seeds, labels."""

from pathlib import Path

import numpy as np
import zarr

from libcell.data import digests, images, labels
from libcell.data.images import Source
from libcell.segment.kernels import threshold
from libcell.segment.kernels.threshold import RootCounts
from libcell.segment.tiles.cut import SHARD, Cut, FrameCut, flat, read_window, stacked


def create_labels(source: Source, root: Path, link: str | None, compartment: str) -> None:
    """An empty label image. A block of its own: a resumed run must not empty a filled one."""
    from libcell.data import open as opening

    labels.create(root, opening.image(source).about, [compartment], link)


def measure_range(cut: Cut, y0: int, x0: int) -> tuple[float, float]:
    """Lowest and highest smoothed value of a tile."""
    return threshold.value_range(_core_signal(cut, y0, x0))


def measure_histogram(cut: Cut, y0: int, x0: int, low: float, high: float) -> list[int]:
    """Counts of a tile's smoothed values."""
    counts = threshold.histogram(_core_signal(cut, y0, x0), low, high)
    return [int(n) for n in counts]


def _core_signal(cut: Cut, y0: int, x0: int) -> np.ndarray:
    """What is thresholded, of one tile without its halo."""
    planes = cut.image().about.shape[2]
    margin = threshold.signal_margin(cut.params, 2 if planes == 1 else 3)
    window = read_window(cut, y0, x0, (margin[-2], margin[-1]))
    return stacked(threshold.signal(flat(window.pixels), cut.params))[window.core]


def find_roots(cut: Cut, y0: int, x0: int, level: float, store: Path) -> str:
    """Seed of every pixel of a tile, with as wide a halo as certainty takes; counts to a file."""
    skip = 1 if cut.image().about.shape[2] == 1 else 0
    halo = threshold.halo_shape(cut.params, 3 - skip)[-2:]
    certain = False
    while not certain:
        window = read_window(cut, y0, x0, (halo[0], halo[1]))
        roots, certain = threshold.tile_roots(
            flat(window.pixels), window.origin[skip:], window.full[skip:], window.core[skip:],
            cut.params, level,
        )
        halo = (halo[0] * 2, halo[1] * 2)
    return keep_roots(stacked(roots), y0, x0, window.full, store)


def keep_roots(
    roots: np.ndarray, y0: int, x0: int, full: tuple[int, ...], store: Path
) -> str:
    """Write a tile's seeds (Z,Y,X) where the labels are made from; the name of their counts.

    A single plane has no border above and below.
    """
    array = zarr.open_array(str(store), mode="r+")
    height, width = roots.shape[-2:]
    array[:, y0 : y0 + height, x0 : x0 + width] = roots
    skip = 1 if full[0] == 1 else 0
    found = threshold.count_roots(flat(roots), (0, y0, x0)[skip:], full[skip:])
    name = f"{store.name}-{y0}-{x0}.npz"
    np.savez(store.parent / name, **found._asdict())
    return name


def load_counts(path: Path) -> RootCounts:
    """What `find_roots` counted in one tile."""
    with np.load(path) as saved:
        return RootCounts(**{k: saved[k] for k in RootCounts._fields})


def write_labels(
    cut: FrameCut, y0: int, x0: int, store: Path, kept: Path, root: Path
) -> dict[str, str]:
    """Final labels of one shard, written into every level; `kept` are the seeds that remain."""
    array = zarr.open_array(str(store), mode="r")
    roots = np.asarray(array[:, y0 : y0 + SHARD, x0 : x0 + SHARD])
    found = threshold.relabel(roots, np.load(kept))
    levels = labels.open_levels(root, cut.source.group or "", cut.compartment)
    images.write_region(levels, cut.t, 0, y0, x0, found, mean=False)
    return {"digest": digests.of_bytes(found.tobytes())}
