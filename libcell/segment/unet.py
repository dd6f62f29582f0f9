"""Cells by a network of your own, trained with `cell-train segmenter`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job
    from libcell.segment.network.field import NetworkParams

SHARD = 2048  # rows and columns that one task writes: whole shards of the label store


@dataclass(frozen=True)
class Options:
    """Which network, on which channels, and which of its cells remain; lengths in pixels."""

    model: Annotated[str, Opt("trained segmenter (cell-train segmenter)", ("-m", "--model"),
                              path=True)]
    channels: Annotated[tuple[str, ...], Opt(
        "the model's channels in this store, by name or number from 1, in its order; grey: an "
        "image's only channel, or the luma of red, green, blue [the model's own names]",
        ("-c", "--channels"))] = ()
    compartment: Annotated[str | None, Opt("name of the label image [the model's]")] = None
    pmin: Annotated[float | None, Opt("percentile that becomes black [the model's]",
                                      least=0, most=100)] = None
    pmax: Annotated[float | None, Opt("percentile that becomes white [the model's]",
                                      least=0, most=100)] = None
    invert: Annotated[str, Opt(
        "dark and bright change places: in images most of which is bright, always, or never",
        choices=("model's", "bright", "always", "never"))] = "model's"
    threshold: Annotated[float, Opt("probability from which a pixel is cell; higher is stricter",
                                    least=0.1, most=1)] = 0.5
    score: Annotated[float, Opt("mean probability of a cell's pixels from which it is kept",
                                least=0, most=1)] = 0.7
    tta: Annotated[str, Opt("mean over the image turned and mirrored: flips takes 4 times as long, "
                            "all 8 times", choices=("none", "flips", "all"))] = "none"
    max_radius: Annotated[int | None, Opt("a cell's pixels are no further from its centre "
                                          "[the model's]", least=8, most=1024)] = None
    min_area: Annotated[int | None, Opt(
        "smaller cells are dropped [the model's: three quarters of the area that 3 in 100 cells of "
        "its training lie below]", least=1)] = None
    max_area: Annotated[int | None, Opt("larger cells are dropped", least=1)] = None
    clear_border: Annotated[bool, Opt("drop cells cut by the image's edge",
                                      ("--clear-border",))] = False
    tile: Annotated[int, Opt("images larger than this are done in tiles; "
                             "the result does not depend on it", least=64, shapes=False)] = SHARD


def run(job: Job, options: Options) -> None:
    """Segment every field of view as it comes; the root of the store is written last."""
    from libcell.data import labels

    params, compartment = parameters(options, job.device)
    groups, content = [], []
    for group, n, digest in _fields(job, options, params, compartment):
        groups.append(group)
        content.append(digest)
        job.part("labels", group, n)
    job.settle()
    labels.seal(job.root, groups, [compartment], content, job.provenance())
    job.publish("labels", len(groups))


def parameters(options: Options, device: str) -> tuple[NetworkParams, str]:
    """What every block is told, and the compartment's name."""
    from pathlib import Path

    from libcell.errors import DataError, UsageFault
    from libcell.run import devices
    from libcell.segment.network.field import NetworkParams
    from libcell.segment.network.model import load_card

    path = Path(options.model)
    card = load_card(path)
    channels = options.channels or card.channels
    if len(channels) != len(card.channels):
        raise DataError(f"--channels {','.join(channels)}: {path} wants {len(card.channels)} "
                        f"({', '.join(card.channels)})")
    pmin = card.pmin if options.pmin is None else options.pmin
    pmax = card.pmax if options.pmax is None else options.pmax
    if pmin >= pmax:
        raise UsageFault(f"--pmin {pmin:g} is not below --pmax {pmax:g}")
    made = NetworkParams(
        model=path, device=devices.resolve(device), channels=tuple(channels), pmin=pmin, pmax=pmax,
        invert=card.invert if options.invert == "model's" else options.invert,
        flat=card.shape.ndim == 2, least=round(options.threshold * 255),
        score=round(options.score * 255),
        reach_px=options.max_radius or card.reach_px, turns=options.tta,
        min_area_px=options.min_area or card.min_area_px, max_area_px=options.max_area,
        clear_border=options.clear_border)
    return made, options.compartment or card.target


def _fields(
    job: Job, options: Options, params: NetworkParams, compartment: str
) -> Iterator[tuple[str, int, str]]:
    """(group, objects, digest) of each finished field; small ones in parallel, a large one
    by its tiles."""
    from libcell.data import open as opening
    from libcell.segment.network.field import HALVED

    def is_large(source: Source) -> bool:
        try:
            return max(opening.image(source).about.shape[3:]) > options.tile
        except Exception:  # noqa: BLE001  the block that reads it reports it
            return False

    for large, some in itertools.groupby(job.inputs.fields("image"), key=is_large):
        if large:
            for source in some:
                yield from large_field(job, options.tile, source, params, compartment)
            continue
        blocks = (
            Block(s.where, {"source": s, "root": job.root, "params": params,
                            "compartment": compartment, "link": job.link(s.path)})
            for s in some
        )
        for block, done in job.map("fields", segment_field, blocks):
            if done["halved"]:
                job.reporter.warn(f"{block.key}: {HALVED}")
            yield block.args["source"].group or "", done["n"], done["digest"]


def segment_field(
    source: Source, root: Path, params: NetworkParams, compartment: str, link: str | None
) -> dict[str, Any]:
    """One field of view that fits into memory: every frame, written and counted.

    `link` is where the image store lies as seen from the label store.
    """
    from libcell.data import digests, images, labels
    from libcell.data import open as opening
    from libcell.segment.network.field import require_fit, segment_frame
    from libcell.segment.tiles.cut import corners

    image = opening.image(source)
    require_fit(image, params)
    levels = labels.create(root, image.about, [compartment], link)[compartment]
    content, count, halved = [], 0, False
    for t in range(image.about.shape[0]):
        found, cut = segment_frame(image, t, params)
        halved |= cut
        count += int(found.max(initial=0))
        for y, x in corners(found.shape[1:], SHARD):
            part = found[:, y : y + SHARD, x : x + SHARD]
            images.write_region(levels, t, 0, y, x, part, mean=False)
            content.append(digests.of_bytes(part.tobytes()))
    return {"n": count, "digest": digests.of_json(content), "halved": halved}


def large_field(
    job: Job, tile: int, source: Source, params: NetworkParams, compartment: str
) -> Iterator[tuple[str, int, str]]:
    """A field of view in tiles; none if a tile failed."""
    from libcell.segment.network.field import NetworkCut, segment_large
    from libcell.segment.tiles.frame import TileFailed

    try:
        count, digest = segment_large(job, NetworkCut(source, 0, compartment, tile, params))
    except TileFailed:
        return
    yield source.group or "", count, digest


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from math import prod

    from libcell.data import open as opening
    from libcell.segment.network.field import require_fit

    params, _ = parameters(options, "cpu")
    images = [opening.image(s) for s in inputs.fields("image")]
    for image in images:
        require_fit(image, params)
    abouts = [i.about for i in images]
    size = sum(prod(a.shape) // a.shape[1] * 4 for a in abouts)
    return {"reads": [*(str(p) for p in inputs.seen), options.model], "blocks": len(abouts),
            "fields": [a.group for a in abouts], "bytes": size * 4 // 3}


METHOD = Method(
    name="unet",
    summary="Cells by a network of your own, trained with cell-train segmenter.",
    run=run,
    options=Options,
    reads=("image", "files"),
    writes="labels",
    suffix=".labels.ome.zarr",
    example="cell-segment unet plate.ome.zarr -c DNA -m seg.model -o n.labels.ome.zarr",
    paper="Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28; cells by directions to "
          "their centres, Stringer et al. 2021, doi:10.1038/s41592-020-01018-x",
    needs="train",
    plan=plan,
)
