"""A field of view through the network: contrast, patches, paths, centres, labels.

Small ones in memory (`segment_frame`), large ones in passes over their tiles (`segment_large`).
Both do the same to the same patches, so both give the same labels, bit for bit.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from libcell.data import digests, grey
from libcell.data import open as opening
from libcell.data.image import ALL, Image
from libcell.data.images import SHARD, Source
from libcell.errors import DataError
from libcell.nn.segmenter import contrast
from libcell.nn.segmenter.contrast import Range
from libcell.nn.turns import TURNS
from libcell.run.job import Job
from libcell.segment.kernels.counting import count_roots, final_ids, relabel
from libcell.segment.kernels.window import Box
from libcell.segment.network import centres, patches, paths
from libcell.segment.network.model import load_network
from libcell.segment.network.pieces import sound
from libcell.segment.tiles.cut import flat, stacked
from libcell.segment.tiles.frame import Frame
from libcell.segment.tiles.passes import keep_roots

HALVED = "the device had too little memory for whole patches; they were cut in halves"
Levels = list[tuple[float, float]]  # per channel: what becomes 0, what becomes 1


@dataclass(frozen=True)
class NetworkParams:
    """How cells are made of what the network says.

    model, device     the network, and where it runs
    channels          of the image, in the network's order; pmin, pmax, invert: see
                      `contrast.levels`
    flat              the network knows single planes
    least             probability from which a pixel is cell, in 1/255
    score             mean probability from which an object is one, in 1/255
    reach_px          how far a cell's pixels may be from its centre
    turns             key of `libcell.nn.turns.TURNS`
    min_area_px, max_area_px, clear_border   which objects remain
    """

    model: Path
    device: str
    channels: tuple[str, ...]
    pmin: float
    pmax: float
    invert: str
    flat: bool
    least: int
    score: int
    reach_px: int
    turns: str
    min_area_px: int
    max_area_px: int | None
    clear_border: bool

    @property
    def halo_px(self) -> int:
        """What must be known around a pixel so that its centre is certain: its own path, the crowd
        around its centre, and the paths that lead there."""
        return 2 * paths.travel_px(self.reach_px) + centres.REACH_PX + 2

    @property
    def span_px(self) -> int:
        """No two pixels of a cell are further apart along any axis; and one around it."""
        return 2 * (paths.travel_px(self.reach_px) + centres.REACH_PX) + 1


@dataclass(frozen=True)
class NetworkCut:
    """One frame of a field of view, and how it is segmented: what every block of it shares."""

    source: Source
    t: int
    compartment: str
    tile: int
    params: NetworkParams

    def image(self) -> Image:
        """The field of view. DataError if the network cannot take it."""
        image = opening.image(self.source)
        require_fit(image, self.params)
        return image


def require_fit(image: Image, params: NetworkParams) -> None:
    """DataError unless the image has the channels and planes that the network takes."""
    for channel in params.channels:
        grey.require(image.about, channel)
    if params.flat and image.about.shape[2] > 1:
        raise DataError(f"{image.about.where}: has {image.about.shape[2]} planes, the model knows "
                        "single ones (cell-extract images --project max)")


# -- a frame in memory --------------------------------------------------------------------


def segment_frame(image: Image, t: int, params: NetworkParams) -> tuple[np.ndarray, bool]:
    """Labels (Z,Y,X) uint32, 1..N in raster order of the cells' centres; whether a patch had to be
    halved."""
    planes = [grey.read(image, c, t=t) for c in params.channels]
    levels = [_levels(p, params, image.about.where) for p in planes]
    shape = image.about.shape[2:]
    maps, halved = np.zeros((1 + (2 if params.flat else 3), *shape), np.uint8), False
    if any(black != white for black, white in levels):
        runner = _runner(params)
        pixels = np.stack([contrast.stretch(p, *level) for p, level in zip(planes, levels)])
        for y, x in patches.corners(shape):
            made = runner.predict(lambda rows, columns: pixels[:, :, rows, columns], shape, y, x)
            maps[:, :, y : y + made.shape[2], x : x + made.shape[3]] = made
        halved = runner.halved
    roots = flat(sound(roots_of(maps, Box.whole(shape), params), maps[0], params.score))
    found = count_roots(roots, (0,) * roots.ndim, roots.shape)
    return stacked(relabel(roots, final_ids(found, params))), halved


def _runner(params: NetworkParams) -> patches.Runner:
    return patches.Runner(load_network(params.model, params.device), TURNS[params.turns])


def _levels(pixels: np.ndarray, params: NetworkParams, where: str) -> tuple[float, float]:
    over = _range(pixels, where)
    return contrast.levels(contrast.histogram(pixels, over), over, params.pmin, params.pmax,
                           params.invert)


def _range(pixels: np.ndarray, where: str) -> Range:
    try:
        return contrast.value_range(pixels)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error


def roots_of(maps: np.ndarray, box: Box, params: NetworkParams) -> np.ndarray:
    """The root (int64, 0: none) of every pixel of a window at `box` (Z,Y,X): its centre's raster
    index in the whole image + 1. `maps` as `patches.predict` makes them.

    Right where the window goes on for `halo_px` or ends with the image.
    """
    ways = maps[1:].view(np.int8)
    cell = maps[0] >= params.least
    if cell.shape[0] == 1:  # one plane: what leads out of it leads nowhere
        ends = paths.ends(ways[-2:, 0], cell[0], params.reach_px)[None]
    else:
        ends = paths.ends(ways, cell, params.reach_px)
    return centres.roots(centres.centres(ends), box)


# -- a frame in tiles ---------------------------------------------------------------------


def segment_large(job: Job, cut: NetworkCut) -> tuple[int, str]:
    """Objects and digest of a field of view, frame by frame; holds nothing larger than a tile.

    Raises TileFailed.
    """
    shape = cut.image().about.shape
    count, content = 0, []
    for t in range(shape[0]):
        now = replace(cut, t=t)
        found, parts = _segment(Frame(job, now, shape[2:]), now)
        count += found
        content += parts
    return count, digests.of_json(content)


def _segment(frame: Frame, cut: NetworkCut) -> tuple[int, list[str]]:
    """Objects in the frame and the digests of its parts."""
    levels = _levels_of(frame, cut)
    frame.create()
    shape, edge = frame.shape, patches.edge_of(frame.shape[0])
    maps = frame.scratch("maps", (1 + (2 if cut.params.flat else 3), *shape), np.uint8, edge)
    if any(black != white for black, white in levels):
        halved = frame.map_at("maps", predict_patch, patches.corners(shape), levels=levels,
                              store=maps)
        if any(halved):
            frame.job.reporter.warn(f"{frame.where}: {HALVED}")
    loose, store = frame.scratch("loose", shape, np.int64, cut.tile), frame.roots_store()
    frame.map("roots", find_roots, maps=maps, store=loose)
    tables = frame.map("pieces", keep_pieces, maps=maps, loose=loose, store=store)
    numbered = frame.number(store, tables, cut.params)
    shutil.rmtree(maps)
    shutil.rmtree(loose)
    return numbered


def _levels_of(frame: Frame, cut: NetworkCut) -> Levels:
    """The percentiles of the whole frame, channel by channel."""
    ranges = frame.map("range", measure_range, step=SHARD)
    over = [contrast.merge_ranges([Range(*r[c]) for r in ranges])
            for c in range(len(cut.params.channels))]
    files = frame.map("histogram", measure_counts, step=SHARD, over=[list(o) for o in over],
                      store=frame.job.parts)
    total = None
    for name in files:
        counts = np.load(frame.job.parts / name)
        total = counts if total is None else total + counts
    assert total is not None
    params = cut.params
    return [contrast.levels(counts[: _bins(one)], one, params.pmin, params.pmax, params.invert)
            for counts, one in zip(total, over)]


def _bins(over: Range) -> int:
    return contrast.histogram(np.zeros(0), over).size


def measure_range(cut: NetworkCut, y0: int, x0: int) -> list[list[Any]]:
    """Range of a square's values, per channel."""
    image = cut.image()
    return [list(_range(_square(image, cut, c, y0, x0), image.about.where))
            for c in cut.params.channels]


def measure_counts(cut: NetworkCut, y0: int, x0: int, over: list[list[Any]], store: Path) -> str:
    """Counts of a square's values, per channel, in a file; its name."""
    image = cut.image()
    counts = [contrast.histogram(_square(image, cut, c, y0, x0), Range(*one))
              for c, one in zip(cut.params.channels, over)]
    widest = max(c.size for c in counts)
    name = f"counts-{digests.of_json([cut.source.where, cut.t])[7:23]}-{y0}-{x0}.npy"
    np.save(store / name, np.stack([np.pad(c, (0, widest - c.size)) for c in counts]))
    return name


def _square(image: Image, cut: NetworkCut, channel: str, y0: int, x0: int) -> np.ndarray:
    return grey.read(image, channel, cut.t, ALL, slice(y0, y0 + SHARD), slice(x0, x0 + SHARD))


def predict_patch(cut: NetworkCut, y0: int, x0: int, levels: Levels, store: Path) -> bool:
    """What the network says of one patch, into the scratch array `store`; whether it was halved."""
    image, params = cut.image(), cut.params

    def read(rows: slice, columns: slice) -> np.ndarray:
        return np.stack([contrast.stretch(grey.read(image, c, cut.t, ALL, rows, columns), *level)
                         for c, level in zip(params.channels, levels)])

    runner = _runner(params)
    made = runner.predict(read, image.about.shape[2:], y0, x0)
    array = zarr.open_array(str(store), mode="r+")
    array[:, :, y0 : y0 + made.shape[2], x0 : x0 + made.shape[3]] = made
    return runner.halved


def find_roots(cut: NetworkCut, y0: int, x0: int, maps: Path, store: Path) -> None:
    """Roots of one tile into the scratch array `store`."""
    window, box, core = _window(cut, y0, x0, maps, cut.params.halo_px)
    roots = roots_of(window, box, cut.params)[core]
    array = zarr.open_array(str(store), mode="r+")
    array[:, y0 : y0 + roots.shape[1], x0 : x0 + roots.shape[2]] = roots


def keep_pieces(
    cut: NetworkCut, y0: int, x0: int, maps: Path, loose: Path, store: Path
) -> str:
    """Roots of one tile's sound objects into `store`, their counts to a file; its name.

    `loose` holds the roots as they were found.
    """
    window, box, core = _window(cut, y0, x0, loose, cut.params.span_px)
    said = _window(cut, y0, x0, maps, cut.params.span_px)[0][0]
    return keep_roots(sound(window, said, cut.params.score)[core], y0, x0, box.full_shape, store)


def _window(
    cut: NetworkCut, y0: int, x0: int, store: Path, halo: int
) -> tuple[np.ndarray, Box, tuple[slice, ...]]:
    """A tile of a scratch array with `halo` rows and columns around it, where that lies in the
    image, and which part of it is the tile."""
    array = zarr.open_array(str(store), mode="r")
    depth, height, width = array.shape[-3:]
    rows = slice(max(0, y0 - halo), min(height, y0 + cut.tile + halo))
    columns = slice(max(0, x0 - halo), min(width, x0 + cut.tile + halo))
    window = np.asarray(array[..., rows, columns])
    top, left = y0 - rows.start, x0 - columns.start
    core = (slice(None), slice(top, top + cut.tile), slice(left, left + cut.tile))
    return window, Box((0, rows.start, columns.start), window.shape[-3:],
                       (depth, height, width)), core
