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

DEAR = 1.2  # times the size that zstd itself reaches


class Window(NamedTuple):
    """Height and width of all crops, the margin around boxes, channels, and bytes of a value."""

    height: int
    width: int
    pad: int
    channels: int
    item: int

    @property
    def bytes(self) -> int:
        """Of one crop."""
        return self.channels * self.height * self.width * self.item


class Chunk:
    """The boxes of the next crops, until they are packed. Used again and again."""

    def __init__(self, window: Window, rows: int):
        self.window, self._rows = window, rows
        self._planes = np.zeros((3, rows * window.channels), np.int64)
        self._content = np.empty(0, np.uint8)
        self._out = np.empty(0, np.uint8)
        self._crops = self._used = 0

    def take(self, pixels: np.ndarray, boxes: np.ndarray) -> None:
        """The next boxes (n,4: y0, x0, y1, x1) of a picture (C,Y,X)."""
        w = self.window
        height, width = (boxes[:, 2 + i] - boxes[:, i] + 2 * w.pad for i in (0, 1))
        need = self._used + int((height * width).sum()) * w.channels * w.item
        self._content = _at_least(self._content, need, self._used)
        flat = np.ascontiguousarray(pixels).view(np.uint8)
        self._used = _copy(flat, boxes, w, self._crops, self._planes, self._content, self._used)
        self._crops += len(boxes)

    def pack(self) -> np.ndarray | None:
        """The frame of the boxes taken, after which there are none; None where there is no such."""
        n = self._crops * self.window.channels
        places, rows, widths = self._planes[:, :n]
        total = self._rows * self.window.bytes
        need = frames.room(self._used, n, int(rows.sum()), total)
        self._out = _at_least(self._out, need, 0)
        pitch = self.window.width * self.window.item
        size = frames.pack_boxes(self._content[: self._used], places, rows, widths, pitch, total,
                                 self._out)
        self._crops = self._used = 0
        return self._out[:size] if size else None


def _at_least(buffer: np.ndarray, size: int, keep: int) -> np.ndarray:
    """The buffer, or a larger one with its first `keep` bytes."""
    if len(buffer) >= size:
        return buffer
    larger = np.empty(2 * size, np.uint8)
    larger[:keep] = buffer[:keep]
    return larger


@compiled
def _copy(
    pixels: np.ndarray, boxes: np.ndarray, window: Window, number: int, planes: np.ndarray,
    content: np.ndarray, used: int,
) -> int:
    """Rows of all channels of the boxes, behind the `used` bytes of `content`; returns how many are
    used then. `planes` (3, m) gets where in the chunk each plane of a box begins, its rows and the
    bytes of each; the first box is crop `number` of the chunk."""
    height, width, pad, channels, item = window
    for i in range(len(boxes)):
        y0, x0, y1, x1 = boxes[i]
        top, left = y0 - (height - (y1 - y0)) // 2, x0 - (width - (x1 - x0)) // 2
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


def pack_masks(runs: Runs, corners: np.ndarray, window: Window, rows: int) -> np.ndarray | None:
    """The frame of the masks of n objects in a chunk of `rows` masks; None where there is no such.

    `corners` (n,2: y, x) are where in the image each mask's (0,0) lies.
    """
    total = rows * window.height * window.width
    out = np.empty(frames.room_for_runs(len(runs), total), np.uint8)
    size = _pack_masks(runs.first, runs.y, runs.x, runs.length, corners, window, total, out)
    return out[:size] if size else None


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
