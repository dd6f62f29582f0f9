"""What is done to one tile of a large field: values counted, segmented, compared, written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import labels
from libcell.data import open as opening
from libcell.data.images import SHARD, Source
from libcell.segment.foreign import frames, joining, percentiles
from libcell.segment.foreign.frames import Rules
from libcell.segment.foreign.joining import Objects, Tile
from libcell.segment.foreign.networks import Spec
from libcell.segment.foreign.percentiles import Scale

FIELDS = tuple(Objects.__dataclass_fields__)


@dataclass(frozen=True)
class Frame:
    """One frame of a large field, and how it is segmented: what every block of it shares."""

    source: Source
    t: int
    shape: tuple[int, int, int]
    rules: Rules
    folder: Path  # what is kept between the passes

    def tile(self, y0: int, x0: int) -> Tile:
        """The tile at (y0, x0) and its window."""
        _, height, width = self.shape
        y1, x1 = min(y0 + self.rules.tile, height), min(x0 + self.rules.tile, width)
        halo = self.rules.halo
        window = (max(0, y0 - halo), max(0, x0 - halo), min(height, y1 + halo),
                  min(width, x1 + halo))
        return Tile(window, (y0, x0, y1, x1))

    def file(self, y0: int, x0: int) -> Path:
        """Where what was found in a tile is kept."""
        return self.folder / f"tile-{y0}-{x0}.npz"


def _core(frame: Frame, y0: int, x0: int) -> np.ndarray:
    image = opening.image(frame.source)
    top, left, bottom, right = frame.tile(y0, x0).core
    return frames.read(image, frame.rules, frame.t, slice(top, bottom), slice(left, right))


def measure_range(frame: Frame, y0: int, x0: int) -> list[tuple[float, float]]:
    """Value range of each channel in a tile."""
    return [percentiles.value_range(channel) for channel in _core(frame, y0, x0)]


def count_values(
    frame: Frame, y0: int, x0: int, ranges: list[tuple[float, float]] | None
) -> str:
    """Histograms of a tile's channels, to a file; its name."""
    core = _core(frame, y0, x0)
    counts = [percentiles.count(channel, ranges[c] if ranges else None)
              for c, channel in enumerate(core)]
    name = f"values-{y0}-{x0}.npz"
    np.savez_compressed(frame.folder / name, counts=np.stack(counts))
    return name


def segment_tile(frame: Frame, y0: int, x0: int, scale: Scale, spec: Spec) -> dict[str, Any]:
    """Objects of a tile with its halo, to a file.

    Those whose centre lies half a halo or more outside the tile are left to its neighbours.
    """
    image = opening.image(frame.source)
    tile = frame.tile(y0, x0)
    top, left, bottom, right = tile.window
    pixels = frames.read(image, frame.rules, frame.t, slice(top, bottom), slice(left, right))
    view = frames.view_of(image, (bottom - top, right - left))
    found, batch = frames.segment_window(pixels, scale, frame.rules, spec, view)
    objects = joining.describe(found.max(axis=0), tile, frame.shape[1:])
    keep = frames.sieve(objects, frame.rules) & (objects.depth > -frame.rules.halo / 2)
    objects = objects.where(keep)
    kept = np.where(np.isin(found, objects.labels), found, 0)
    np.savez_compressed(frame.file(y0, x0), labels=kept,
                        **{f: getattr(objects, f) for f in FIELDS if f != "labels"},
                        known=objects.labels)
    return {"n": len(objects.labels), "batch": batch}


def load_objects(path: Path) -> Objects:
    """What `segment_tile` found, without its pixels."""
    with np.load(path) as saved:
        return Objects(saved["known"], *(saved[f] for f in FIELDS if f != "labels"))


def _labels(path: Path) -> np.ndarray:
    with np.load(path) as saved:
        return np.asarray(saved["labels"])


def compare(frame: Frame, y0: int, x0: int, others: list[tuple[int, int]]) -> str:
    """Which objects of a tile share pixels with those of tiles that come after, to a file: rows of
    the other tile's y0 and x0, both labels, pixels (n,5)."""
    ours = _labels(frame.file(y0, x0)).max(axis=0)
    found = []
    for y, x in others:
        theirs = _labels(frame.file(y, x)).max(axis=0)
        pairs = joining.shared(ours, frame.tile(y0, x0), theirs, frame.tile(y, x))
        found.append(np.column_stack([np.full((len(pairs), 2), (y, x)), pairs]))
    name = f"shared-{y0}-{x0}.npy"
    np.save(frame.folder / name, np.concatenate(found) if found else np.zeros((0, 5), np.int64))
    return name


def write_shard(
    frame: Frame, y0: int, x0: int, near: list[tuple[int, int]], root: Path
) -> str:
    """Final labels of one shard into every level of every compartment; its digest.

    `near` are the tiles whose windows reach into it.
    """
    _, height, width = frame.shape
    box = (y0, x0, min(y0 + SHARD, height), min(x0 + SHARD, width))
    parts = []
    for y, x in near:
        with np.load(frame.folder / f"final-{y}-{x}.npz") as final:
            rank, number = final["rank"], final["number"]
        known = load_objects(frame.file(y, x)).labels
        parts.append((_labels(frame.file(y, x)), frame.tile(y, x), known, rank, number))
    outer = (len(frame.rules.compartments), frame.shape[0])
    found = joining.paint(parts, box, outer)
    group = frame.source.group or ""
    made = {c: labels.open_levels(root, group, c) for c in frame.rules.compartments}
    return frames.write(found, made, frame.rules, frame.t, y0, x0)


def create(source: Source, root: Path, link: str | None, compartments: tuple[str, ...]) -> None:
    """Empty label images. A block of its own: a resumed run must not empty a filled one."""
    labels.create(root, opening.image(source).about, list(compartments), link)
