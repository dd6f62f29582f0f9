"""Percentiles of a whole field of view from histograms, so that tiles do not matter.

Values of 8 and 16 bits are counted one by one: the percentiles are numpy's, exactly. Others are
counted in 65536 bins over their range: a percentile is right to that range / 65536.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

BINS = 1 << 16


@dataclass(frozen=True)
class Scale:
    """What becomes 0 and what becomes 1 in each channel."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def flat(self) -> bool:
        """Whether no channel shows anything."""
        return all(h <= lo for lo, h in zip(self.low, self.high))

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """(C,Z,Y,X) of any real type as float32, scaled but not cut; a flat channel is 0."""
        scaled = np.zeros(pixels.shape, np.float32)
        for c, (low, high) in enumerate(zip(self.low, self.high)):
            if high > low:
                scaled[c] = (pixels[c].astype(np.float32) - low) / (high - low)
        return np.nan_to_num(scaled, copy=False, posinf=0, neginf=0)


def is_counted(dtype: np.dtype) -> bool:
    """Whether every value has a bin of its own, so that no range is needed."""
    return dtype.kind in "ui" and dtype.itemsize <= 2


def value_range(pixels: np.ndarray) -> tuple[float, float]:
    """Lowest and highest finite value; (inf, -inf) if there is none."""
    fine = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    return (float(fine.min()), float(fine.max())) if fine.size else (np.inf, -np.inf)


def count(pixels: np.ndarray, span: tuple[float, float] | None = None) -> np.ndarray:
    """Pixels per bin (65536,), int64; `span` is the field's range where `is_counted` is not."""
    if span is None:
        shifted = pixels.astype(np.int64).ravel() - np.iinfo(pixels.dtype).min
        return np.bincount(shifted, minlength=BINS)
    low, high = span
    fine = pixels[np.isfinite(pixels)].astype(np.float64)
    if high <= low:
        return np.bincount(np.zeros(fine.size, np.int64), minlength=BINS)
    place = ((fine - low) * (BINS / (high - low))).astype(np.int64)
    return np.bincount(np.minimum(place, BINS - 1), minlength=BINS)


def scale(
    counts: Iterable[np.ndarray], dtype: np.dtype, spans: list[tuple[float, float]] | None,
    pmin: float, pmax: float, joint: bool,
) -> Scale:
    """From the histograms of a field's channels, those of all tiles summed.

    `joint` takes all channels together; they need one span then.
    """
    histograms = list(counts)
    if joint:
        histograms = [np.sum(histograms, axis=0)] * len(histograms)
    ends = []
    for c, histogram in enumerate(histograms):
        start, step = _bins(dtype, spans[c] if spans else None)
        ends.append([start + step * at(histogram, p) for p in (pmin, pmax)])
    return Scale(tuple(e[0] for e in ends), tuple(e[1] for e in ends))


def _bins(dtype: np.dtype, span: tuple[float, float] | None) -> tuple[float, float]:
    if span is None:
        return float(np.iinfo(dtype).min), 1.0
    low, high = span
    return (low, (high - low) / (BINS - 1)) if high > low else (low if low < np.inf else 0.0, 0.0)


def at(histogram: np.ndarray, percent: float) -> float:
    """A percentile in bins, between two values as numpy's default has it; 0 of nothing."""
    below = np.cumsum(histogram)
    if not below[-1]:
        return 0.0
    place = percent / 100 * (int(below[-1]) - 1)
    first = int(np.floor(place))
    values = [int(np.searchsorted(below, i, side="right")) for i in (first, int(np.ceil(place)))]
    return values[0] + (values[1] - values[0]) * (place - first)
