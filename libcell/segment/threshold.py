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
                yield from large_field(job, options, source)
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
    from libcell.segment.tiles.cut import corners, flat, stacked

    given = Options(**options)
    image = opening.image(source)
    channel = image.about.channel(given.channel)
    params = threshold.ThresholdParams(**parameters(given, image))
    levels = labels.create(root, image.about, [given.compartment], link)[given.compartment]
    content, count = [], 0
    for t in range(image.about.shape[0]):
        found = stacked(threshold.segment(flat(image.read(t=t, c=channel)), params))
        count += int(found.max(initial=0))
        for y, x in corners(found.shape[1:], SHARD):
            part = found[:, y : y + SHARD, x : x + SHARD]
            images.write_region(levels, t, 0, y, x, part, mean=False)
            content.append(digests.of_bytes(part.tobytes()))
    return {"n": count, "digest": digests.of_json(content)}


def large_field(job: Job, options: Options, source: Source) -> Iterator[tuple[str, int, str]]:
    """A field of view in tiles; none if a tile failed."""
    from libcell.data import open as opening
    from libcell.segment.kernels.threshold import ThresholdParams
    from libcell.segment.tiles.cut import Cut
    from libcell.segment.tiles.field import segment_large
    from libcell.segment.tiles.frame import TileFailed

    params = ThresholdParams(**parameters(options, opening.image(source)))
    cut = Cut(source, 0, options.channel, options.compartment, options.tile, params)
    try:
        count, digest = segment_large(job, cut)
    except TileFailed:
        return
    yield source.group or "", count, digest


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
