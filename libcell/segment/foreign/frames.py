"""What is done to a field of view by any network: read, scaled, segmented, sieved, written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import digests, grey, images, labels
from libcell.data import open as opening
from libcell.data.image import Image
from libcell.data.images import SHARD, Source
from libcell.errors import DataError
from libcell.segment.foreign import joining, networks, percentiles, planes
from libcell.segment.foreign.joining import Objects, Tile
from libcell.segment.foreign.networks import Spec, View
from libcell.segment.foreign.percentiles import Scale
from libcell.segment.tiles.cut import corners


@dataclass(frozen=True)
class Rules:
    """What holds for every network. Channels by name or number, percentiles of the field,
    areas in px (voxels of a stack), `stitch` the IoU above which objects of neighbouring planes
    are one; `whole` networks take a stack as it is."""

    channels: tuple[str, ...]
    compartments: tuple[str, ...]
    pmin: float
    pmax: float
    joint: bool
    min_area: int
    max_area: int | None
    clear_border: bool
    stitch: float
    tile: int
    halo: int
    whole: bool = False


def read(
    image: Image, rules: Rules, t: int, y: slice = slice(None), x: slice = slice(None)
) -> np.ndarray:
    """The channels (C,Z,Y,X) of a window of one frame, native dtype."""
    return np.stack([grey.read(image, name, t, y=y, x=x) for name in rules.channels])


def spans(pixels: np.ndarray, rules: Rules) -> list[tuple[float, float]] | None:
    """Value range of each channel, or of all where they are joint; None if it is not needed."""
    if percentiles.is_counted(pixels.dtype):
        return None
    found = [percentiles.value_range(channel) for channel in pixels]
    return together(found) if rules.joint else found


def together(ranges: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The range over all of them, for each."""
    return [(min(r[0] for r in ranges), max(r[1] for r in ranges))] * len(ranges)


def field_scale(pixels: np.ndarray, rules: Rules) -> Scale:
    """What becomes 0 and 1, of a frame that is there as a whole."""
    ranges = spans(pixels, rules)
    counts = [percentiles.count(channel, ranges[c] if ranges else None)
              for c, channel in enumerate(pixels)]
    return percentiles.scale(counts, pixels.dtype, ranges, rules.pmin, rules.pmax, rules.joint)


def segment_window(
    pixels: np.ndarray, scale: Scale, rules: Rules, spec: Spec, view: View
) -> tuple[np.ndarray, int]:
    """Labels (K,Z,Y,X) uint32 of some pixels (C,Z,Y,X), and the batch that there was room for.

    A frame that shows nothing has no objects: what a network makes of it is invented.
    """
    if scale.flat or not pixels.size:
        return np.zeros((len(rules.compartments), *pixels.shape[1:]), np.uint32), spec.batch
    scaled = scale.apply(pixels)
    if rules.whole or pixels.shape[1] == 1:
        found, batch = networks.run(spec, scaled, view)
        return _checked(found, pixels, rules, spec), batch
    single, batch = [], spec.batch
    for z in range(pixels.shape[1]):
        found, room = networks.run(spec, scaled[:, z : z + 1], view)
        single.append(_checked(found, pixels[:, z : z + 1], rules, spec)[:, 0])
        batch = min(batch, room)
    return planes.stitch(np.stack(single, axis=1), rules.stitch), batch


def _checked(found: np.ndarray, pixels: np.ndarray, rules: Rules, spec: Spec) -> np.ndarray:
    expected = (len(rules.compartments), *pixels.shape[1:])
    if found.shape != expected:
        raise DataError(f"{spec.weights}: gives labels of shape {found.shape}, expected {expected}"
                        " (compartments, z, y, x)")
    return found.astype(np.uint32, copy=False)


def sieve(found: Objects, rules: Rules) -> np.ndarray:
    """Which objects the user wants, bool (n,)."""
    keep = found.area >= rules.min_area
    if rules.max_area is not None:
        keep &= found.area <= rules.max_area
    return keep & ~found.edge if rules.clear_border else keep


def segment_field(
    source: Source, root: Path, link: str | None, rules: Rules, spec: Spec
) -> dict[str, Any]:
    """One field of view that fits into memory: every frame, written and counted.

    `link` is where the image store lies as seen from the label store.
    """
    image = opening.image(source)
    about = image.about
    made = labels.create(root, about, list(rules.compartments), link)
    content, count, batch = [], 0, spec.batch
    for t in range(about.shape[0]):
        pixels = read(image, rules, t)
        scale = field_scale(pixels, rules)
        raw, room = segment_window(pixels, scale, rules, spec, view_of(image))
        found = settled(raw, rules)
        count += int(found.max(initial=0))
        batch = min(batch, room)
        for y, x in corners(found.shape[2:], SHARD):
            content.append(write(found[..., y : y + SHARD, x : x + SHARD], made, rules, t, y, x))
    return {"n": count, "digest": digests.of_json(content), "batch": batch}


def settled(raw: np.ndarray, rules: Rules) -> np.ndarray:
    """Labels (K,Z,Y,X) of a whole frame, sieved and numbered 1..N by their centres."""
    height, width = raw.shape[2:]
    tile = Tile((0, 0, height, width), (0, 0, height, width))
    objects = joining.describe(raw.max(axis=0), tile, (height, width))
    objects = objects.where(sieve(objects, rules))
    rank = joining.ranks([objects], [])
    number = joining.numbers([objects], rank)
    return joining.paint([(raw, tile, objects.labels, rank[0], number[0])],
                         tile.window, raw.shape[:2])


def write(
    found: np.ndarray, made: dict[str, Any], rules: Rules, t: int, y0: int, x0: int
) -> str:
    """Write one shard (K,Z,h,w) into every compartment's levels; its digest."""
    for part, compartment in zip(found, rules.compartments):
        images.write_region(made[compartment], t, 0, y0, x0, part, mean=False)
    return digests.of_bytes(np.ascontiguousarray(found).tobytes())


def view_of(image: Image, window: tuple[int, int] | None = None) -> View:
    """What a network is told of a window (height, width) of a field."""
    height, width = image.about.shape[3:]
    share = height * width / max(window[0] * window[1], 1) if window else 1.0
    size = image.about.pixel_size_um
    anisotropy = size[0] / size[2] if size and size[2] and image.about.shape[2] > 1 else None
    return View(share, anisotropy, size[2] if size else None)
