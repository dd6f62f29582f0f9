"""How much of the light around each object is grains of which size: CellProfiler's
MeasureGranularity (Ravkin and Temov 1988), with its default settings.

The image is taken at every fourth pixel; what is left of it after an opening with a disk of 10
(at every fourth pixel again) is background and subtracted. Then grains are taken away size by
size (erosion with a cross and reconstruction), and after each the mean over each object, of the
image brought back to full size, is compared: Granularity_k is the part of the object's mean, in
percent, that went in step k. An object whose mean is not above 0 has none (CellProfiler: numbers
relative to 2e-16), and there is none in an image of fewer than 8 px along a side.

The small image is held as a whole, since background and reconstruction know no windows: about
2.5 bytes per pixel of the frame.

CellProfiler brings the image back with coordinates that rounding may put beyond its last row or
column, which then count as 0; here they do not.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from libcell.feat.families import Column
from libcell.feat.relations import by_label
from libcell.feat.relations._grains import (
    closest,
    eroded,
    means,
    opened,
    reconstructed,
    weights,
)
from libcell.feat.relations._scene import Part, Scene

NAME = "granularity"
STEP = 4         # every fourth pixel, along y and x
SIZES = 16       # length of the spectrum
BACKGROUND = 10  # radius of the opening, px at every 16th pixel
STRIP = 2048     # rows that are read at once


class Share(NamedTuple):
    """What an object is made of in the small image: boxes (n,4), and their weights one by one."""

    labels: np.ndarray
    boxes: np.ndarray
    first: np.ndarray
    weight: np.ndarray


def columns(channels: Sequence[str], others: Sequence[str]) -> list[Column]:
    """Every feature with its unit and meaning."""
    return [Column(f"Granularity_{k + 1}_{c}", "%", f"light in grains of size {k + 1}")
            for c in channels for k in range(SIZES)]


def measure(scene: Scene) -> dict[str, np.ndarray]:
    """The spectrum of every object in every channel of the scene."""
    small = scene.shape[0] // STEP, scene.shape[1] // STEP
    shares, means = [], []
    for part in scene.parts() if scene.channels else ():
        shares.append(_share(part, scene.shape, small))
        means.append(np.column_stack(
            [_mean(part, scene.pixels(c, *part.window)) for c in scene.channels]))
    before = by_label([s.labels for s in shares], means) if shares else np.zeros((0, 0))
    found: dict[str, np.ndarray] = {}
    for c, channel in enumerate(scene.channels):
        spectrum = np.full((len(before), SIZES), np.nan)
        if min(small) >= 2 and len(before):
            _fill(spectrum, before[:, c : c + 1], _small(scene, channel, small), shares)
        for k in range(SIZES):
            found[f"Granularity_{k + 1}_{channel}"] = spectrum[:, k]
    return found


def _share(part: Part, shape: tuple[int, int], small: tuple[int, int]) -> Share:
    scale = ((small[0] - 1) / max(shape[0] - 1, 1), (small[1] - 1) / max(shape[1] - 1, 1))
    origin = part.window[0].start, part.window[1].start
    return Share(part.index.labels, *weights(part.index.by_run, origin, scale, small))


def _mean(part: Part, image: np.ndarray) -> np.ndarray:
    """Mean of each object's finite pixels (n,) in the window's image."""
    values = part.index.values(image)
    finite = np.isfinite(values)
    total = part.index.each.sum(np.where(finite, values, 0.0))
    return np.asarray(total / np.maximum(part.index.each.sum(finite), 1))


def _small(scene: Scene, channel: str, small: tuple[int, int]) -> np.ndarray:
    """Every fourth pixel of a channel without its background, float64; not finite counts as 0."""
    rows = [scene.pixels(channel, slice(y, min(y + STRIP, scene.shape[0])),
                         slice(0, scene.shape[1]))[::STEP, ::STEP]
            for y in range(0, scene.shape[0], STRIP)]
    image = np.concatenate(rows)[: small[0], : small[1]].astype(np.float64)
    image[~np.isfinite(image)] = 0.0
    coarse = opened(np.ascontiguousarray(image[::STEP, ::STEP]), BACKGROUND)
    # CellProfiler's scale: of the shape before it is rounded up to whole pixels
    scale = [(n / STEP - 1) / (n - 1) for n in small]
    return np.maximum(image - closest(coarse, scale[0], scale[1], *small), 0.0)


def _fill(
    spectrum: np.ndarray, before: np.ndarray, image: np.ndarray, shares: list[Share]
) -> None:
    whole = np.where(before > 0, before, np.nan)
    thin = rest = image
    for k in range(SIZES):
        thin = eroded(thin, 1)
        # what is left after a smaller grain holds all that is left after a larger one
        rest = reconstructed(thin, rest)
        after = by_label([s.labels for s in shares],
                         [means(rest, s.boxes, s.first, s.weight)[:, None] for s in shares])
        spectrum[:, k : k + 1] = (before - after) * 100 / whole
        before = after
