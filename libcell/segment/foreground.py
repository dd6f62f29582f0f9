"""The area that cells cover in brightfield and phase contrast, and the confluency."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from libcell.data.image import Image
    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job

SHARD = 2048  # rows and columns written at once: whole shards of the label store
GREY = "grey"


@dataclass(frozen=True)
class Options:
    """What counts as covered by cells; lengths in pixels, areas in square pixels."""

    channel: Annotated[str, Opt("channel by name, or by number from 1; grey: of red, green, blue",
                                ("-c", "--channel"))] = "1"
    compartment: Annotated[str, Opt("name of the label image")] = "foreground"
    components: Annotated[bool, Opt("number the connected areas instead of labelling all 1",
                                    ("--components",))] = False
    crop_bottom: Annotated[int, Opt("rows at the bottom that are no image, such as a scale bar",
                                    least=0)] = 0
    low: Annotated[float, Opt("percentile that becomes black", least=0, most=100)] = 0.2
    high: Annotated[float, Opt("percentile that becomes white", least=0, most=100)] = 99.8
    sigma: Annotated[float, Opt("Gaussian smoothing before edges are found", least=0)] = 1.0
    edge_low: Annotated[float, Opt(
        "gradient that continues an edge, of the stretched range", least=0)] = 0.1
    edge_high: Annotated[float, Opt("gradient that begins an edge", least=0)] = 0.2
    closing: Annotated[int, Opt("steps by which gaps are closed", least=0)] = 1
    fill: Annotated[int, Opt("filling ignores walls thinner than about half of this; 3: none",
                             least=3)] = 6
    rounds: Annotated[int, Opt("closing and filling are repeated this often at most",
                               least=0)] = 10
    min_hole_area: Annotated[int, Opt("smaller holes are filled", least=0)] = 64
    min_area: Annotated[int, Opt("smaller areas are dropped", least=0)] = 100


def run(job: Job, options: Options) -> None:
    """Mask every field of view; its group's attribute `confluency` has one share per frame.

    The last record says the mean confluency and that of each image. The defaults are CLANet's;
    large flat cells want more steps of closing (3).
    """
    from libcell.data import labels

    _require_order(options)
    groups, content, covered = [], [], {}
    blocks = (
        Block(s.where, {"source": s, "root": job.root, "options": asdict(options),
                        "link": job.link(s.path)})
        for s in job.inputs.fields("image")
    )
    for block, done in job.map("fields", mask_field, blocks):
        group = block.args["source"].group or ""
        groups.append(group)
        content.append(done["digest"])
        covered[done["image"]] = done["confluency"]
        job.part("labels", group, done["n"])
    job.settle()
    labels.seal(job.root, groups, [options.compartment], content, job.provenance())
    job.publish("labels", len(groups), confluency=_mean(list(covered.values())),
                confluency_by_image=covered)


def _require_order(options: Options) -> None:
    from libcell.errors import UsageFault

    if options.low >= options.high:
        raise UsageFault(f"--low {options.low} is not below --high {options.high}")
    if options.edge_low > options.edge_high:
        raise UsageFault(f"--edge-low {options.edge_low} is above --edge-high {options.edge_high}")


def mask_field(
    source: Source, root: Path, options: dict[str, Any], link: str | None
) -> dict[str, Any]:
    """One field of view, plane by plane: written, and what share of it is covered.

    `link` is where the image store lies as seen from the label store.
    """
    import numpy as np

    from libcell.data import digests, groups, images, labels
    from libcell.data import open as opening
    from libcell.segment.tiles.cut import corners

    given = Options(**options)
    image = opening.image(source)
    about = image.about
    levels = labels.create(root, about, [given.compartment], link)[given.compartment]
    content, shares, count = [], [], 0
    for t in range(about.shape[0]):
        mask = frame_mask(image, t, given)
        shares.append(float(mask.sum() / max(mask[:, : _rows(image, given)].size, 1)))
        found = numbered(mask) if given.components else mask.astype(np.uint32)
        count += int(found.max(initial=0))
        for y, x in corners(found.shape[1:], SHARD):
            part = found[:, y : y + SHARD, x : x + SHARD]
            images.write_region(levels, t, 0, y, x, part, mean=False)
            content.append(digests.of_bytes(part.tobytes()))
    groups.ensure(root, about.group, {"confluency": shares})
    return {"n": count, "digest": digests.of_json(content), "confluency": _mean(shares),
            "image": about.keys["Metadata_Image"]}


def frame_mask(image: Image, t: int, options: Options) -> np.ndarray:
    """The mask (Z,Y,X) of one frame, bool; each plane for itself, cut-off rows empty."""
    import numpy as np

    from libcell.segment.kernels.cell_area import AreaParams, cell_area

    params = AreaParams(
        low=options.low, high=options.high, sigma_px=options.sigma, edge_low=options.edge_low,
        edge_high=options.edge_high, closing_px=options.closing, fill_px=options.fill,
        rounds=options.rounds, min_hole_area_px=options.min_hole_area,
        min_area_px=options.min_area,
    )
    rows = _rows(image, options)
    mask = np.zeros(image.about.shape[2:], bool)
    for z in range(mask.shape[0]):
        mask[z, :rows] = cell_area(_plane(image, t, z, options.channel)[:rows], params)
    return mask


def _rows(image: Image, options: Options) -> int:
    """How many rows are image. DataError if none is."""
    from libcell.errors import DataError

    height = image.about.shape[3]
    if options.crop_bottom >= height:
        raise DataError(f"{image.about.where}: --crop-bottom {options.crop_bottom} leaves none of "
                        f"its {height} rows")
    return height - options.crop_bottom


def _plane(image: Image, t: int, z: int, channel: str) -> np.ndarray:
    """One plane (Y,X), native dtype; float32 where it is the luma of three channels."""
    import numpy as np

    from libcell.data.readers.samples import LUMA
    from libcell.errors import DataError

    about, plane = image.about, slice(z, z + 1)
    if channel != GREY or GREY in about.channels:
        return image.read(t=t, c=about.channel(channel), z=plane)[0]
    if len(about.channels) != len(LUMA):
        raise DataError(f"{about.where}: grey is made of 3 channels; it has "
                        f"{', '.join(about.channels)} (use -c 1)")
    grey = np.zeros(about.shape[3:], np.float32)
    for c, weight in enumerate(LUMA):
        grey += np.float32(weight) * image.read(t=t, c=c, z=plane)[0]
    return grey


def numbered(mask: np.ndarray) -> np.ndarray:
    """The areas of a mask (Z,Y,X), connected by faces, as labels 1..N, uint32."""
    import numpy as np
    from scipy import ndimage

    return ndimage.label(mask)[0].astype(np.uint32)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from math import prod

    from libcell.data import open as opening

    abouts = [opening.image(s).about for s in inputs.fields("image")]
    for about in abouts:
        if options.channel != GREY:
            about.channel(options.channel)
    size = sum(prod(a.shape) // a.shape[1] * 4 for a in abouts)
    return {"reads": [str(p) for p in inputs.seen], "blocks": len(abouts),
            "fields": [a.group for a in abouts], "bytes": size * 4 // 3}


METHOD = Method(
    name="foreground",
    summary="The area that cells cover in brightfield and phase contrast, and the confluency.",
    run=run,
    options=Options,
    reads=("image", "files"),
    writes="labels",
    suffix=".labels.ome.zarr",
    example="cell-segment foreground phase.ome.zarr -o x.labels.ome.zarr --crop-bottom 150",
    paper="the cell area of CLANet, arXiv:2306.16538; Canny 1986, doi:10.1109/TPAMI.1986.4767851",
    plan=plan,
)
