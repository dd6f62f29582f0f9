"""Chunks of native crops and their masks as zstd frames, without the windows around them.

A native crop is as large as the largest box, so it is zeros mostly. Frames made of the boxes alone
cost a third of the time that painting and packing the windows takes; what a reader unpacks is the
same. They code each byte by itself, which is no loss on noisy pixels, and a great one on flat or
repeated ones: `is_dear` tells those.
"""

from typing import NamedTuple

import numpy as np
from numcodecs.zstd import compress

from libcell.compiled import compiled
from libcell.data.frames import boxes as frames
from libcell.data.shards import LEVEL
from libcell.extract.annotations.runs import Runs

DEAR = 1.25  # times the size that zstd itself reaches


class Window(NamedTuple):
    """Height and width of all crops, the margin around boxes, channels, and bytes of a value."""

    height: int
    width: int
    pad: int
    channels: int
    item: int


class Packer:
    """Packs the crops of objects with boxes (n,4: y0, x0, y1, x1) and masks `runs`, `rows` at a
    time. `corners` (n,2: y, x) are where in the image the (0,0) of each crop lies."""

    def __init__(self, window: Window, rows: int, boxes: np.ndarray, corners: np.ndarray,
                 runs: Runs):
        self._window, self._boxes, self._corners, self._runs = window, boxes, corners, runs
        self._pixels = rows * window.height * window.width
        self._planes = np.zeros((3, rows * window.channels), np.int64)
        height, width = (boxes[:, 2 + i] - boxes[:, i] + 2 * window.pad for i in (0, 1))
        chunks = np.arange(0, len(boxes), rows)
        content, lines = (int(np.add.reduceat(v, chunks).max(initial=0)) * window.channels
                          for v in (height * width * window.item, height))
        most = int(np.diff(runs.first[[*chunks, -1]]).max(initial=0))
        total = self._pixels * window.channels * window.item
        self._content = np.empty(content, np.uint8)
        self._out = np.empty(
            frames.room(content, rows * window.channels, lines, total), np.uint8)
        self._masks = np.empty(frames.room_for_runs(most, self._pixels), np.uint8)
        self._used = self._crops = 0

    def take(self, pixels: np.ndarray, first: int, stop: int) -> None:
        """Objects first:stop, the next ones of a chunk, are cut from the picture (C,Y,X)."""
        boxes, corners = self._boxes[first:stop], self._corners[first:stop]
        self._used = _copy(pixels.view(np.uint8), boxes, corners, self._window, self._crops,
                           self._planes, self._content, self._used)
        self._crops += stop - first

    def pack(self) -> np.ndarray | None:
        """The frame of what was taken, after which there is nothing; None where there is no such.
        It lasts until the next call."""
        w = self._window
        places, rows, widths = self._planes[:, : self._crops * w.channels]
        total = self._pixels * w.channels * w.item
        size = frames.pack_boxes(self._content[: self._used], places, rows, widths,
                                 w.width * w.item, total, self._out)
        self._crops = self._used = 0
        return self._out[:size] if size else None

    def pack_masks(self, first: int, stop: int) -> np.ndarray | None:
        """The frame of the masks of objects first:stop, as above."""
        runs = self._runs
        size = _pack_masks(runs.first[first : stop + 1], runs.y, runs.x, runs.length,
                           self._corners[first:stop], self._window, self._pixels, self._masks)
        return self._masks[:size] if size else None


@compiled
def _copy(
    pixels: np.ndarray, boxes: np.ndarray, corners: np.ndarray, window: Window, number: int,
    planes: np.ndarray, content: np.ndarray, used: int,
) -> int:
    """Rows of all channels of the boxes, behind the `used` bytes of `content`; returns how many are
    used then. `planes` (3, m) gets where in the chunk each plane of a box begins, its rows and the
    bytes of each; the first box is crop `number` of the chunk."""
    height, width, pad, channels, item = window
    for i in range(len(boxes)):
        y0, x0, y1, x1 = boxes[i]
        top, left = corners[i]
        y0, x0 = max(y0 - pad, 0), max(x0 - pad, 0)
        y1, x1 = min(y1 + pad, pixels.shape[1]), min(x1 + pad, pixels.shape[2] // item)
        size = (x1 - x0) * item
        for c in range(channels):
            plane = (number + i) * channels + c
            planes[0, plane] = ((plane * height + y0 - top) * width + x0 - left) * item
            planes[1, plane], planes[2, plane] = y1 - y0, size
            for y in range(y0, y1):
                content[used : used + size] = pixels[c, y, x0 * item : x0 * item + size]
                used += size
    return used


@compiled
def _pack_masks(
    first: np.ndarray, y: np.ndarray, x: np.ndarray, length: np.ndarray, corners: np.ndarray,
    window: Window, total: int, out: np.ndarray,
) -> int:
    begin, stop = first[0], first[-1]
    starts = np.empty(stop - begin, np.int64)
    for i in range(len(corners)):
        for k in range(first[i], first[i + 1]):
            row = i * window.height + y[k] - corners[i, 0]
            starts[k - begin] = row * window.width + x[k] - corners[i, 1]
    return frames.pack_runs(starts, length[begin:stop].astype(np.int64), total, out)


def is_dear(frame: np.ndarray | None, windows: np.ndarray) -> bool:
    """Whether a frame is much larger than what zstd makes of the same windows."""
    return frame is None or len(frame) > DEAR * len(compress(windows, LEVEL))
