"""Threshold, then part touching objects: for stained nuclei and other bright blobs."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from libcell.data.image import Image
    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job

SHARD = 2048  # rows and columns that one task writes: whole shards of the label store


@dataclass(frozen=True)
class Options:
    """What to segment, and how; lengths in pixels, areas in square pixels (voxels in 3D)."""

    channel: Annotated[str, Opt("channel by name, or by number from 1", ("-c", "--channel"))] = "1"
    compartment: Annotated[str, Opt("name of the label image: nuclei, cells, ...")] = "nuclei"
    method: Annotated[str, Opt("how the threshold is found",
                               choices=("otsu", "li", "triangle", "adaptive"))] = "otsu"
    threshold: Annotated[float | None, Opt("this threshold instead, in image units")] = None
    offset: Annotated[float, Opt("added to the threshold; positive is stricter")] = 0.0
    sigma: Annotated[float, Opt("Gaussian smoothing before the threshold", least=0)] = 1.0
    window: Annotated[float, Opt("width of the local mean of `adaptive`", least=3)] = 101.0
    dark: Annotated[bool, Opt("objects are darker than the background", ("--dark",))] = False
    min_contrast: Annotated[float, Opt(
        "classes closer than this many background SDs mean: no objects; 0: always segment",
        least=0)] = 3.5
    split: Annotated[bool, Opt("part touching objects", ("--split/--no-split",))] = True
    min_distance: Annotated[float, Opt("seeds closer than this are one object", least=0)] = 5.0
    split_neck: Annotated[float, Opt(
        "part where the neck is narrower than this fraction of the smaller part",
        least=0, most=1)] = 0.97
    max_radius: Annotated[float, Opt("inscribed radius of the largest object", least=1)] = 40.0
    max_hole_area: Annotated[int, Opt("holes up to this area are filled", least=0)] = 100
    min_area: Annotated[int, Opt("smaller objects are dropped", least=1)] = 20
    max_area: Annotated[int | None, Opt("larger objects are dropped", least=1)] = None
    clear_border: Annotated[bool, Opt("drop objects cut by the image's edge",
                                      ("--clear-border",))] = False
    tile: Annotated[int, Opt("images larger than this are done in tiles; "
                             "the result does not depend on it", least=64, shapes=False)] = SHARD


def run(job: Job, options: Options) -> None:
    """Segment every field of view as it comes; the root of the store is written last."""
    from libcell.data import labels

    groups, content = [], []
    for group, n, digest in _fields(job, options):
        groups.append(group)
        content.append(digest)
        job.part("labels", group, n)
    job.settle()
    labels.seal(job.root, groups, [options.compartment], content, job.provenance())
    job.publish("labels", len(groups))


def parameters(options: Options, image: Image | None = None) -> dict[str, Any]:
    """The kernel's parameters; `spacing` (z,y,x) only where the image has planes and sizes."""
    spacing = None
    if image is not None and image.about.shape[2] > 1:
        spacing = image.about.pixel_size_um
    return {
        "sigma_px": options.sigma,
        "method": options.method if options.threshold is None else options.threshold,
        "window_px": options.window,
        "offset": options.offset,
        "bright": not options.dark,
        "min_contrast": options.min_contrast,
        "max_hole_area_px": options.max_hole_area,
        "split": options.split,
        "min_distance_px": options.min_distance,
        "split_neck": options.split_neck,
        "max_radius_px": options.max_radius,
        "min_area_px": options.min_area,
        "max_area_px": options.max_area,
        "clear_border": options.clear_border,
        "spacing": spacing,
    }


def _fields(job: Job, options: Options) -> Iterator[tuple[str, int, str]]:
    """(group, objects, digest) of each finished field; small ones in parallel, a large one
    by its tiles."""
    from libcell.data import open as opening

    def is_large(source: Source) -> bool:
        try:
            return max(opening.image(source).about.shape[3:]) > options.tile
        except Exception:  # noqa: BLE001  the block that reads it reports it
            return False

    sources = job.inputs.fields("image")
    for large, some in itertools.groupby(sources, key=is_large):
        if large:
            for source in some:
                yield from _large_field(job, options, source)
            continue
        blocks = (
            Block(s.where, {"source": s, "root": job.root, "options": asdict(options),
                            "link": job.link(s.path)})
            for s in some
        )
        for block, done in job.map("fields", segment_field, blocks):
            yield block.args["source"].group or "", done["n"], done["digest"]


def segment_field(
    source: Source, root: Path, options: dict[str, Any], link: str | None
) -> dict[str, Any]:
    """One field of view that fits into memory: every frame, written and counted.

    `link` is where the image store lies as seen from the label store.
    """
    from libcell.data import digests, images, labels
    from libcell.data import open as opening
    from libcell.segment.kernels import threshold

    given = Options(**options)
    image = opening.image(source)
    channel = image.about.channel(given.channel)
    params = threshold.ThresholdParams(**parameters(given, image))
    levels = labels.create(root, image.about, [given.compartment], link)[given.compartment]
    content, count = [], 0
    for t in range(image.about.shape[0]):
        found = _stack(threshold.segment(_flat(image.read(t=t, c=channel)), params))
        count += int(found.max(initial=0))
        for y, x in _corners(found.shape[1:], SHARD):
            part = found[:, y : y + SHARD, x : x + SHARD]
            images.write_region(levels, t, 0, y, x, part, mean=False)
            content.append(digests.of_bytes(part.tobytes()))
    return {"n": count, "digest": digests.of_json(content)}


def _flat(stack: Any) -> Any:
    """(Z,Y,X) with one plane as (Y,X), which the kernels do faster."""
    return stack[0] if stack.shape[0] == 1 else stack


def _stack(labels: Any) -> Any:
    return labels[None] if labels.ndim == 2 else labels


def _corners(shape: tuple[int, ...], step: int) -> list[tuple[int, int]]:
    return [(y, x) for y in range(0, shape[0], step) for x in range(0, shape[1], step)]


# -- a field of view larger than a tile -------------------------------------------------------


def _large_field(job: Job, options: Options, source: Source) -> Iterator[tuple[str, int, str]]:
    """Four passes: value range, histogram, roots, labels. Nothing larger than a tile is held."""
    from libcell.data import digests
    from libcell.data import open as opening

    image = opening.image(source)
    count, content = 0, []
    for t in range(image.about.shape[0]):
        try:
            found = _Frame(job, options, source, t, image.about.shape[2:]).segment()
        except _TileFailed:
            return  # the job has noted it
        count += found[0]
        content += found[1]
    yield source.group or "", count, digests.of_json(content)


def create_labels(source: Source, root: Path, link: str | None, compartment: str) -> None:
    """An empty label image. A block of its own: a resumed run must not empty a filled one."""
    from libcell.data import labels
    from libcell.data import open as opening

    labels.create(root, opening.image(source).about, [compartment], link)


class _TileFailed(Exception):
    """A tile of a large field could not be done, so neither can the field."""


class _Frame:
    """One frame of a large field, tile by tile."""

    def __init__(self, job: Job, options: Options, source: Source, t: int,
                 shape: tuple[int, int, int]):
        self._job = job
        self._options = options
        self._source = source
        self._where = f"{source.where}:t{t}"
        self._shape = shape
        self._common = {"source": source, "t": t, "options": asdict(options)}

    def segment(self) -> tuple[int, list[str]]:
        """Objects in the frame and the digests of its parts."""
        import numpy as np

        from libcell.segment.kernels import threshold

        params = threshold.ThresholdParams(**parameters(self._options))
        ranges = self._map("range", measure_range)
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        counts = sum(np.array(h, np.int64) for h in
                     self._map("histogram", measure_histogram, low=low, high=high))
        level = threshold.global_threshold(np.asarray(counts), low, high, params)
        self._create()
        store = self._roots_store()
        tables = self._map("roots", find_roots, level=level, store=store)
        merged = threshold.merge_counts(load_counts(store.parent / name) for name in tables)
        kept = threshold.final_ids(merged, params)
        np.save(store.parent / f"{store.name}.kept.npy", kept)
        done = self._map("labels", write_labels, step=SHARD, store=store, root=self._job.root)
        return int(kept.size), [d["digest"] for d in done]

    def _map(self, phase: str, function: Any, step: int | None = None, **more: Any) -> list[Any]:
        """Results of all tiles. _TileFailed if any is missing: what follows needs all of them."""
        step = step or self._options.tile
        blocks = [
            Block(f"{self._where} y{y} x{x}", self._common | more | {"y0": y, "x0": x})
            for y, x in _corners(self._shape[1:], step)
        ]
        results = [result for _, result in self._job.map(phase, function, blocks)]
        if len(results) < len(blocks):
            raise _TileFailed
        return results

    def _create(self) -> None:
        """The empty label image of all frames, once."""
        block = Block(self._source.where, {
            "source": self._source, "root": self._job.root,
            "link": self._job.link(self._source.path), "compartment": self._options.compartment})
        if not list(self._job.map("create", create_labels, [block])):
            raise _TileFailed

    def _roots_store(self) -> Path:
        """A scratch array of seeds per pixel, one chunk per tile."""
        import hashlib

        import numpy as np
        import zarr

        name = hashlib.sha256(self._where.encode()).hexdigest()[:16]
        path = self._job.parts / f"roots-{name}"
        if not path.exists():
            edge = min(self._options.tile, max(self._shape[1:]))
            zarr.create_array(str(path), shape=self._shape, dtype=np.int64,
                              chunks=(1, edge, edge), fill_value=0)
        return path


def _window(
    source: Source, t: int, options: dict[str, Any], y0: int, x0: int, halo: tuple[int, int]
) -> tuple[Any, tuple[int, int, int], tuple[int, int, int], Any]:
    """Pixels of a tile with its halo; where the window starts; the image's shape; the core."""
    from libcell.data import open as opening

    given = Options(**options)
    image = opening.image(source)
    _, _, depth, height, width = image.about.shape
    rows = (max(0, y0 - halo[0]), min(height, y0 + given.tile + halo[0]))
    columns = (max(0, x0 - halo[1]), min(width, x0 + given.tile + halo[1]))
    pixels = image.read(t=t, c=image.about.channel(given.channel),
                        y=slice(*rows), x=slice(*columns))
    core = (slice(None),
            slice(y0 - rows[0], min(y0 + given.tile, height) - rows[0]),
            slice(x0 - columns[0], min(x0 + given.tile, width) - columns[0]))
    return pixels, (0, rows[0], columns[0]), (depth, height, width), core


def _core_signal(source: Source, t: int, options: dict[str, Any], y0: int, x0: int) -> Any:
    """What is thresholded, of one tile without its halo."""
    from libcell.data import open as opening
    from libcell.segment.kernels import threshold

    image = opening.image(source)
    params = threshold.ThresholdParams(**parameters(Options(**options), image))
    flat = image.about.shape[2] == 1
    margin = threshold.signal_margin(params, 2 if flat else 3)
    pixels, _, _, core = _window(source, t, options, y0, x0, (margin[-2], margin[-1]))
    return _stack(threshold.signal(_flat(pixels), params))[core]


def measure_range(
    source: Source, t: int, options: dict[str, Any], y0: int, x0: int
) -> tuple[float, float]:
    """Lowest and highest smoothed value of a tile."""
    from libcell.segment.kernels import threshold

    return threshold.value_range(_core_signal(source, t, options, y0, x0))


def measure_histogram(
    source: Source, t: int, options: dict[str, Any], y0: int, x0: int, low: float, high: float
) -> list[int]:
    """Counts of a tile's smoothed values."""
    from libcell.segment.kernels import threshold

    counts = threshold.histogram(_core_signal(source, t, options, y0, x0), low, high)
    return [int(n) for n in counts]


def find_roots(
    source: Source, t: int, options: dict[str, Any], y0: int, x0: int, level: float, store: Path
) -> str:
    """Seed of every pixel of a tile, with as wide a halo as certainty takes; counts to a file."""
    import numpy as np
    import zarr

    from libcell.data import open as opening
    from libcell.segment.kernels import threshold

    params = threshold.ThresholdParams(**parameters(Options(**options), opening.image(source)))
    flat = opening.image(source).about.shape[2] == 1
    halo = threshold.halo_shape(params, 2 if flat else 3)[-2:]
    certain = False
    while not certain:
        pixels, origin, full, core = _window(source, t, options, y0, x0, (halo[0], halo[1]))
        skip = 1 if flat else 0
        roots, certain = threshold.tile_roots(
            _flat(pixels), origin[skip:], full[skip:], core[skip:], params, level
        )
        halo = (halo[0] * 2, halo[1] * 2)
    roots = _stack(roots)
    start = (0, y0, x0)
    array = zarr.open_array(str(store), mode="r+")
    array[:, y0 : y0 + roots.shape[1], x0 : x0 + roots.shape[2]] = roots
    found = threshold.count_roots(roots[0] if flat else roots, start[skip:], full[skip:])
    name = f"{store.name}-{y0}-{x0}.npz"
    np.savez(store.parent / name, **found._asdict())
    return name


def load_counts(path: Path) -> Any:
    """What `find_roots` counted in one tile."""
    import numpy as np

    from libcell.segment.kernels.threshold import RootCounts

    with np.load(path) as saved:
        return RootCounts(**{k: saved[k] for k in RootCounts._fields})


def write_labels(
    source: Source, t: int, options: dict[str, Any], y0: int, x0: int, store: Path, root: Path
) -> dict[str, Any]:
    """Final labels of one shard, written into every level."""
    import numpy as np
    import zarr

    from libcell.data import digests, images, labels
    from libcell.segment.kernels import threshold

    given = Options(**options)
    kept = np.load(store.parent / f"{store.name}.kept.npy", mmap_mode="r")
    roots = np.asarray(
        zarr.open_array(str(store), mode="r")[:, y0 : y0 + SHARD, x0 : x0 + SHARD]
    )
    found = threshold.relabel(roots, np.asarray(kept))
    levels = labels.open_levels(root, source.group or "", given.compartment)
    images.write_region(levels, t, 0, y0, x0, found, mean=False)
    return {"digest": digests.of_bytes(found.tobytes())}


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from math import prod

    from libcell.data import open as opening

    abouts = [opening.image(s).about for s in inputs.fields("image")]
    for about in abouts:
        about.channel(options.channel)
    size = sum(prod(a.shape) // a.shape[1] * 4 for a in abouts)
    return {"reads": [str(p) for p in inputs.seen], "blocks": len(abouts),
            "fields": [a.group for a in abouts], "bytes": size * 4 // 3}


METHOD = Method(
    name="threshold",
    summary="Threshold, then part touching objects: for stained nuclei and other bright blobs.",
    run=run,
    options=Options,
    reads=("image", "files"),
    writes="labels",
    suffix=".labels.ome.zarr",
    example="cell-segment threshold plate.ome.zarr -c DNA -o n.labels.ome.zarr",
    paper="Otsu 1979, doi:10.1109/TSMC.1979.4310076; parts by steepest ascent of the distance "
          "to the background",
    plan=plan,
)
