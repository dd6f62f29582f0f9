"""Contrast by percentiles, from a histogram that tiles can add up in any order.

What is added are whole numbers, so a field of view in tiles has the same percentiles as in one
piece. 8 and 16 bit images are counted value by value, others in 65536 bins over their range.
"""

from typing import NamedTuple

import numpy as np

BINS = 1 << 16
CLIP = (-1.0, 3.0)  # of the range between the percentiles: a hot pixel may not drown the rest


class Range(NamedTuple):
    """Lowest and highest value; `exact` where every value between has a bin of its own."""

    low: float
    high: float
    exact: bool


def value_range(pixels: np.ndarray) -> Range:
    """The range of some pixels; ValueError for values that are no finite numbers.

    8 and 16 bit pixels have the range of their type, whatever they hold.
    """
    if pixels.dtype.kind == "b":
        return Range(0, 1, True)
    if pixels.dtype.kind in "ui" and pixels.dtype.itemsize <= 2:
        limits = np.iinfo(pixels.dtype)
        return Range(limits.min, limits.max, True)
    if not pixels.size:
        return Range(np.inf, -np.inf, False)
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("holds values that are NaN or infinite; mask or replace them")
    return Range(low, high, False)


def merge_ranges(ranges: list[Range]) -> Range:
    """The range of all pixels together."""
    low, high, exact = zip(*ranges)
    return Range(min(low), max(high), all(exact))


def histogram(pixels: np.ndarray, over: Range) -> np.ndarray:
    """Counts (n,) int64 of pixels, in bins over a range; a flat one has one bin."""
    if over.exact:
        values = pixels.ravel().astype(np.int64) - int(over.low)
        return np.bincount(values, minlength=int(over.high - over.low) + 1).astype(np.int64)
    if not over.high > over.low:
        return np.array([pixels.size], np.int64)
    place = np.subtract(pixels, over.low, dtype=np.float64)
    place *= BINS / (over.high - over.low)
    index = np.clip(place, 0, BINS - 1, out=place).astype(np.intp).ravel()
    return np.bincount(index, minlength=BINS).astype(np.int64)


def percentiles(counts: np.ndarray, over: Range, *percents: float) -> list[float]:
    """The lowest values that at least so many percent of the pixels do not exceed."""
    total = int(counts.sum())
    if not total:
        return [0.0] * len(percents)
    ranks = [max(1, int(np.ceil(total * p / 100))) for p in percents]
    bins = np.searchsorted(np.cumsum(counts), ranks)
    if over.exact:
        return [float(over.low + b) for b in bins]
    return [over.low + (b + 0.5) * (over.high - over.low) / counts.size for b in bins]


def levels(
    counts: np.ndarray, over: Range, pmin: float, pmax: float, invert: str
) -> tuple[float, float]:
    """What becomes 0 and what becomes 1: two percentiles, the other way round if inverted.

    `invert` is `never`, `always`, or `bright`: where most pixels are nearer to white, as in stained
    tissue, so that cells stand out bright from a dark ground in every image.
    """
    low, middle, high = percentiles(counts, over, pmin, 50, pmax)
    turned = invert == "always" or (invert == "bright" and middle - low > high - middle)
    return (high, low) if turned else (low, high)


def stretch(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Pixels as float32 with `low` at 0 and `high` at 1; zeros where those are the same."""
    if high == low:
        return np.zeros(pixels.shape, np.float32)
    values = np.subtract(pixels, low, dtype=np.float32)
    values /= np.float32(high - low)
    return np.clip(values, *CLIP, out=values)


def whole(pixels: np.ndarray, pmin: float, pmax: float, invert: str) -> np.ndarray:
    """A whole image as float32, stretched between its own percentiles.

    ValueError for values that are no finite numbers.
    """
    over = value_range(pixels)
    return stretch(pixels, *levels(histogram(pixels, over), over, pmin, pmax, invert))
