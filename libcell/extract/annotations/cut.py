"""The second pass: crops, shard by shard."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image as Pillow

from libcell.data import crops, tables
from libcell.data.shards import codec
from libcell.extract.annotations.index import RUNS, runs_of
from libcell.extract.annotations.packed import Packer, Window, is_dear
from libcell.extract.annotations.pixels import Kind, as_kind, decode_picture
from libcell.extract.annotations.runs import Runs

Pieces = list[tuple[Path, int, int]]  # rows first:stop of a part file


@dataclass(frozen=True)
class Shape:
    """What a crop is: the box of an object with `pad` px around it.

    Native crops are `window` (height, width), the box in their middle; with `edge` the box is
    padded to a square and resized to edge x edge.
    """

    window: tuple[int, int]
    pad: int = 0
    edge: int | None = None
    black: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the crops."""
        return (self.edge, self.edge) if self.edge else self.window


def fill_shard(
    root: Path, start: int, pieces: Pieces, pictures: dict[str, Path], kind: Kind, shape: Shape
) -> dict[str, int]:
    """Cut the objects of `pieces` and write them as the shard that begins at row `start`.

    Holds one picture and one chunk of crops at a time.
    """
    rows = pa.concat_tables([
        tables.read_part(file).select(["Metadata_Image", "y0", "x0", "y1", "x1", *RUNS])
        .slice(a, b - a) for file, a, b in pieces])
    boxes = np.column_stack([rows.column(n).to_numpy() for n in ("y0", "x0", "y1", "x1")])
    names = rows.column("Metadata_Image").to_pylist()
    cutter = _Cutter(names, boxes.astype(np.int64), runs_of(rows), pictures, kind, shape)
    packs = not shape.edge and not shape.black and codec(np.dtype(kind[1])) is None
    with crops.shard(root, start) as shard:
        for first in range(0, len(names), crops.CHUNK):
            stop = min(first + crops.CHUNK, len(names))
            made = cutter.frames(first, stop) if packs else None
            if made and first == 0 and is_dear(made[0], cutter.windows(first, stop)[0]):
                made, packs = None, False
            if made:
                shard.add_frames(*made)
            else:
                shard.add(*(one[: stop - first] for one in cutter.windows(first, stop)))
    return {"n": len(names)}


class _Cutter:
    """Cuts crops, a chunk at a time: objects first:stop, which are at most CHUNK."""

    def __init__(self, names: list[str], boxes: np.ndarray, runs: Runs, pictures: dict[str, Path],
                 kind: Kind, shape: Shape):
        self._names, self._boxes, self._runs, self._shape = names, boxes, runs, shape
        self._pictures, self._kind = pictures, kind
        self._current = ("", np.empty((1, 1, 1)))
        self._crops = np.zeros((crops.CHUNK, kind[0], *shape.size), kind[1])
        self._masks = np.zeros((crops.CHUNK, *shape.size), bool)
        self._dirty = slice(0)

    @functools.cached_property
    def _packer(self) -> Packer:
        shape = self._shape
        window = Window(*shape.window, shape.pad, self._kind[0], self._crops.itemsize)
        return Packer(window, crops.CHUNK, self._boxes, _corners(self._boxes, shape), self._runs)

    def frames(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Crops and masks as zstd frames, where there are such."""
        for pixels, a, b in self._stretches(first, stop):
            self._packer.take(pixels, a, b)
        packed, masks = self._packer.pack(), self._packer.pack_masks(first, stop)
        return None if packed is None or masks is None else (packed, masks)

    def windows(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Crops (CHUNK,C,H,W) and masks (CHUNK,H,W); until the next call."""
        _clear(self._boxes[self._dirty], self._crops, self._masks, self._shape)
        self._dirty = slice(first, stop)
        fill = _resized if self._shape.edge else _native
        for pixels, a, b in self._stretches(first, stop):
            place = slice(a - first, b - first)
            fill(pixels, self._runs.some(a, b), self._boxes[a:b], self._crops[place],
                 self._masks[place], self._shape)
        return self._crops, self._masks

    def _stretches(self, first: int, stop: int) -> Iterator[tuple[np.ndarray, int, int]]:
        """Pictures, and which of first:stop are theirs."""
        for a, b in _same(self._names, first, stop):
            name = self._names[a]
            if name != self._current[0]:
                pixels = as_kind(decode_picture(self._pictures[name]), self._kind)
                self._current = name, np.ascontiguousarray(pixels)
            yield self._current[1], a, b


def _corners(boxes: np.ndarray, shape: Shape) -> np.ndarray:
    """Where in the image the (0,0) of each native crop lies (n,2)."""
    corners: np.ndarray = boxes[:, :2] - (np.array(shape.window) - boxes[:, 2:] + boxes[:, :2]) // 2
    return corners


def _clear(boxes: np.ndarray, made: np.ndarray, inside: np.ndarray, shape: Shape) -> None:
    """Zeros again where a chunk was filled: crops are mostly margin, which stays as it is."""
    if shape.edge:
        made[:], inside[:] = 0, False
        return
    size = boxes[:, 2:] - boxes[:, :2]
    low = np.maximum((np.array(shape.window) - size) // 2 - shape.pad, 0)
    high = low + size + 2 * shape.pad
    for i, ((y0, x0), (y1, x1)) in enumerate(zip(low.tolist(), high.tolist())):
        made[i, :, y0:y1, x0:x1] = 0
        inside[i, y0:y1, x0:x1] = False


def _same(names: list[str], first: int, stop: int) -> Iterator[tuple[int, int]]:
    """Stretches of first:stop that are of one picture."""
    begin = first
    for i in range(first + 1, stop + 1):
        if i == stop or names[i] != names[begin]:
            yield begin, i
            begin = i


def _native(
    pixels: np.ndarray, runs: Runs, boxes: np.ndarray, made: np.ndarray, inside: np.ndarray,
    shape: Shape,
) -> None:
    """Boxes as they are, each in the middle of its crop; 0 around them."""
    corners = _corners(boxes, shape)
    runs.paint(inside, corners)
    low = np.maximum(boxes[:, :2] - shape.pad, 0)
    high = np.minimum(boxes[:, 2:] + shape.pad, pixels.shape[1:])
    for crop, (y, x), (y0, x0), (y1, x1) in zip(made, corners.tolist(), low.tolist(),
                                                high.tolist()):
        crop[:, y0 - y : y1 - y, x0 - x : x1 - x] = pixels[:, y0:y1, x0:x1]
    if shape.black:
        made *= inside[:, None]


def _resized(
    pixels: np.ndarray, runs: Runs, boxes: np.ndarray, made: np.ndarray, inside: np.ndarray,
    shape: Shape,
) -> None:
    """Boxes padded with 0 to squares, then resized: pixels by area, masks to the nearest."""
    assert shape.edge
    sizes = boxes[:, 2:] - boxes[:, :2]
    edges = sizes.max(axis=1) + 2 * shape.pad
    square = Shape((int(edges.max(initial=1)),) * 2, shape.pad, black=shape.black)
    wide = np.zeros((len(boxes), made.shape[1], *square.window), made.dtype)
    wide_masks = np.zeros((len(boxes), *square.window), bool)
    _native(pixels, runs, boxes, wide, wide_masks, square)
    for i, (edge, size) in enumerate(zip(edges.tolist(), sizes.tolist())):
        # where the square begins in the window: both have the box in their middle
        y, x = ((wide_edge - s) // 2 - (edge - s) // 2
                for wide_edge, s in zip(square.window, size))
        part = (slice(y, y + edge), slice(x, x + edge))
        for channel, target in zip(wide[i], made[i]):
            target[:] = _scaled(channel[part], shape.edge, made.dtype)
        mask = Pillow.fromarray(wide_masks[i][part])
        inside[i] = np.asarray(mask.resize((shape.edge,) * 2, Pillow.Resampling.NEAREST))


def _scaled(plane: np.ndarray, edge: int, dtype: np.dtype) -> np.ndarray:
    """(Y,X) resized to edge x edge: bilinear, over as many pixels as one of the result covers."""
    exact = plane if dtype == np.uint8 else plane.astype(np.float32)
    made = np.asarray(Pillow.fromarray(exact).resize((edge, edge), Pillow.Resampling.BILINEAR))
    return made if dtype.kind == "f" or dtype == np.uint8 else np.rint(made).astype(dtype)
