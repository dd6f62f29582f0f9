"""Link cells by a network of your own, trained with `cell-train tracker`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job
    from libcell.track.solver.windows import Window

LABELS = "labels.ome.zarr"  # in the track store: the cells that were found in raw images


@dataclass(frozen=True)
class Options:
    """Which network, on which channels; what rare events cost beyond what it says."""

    model: Annotated[str, Opt("trained tracker (cell-train tracker)", ("-m", "--model"), path=True)]
    images: Annotated[str | None, Opt("image store that the labels belong to; not for raw images",
                                      path=True)] = None
    compartment: Annotated[str | None, Opt("label image to track [the first]")] = None
    channels: Annotated[tuple[str, ...], Opt(
        "the model's channels in this store, by name or number from 1, in its order; grey: an "
        "image's only channel, or the luma of red, green, blue [the model's own names]",
        ("-c", "--channels"))] = ()
    threshold: Annotated[float, Opt(
        "in raw images: how sure the network must be of a cell, 1 being what 19 in 20 cells "
        "reach that it learnt from; higher is stricter", least=0.1, most=3)] = 1.0
    division: Annotated[float, Opt("cost of a division beyond what the network says; may be below "
                                   "0")] = 0.0
    gap: Annotated[float, Opt("cost of each frame that a link leaves out", least=0)] = 2.0
    max_gap: Annotated[int, Opt("frames in which an object may be missing", least=0)] = 1
    window: Annotated[int, Opt("frames that are solved together, half of them anew with the next; "
                               "0: all at once, exactly", least=0)] = 12
    z_step: Annotated[float | None, Opt("x pixels from plane to plane [the pixel size says]",
                                        least=0)] = None


def run(job: Job, options: Options) -> None:
    """Track every field of view; fields are independent."""
    from libcell.track.fields import linked
    from libcell.track.learned import found

    sources, raw = _sources(job.inputs, options)
    files = job.collect("track", track_field, _blocks(job, sources, options, raw))
    if raw:
        found.seal(job.root / LABELS, files, job.provenance())
    linked.publish(job, files)


def _sources(inputs: Inputs, options: Options) -> tuple[Iterator[Source], bool]:
    """Fields of view, and whether they are raw images. UsageFault where `--images` is missing, or
    of no use."""
    from libcell.errors import UsageFault
    from libcell.track.learned.found import is_labels

    if inputs.piped:
        return (inputs.fields("labels" if options.images else "image"), not options.images)
    kinds = {is_labels(p) for p in inputs.paths()}
    if len(kinds) > 1:
        raise UsageFault("labels and images are mixed: give labels alone, and their images as "
                         "--images")
    labels = kinds == {True}
    if labels and not options.images:
        raise UsageFault(f"{inputs.paths()[0]}: holds labels; embed looks at their images as well "
                         "(--images b/image.ome.zarr)")
    if options.images and not labels:
        raise UsageFault(f"{inputs.paths()[0]}: holds images, in which embed finds the cells "
                         "itself; --images is for labels")
    return inputs.fields("labels" if labels else "image"), not labels


def _blocks(
    job: Job, sources: Iterator[Source], options: Options, raw: bool
) -> Iterator[Block]:
    from libcell.run import devices

    device = devices.resolve(job.device)
    for source in sources:
        yield Block(source.where, {
            "source": source, "options": asdict(options), "device": device,
            "root": job.root / LABELS if raw else None, "link": _link(job, source)})


def _link(job: Job, source: Source) -> str | None:
    """Where the image store lies as seen from the labels below the track store."""
    link = job.link(source.path)
    return f"../{link}" if link else None


def track_field(
    source: Source, options: dict[str, Any], device: str, root: Path | None, link: str | None
) -> pa.Table:
    """Table `links` of one field of view; memory for pixels follows the window.

    root  of the label store for the cells that are found in raw images; None: labels are given
    """
    import json

    import numpy as np

    from libcell.track.fields import linked
    from libcell.track.kernels.likeness import Costs
    from libcell.track.kernels.movie import settled
    from libcell.track.learned import found
    from libcell.track.learned.steps import Weights, steps

    given = Options(**options)
    film = found.open_film(source, given, device)
    content: list[str] = []
    frames = film.given() if root is None else film.detected(root, link, content)
    weights = Weights(given.division, given.gap, given.max_gap)
    spacing = np.array(film.spacing)[3 - film.look.network.shape.ndim :]
    made = settled(steps(frames, film.look, weights, spacing), Costs(), _window(given))
    table = linked.table_of(made, film.keys, film.compartment, film.spacing)
    about = {"group": source.group or "", "compartment": film.compartment, "content": content}
    return table.replace_schema_metadata((table.schema.metadata or {}) | {
        b"found": json.dumps(about).encode()})


def _window(given: Options) -> Window | None:
    """Enough frames that what is decided anew can still be tied to what is settled."""
    from libcell.track.solver.windows import Window

    if not given.window:
        return None
    if not given.max_gap:
        return Window(1, 0)
    frames = max(given.window, 2 * (given.max_gap + 1))
    return Window(frames, frames // 2)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    sources, _ = _sources(inputs, options)
    found = list(sources)
    more = [options.model, *([options.images] if options.images else [])]
    return {"reads": [*(str(p) for p in inputs.seen), *more], "blocks": len(found),
            "fields": [s.group for s in found]}


METHOD = Method(
    name="embed",
    summary="Link cells by a network of your own, trained with cell-train tracker.",
    run=run,
    options=Options,
    reads=("labels", "image"),
    writes="tracks",
    suffix=".tracks",
    example="cell-track embed b/labels.ome.zarr --images b/image.ome.zarr --model tracker.model "
            "-o e.tracks",
    paper="after CELLECT 2025, doi:10.1038/s41592-025-02886-x",
    needs="train",
    plan=plan,
)
