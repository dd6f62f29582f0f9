"""Cells grown from the nuclei of one field of view, window by window, as in the whole image."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import digests, grey, labels
from libcell.data import open as opening
from libcell.data.images import SHARD, Source
from libcell.segment.kernels import growing, threshold
from libcell.segment.kernels.params import ThresholdParams
from libcell.segment.kernels.window import Box
from libcell.segment.paired import store
from libcell.segment.tiles.cut import corners

UNSMOOTHED = ThresholdParams(sigma_px=0)
AROUND = 3  # px beyond what is known exactly: the 3 x 3 surroundings of a step


@dataclass(frozen=True)
class GrowParams:
    """distance_px     farther from every nucleus there is no cell
    channel         that the cells are seen in; None: the distance alone decides
    threshold       darker pixels are no cells; None: none are
    regularisation  see `kernels.growing.spread`
    """

    distance_px: float
    channel: str | None
    threshold: ThresholdParams | None
    regularisation: float


@dataclass(frozen=True)
class Field:
    """Nuclei of one field of view, and its image where the channel is looked at."""

    nuclei: Source
    name: str
    image: Source | None


def grow_field(field: Field, root: Path, link: str | None, params: GrowParams) -> dict[str, Any]:
    """One field of view: grown and written; n counts its nuclei."""
    about = labels.open_labels(field.nuclei, field.name).about
    if field.image is not None:
        labels.require_fit(about, opening.image(field.image).about)
    trio = store.create(root, field.nuclei, about, link)
    content, count = [], 0
    for t in range(about.shape[0]):
        frame = _Frame(field, t, about.shape[2:], about.pixel_size_um, params)
        names = set()
        for y, x in corners(about.shape[3:], SHARD):
            parts = frame.window(y, x)
            names.update(np.unique(parts[0]).tolist())
            content.append(trio.write(t, y, x, parts))
        count += len(names - {0})
    return {"n": count, "digest": digests.of_json(content)}


class _Frame:
    """One frame: what holds of the whole of it, then its windows."""

    def __init__(
        self, field: Field, t: int, shape: tuple[int, int, int],
        size_um: tuple[float, float, float] | None, params: GrowParams,
    ):
        self._field, self._t, self._shape, self._params = field, t, shape, params
        z, y, x = size_um or (1.0, 1.0, 1.0)
        self._ratios = (z / x, y / x, 1.0)
        self._low, self._high, self._level = 0.0, 1.0, -math.inf
        if params.channel is not None:
            self._measure()

    def _measure(self) -> None:
        """Range and threshold of the channel over the whole frame."""
        params = self._params.threshold or UNSMOOTHED
        spans = [threshold.value_range(self._core(y, x, params)) for y, x in self._corners()]
        low, high = min(s[0] for s in spans), max(s[1] for s in spans)
        self._low, self._high = low, high
        if self._params.threshold is None or high <= low:
            return
        total: Any = 0
        for y, x in self._corners():
            total = total + threshold.histogram(self._core(y, x, params), low, high)
        self._level = threshold.global_threshold(total, low, high, params)

    def _corners(self) -> list[tuple[int, int]]:
        return corners(self._shape[1:], SHARD)

    def _core(self, y0: int, x0: int, params: ThresholdParams) -> np.ndarray:
        """What is thresholded, of one window."""
        box, core = self._box(y0, x0, threshold.signal_margin(params, 2)[-1])
        return self._signal(box, params)[core]

    def _signal(self, box: Box, params: ThresholdParams) -> np.ndarray:
        """The channel (Z,h,w) of a window, smoothed plane by plane."""
        planes = self._pixels(box)
        return np.stack([threshold.signal(plane, params) for plane in planes])

    def _box(self, y0: int, x0: int, halo: int) -> tuple[Box, tuple[slice, slice, slice]]:
        """A window with `halo` around it, and which part of that is the window itself."""
        _, height, width = self._shape
        y1, x1 = min(y0 + SHARD, height), min(x0 + SHARD, width)
        top, left = max(0, y0 - halo), max(0, x0 - halo)
        bottom, right = min(height, y1 + halo), min(width, x1 + halo)
        box = Box((0, top, left), (self._shape[0], bottom - top, right - left), self._shape)
        return box, (slice(None), slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))

    def _pixels(self, box: Box) -> np.ndarray:
        assert self._field.image is not None and self._params.channel is not None
        y, x = _slices(box)
        return grey.read(opening.image(self._field.image), self._params.channel, self._t, y=y, x=x)

    def window(self, y0: int, x0: int) -> tuple[np.ndarray, ...]:
        """Nuclei, cells and cytoplasm (Z,h,w) of one shard, as in the whole image."""
        reach = math.ceil(self._params.distance_px)
        halo, certain = reach, False
        if self._params.channel is not None:
            halo = 2 * reach + self._unknown()
        while not certain:
            box, core = self._box(y0, x0, halo)
            y, x = _slices(box)
            nuclei = labels.read_frame(self._field.nuclei, self._field.name, self._t, y, x)
            cells, certain = self._cells(nuclei, box, core)
            halo *= 2
        nuclei = nuclei[core]
        return nuclei, cells, np.where(nuclei == 0, cells, 0)

    def _unknown(self) -> int:
        """Pixels from a cut side within which not all is known that decides where cells may be."""
        smoothing = threshold.signal_margin(self._params.threshold or UNSMOOTHED, 2)[-1]
        return math.ceil(self._params.distance_px) + smoothing + AROUND

    def _cells(
        self, nuclei: np.ndarray, box: Box, core: tuple[slice, slice, slice]
    ) -> tuple[np.ndarray, bool]:
        """Cells of the core, and whether they are certain."""
        near = growing.nearest(nuclei, self._params.distance_px, self._ratios)
        if self._params.channel is None:
            return near[core], True
        allowed = near > 0
        if self._params.threshold is not None:
            allowed &= self._signal(box, self._params.threshold) > self._level
        allowed |= nuclei > 0
        span = self._high - self._low
        image = (self._pixels(box).astype(np.float32) - self._low) / (span if span > 0 else 1.0)
        cut = _cut(box, self._unknown())
        found, fine = zip(*(
            growing.spread(nuclei[z], image[z], allowed[z], self._params.regularisation, cut)
            for z in range(len(nuclei))))
        return np.stack(found)[core], bool(np.stack(fine)[core].all())


def _slices(box: Box) -> tuple[slice, slice]:
    y, x = (slice(box.origin[k], box.origin[k] + box.shape[k]) for k in (1, 2))
    return y, x


def _cut(box: Box, thickness: int) -> np.ndarray:
    """Pixels (Y,X) within `thickness` of a side behind which the image goes on."""
    cut = np.ones(box.shape[1:], bool)
    cut[box.inner((0, thickness, thickness))[1:]] = False
    return cut
