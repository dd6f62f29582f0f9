"""Link objects by where they are expected, by size and shape, divisions and gaps included."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job
    from libcell.track.kernels.steps import Rules
    from libcell.track.solver.windows import Solver, Window


@dataclass(frozen=True)
class Options:
    """What is looked for, and what loose ends cost (in units of log likelihood)."""

    compartment: Annotated[str | None, Opt("label image to track [the first]")] = None
    images: Annotated[str | None, Opt("image store that the labels belong to: brightness counts "
                                      "as well", path=True)] = None
    channel: Annotated[tuple[str, ...], Opt("channels of the images, by name or number [all]",
                                            ("-c", "--channel"))] = ()
    motion: Annotated[str, Opt("flow: a smooth field estimated from the movie; none: objects stay "
                               "about where they were", choices=("flow", "none"))] = "flow"
    max_distance: Annotated[float | None, Opt(
        "px from where an object is expected to where it may be [3 times the square root of the "
        "median area; of points 1.5 times the median distance to the next]", least=0)] = None
    neighbours: Annotated[int, Opt("candidates of each object", least=1)] = 6
    max_gap: Annotated[int, Opt("frames in which an object may be missing", least=0)] = 1
    appear: Annotated[float, Opt("cost of an object without one before it", least=0)] = 8.0
    disappear: Annotated[float, Opt("cost of an object without one after it", least=0)] = 8.0
    division: Annotated[float, Opt("cost of a division", least=0)] = 3.0
    gap: Annotated[float, Opt("cost of each frame that a link leaves out", least=0)] = 6.0
    merge: Annotated[float | None, Opt("cost of two objects that become one, until they come "
                                       "apart again [that is not looked for]", least=0)] = None
    window: Annotated[int, Opt("frames that are solved together, half of them anew with the next; "
                               "0: all at once, exactly", least=0)] = 12
    solver: Annotated[str, Opt(
        "packing: what is certain is settled first; programme: each window whole, as one integer "
        "programme: slow, and as good", choices=("packing", "programme"))] = "packing"
    z_step: Annotated[float | None, Opt("x pixels from plane to plane [the pixel size says]",
                                        least=0)] = None


def run(job: Job, options: Options) -> None:
    """Track every field of view; fields are independent."""
    from libcell.track.fields import linked

    linked.publish(job, job.collect("track", track_field, _blocks(job.inputs, options)))


def _blocks(inputs: Inputs, options: Options) -> Iterator[Block]:
    """A block per field of view of label stores, or of tables of points."""
    from libcell.track.fields import points

    given = asdict(options)
    paths = [] if inputs.piped else inputs.paths()
    if not paths or not all(points.is_table(p) for p in paths):
        for source in inputs.fields("labels"):
            yield Block(source.where, {"source": source, "number": 0, "options": given})
        return
    for path in paths:
        for number, found in enumerate(points.read(path)):
            name = found.keys["Metadata_Image"]
            yield Block(f"{path}/{name}", {"source": path, "number": number, "options": given})


def track_field(source: Source | Path, number: int, options: dict[str, Any]) -> pa.Table:
    """Table `links` of one field of view; memory for pixels follows the window."""
    from libcell.data import labels, objects
    from libcell.track.fields import frames, linked, points
    from libcell.track.kernels.movie import link

    given = Options(**options)
    if isinstance(source, Path):
        found = points.field_of(source, number)
        spacing = (1.0 if given.z_step is None else given.z_step, 1.0, 1.0)
        made = link(found.frames(spacing), _rules(given), _window(given), _solver(given))
        return linked.table_of(made, found.keys, found.compartment, spacing)
    compartment = given.compartment or labels.compartments_at(source)[0]
    spacing = frames.spacing_of(source, compartment, given.z_step)
    image = Path(given.images) if given.images else None
    seen = frames.measured(source, compartment, spacing, image, tuple(given.channel))
    made = link(seen, _rules(given), _window(given), _solver(given))
    return linked.table_of(made, objects.image_keys(source), compartment, spacing)


def _rules(given: Options) -> Rules:
    from libcell.track.kernels.likeness import Costs
    from libcell.track.kernels.steps import Rules

    costs = Costs(given.appear, given.disappear, given.division, given.gap, given.merge)
    return Rules(costs, given.neighbours, given.max_distance, given.max_gap,
                 given.motion == "flow")


def _solver(given: Options) -> Solver:
    from libcell.track.solver import packing

    return packing.exact if given.solver == "programme" else packing.best


def _window(given: Options) -> Window | None:
    """Enough frames that what is decided anew can still be tied to what is settled."""
    from libcell.track.solver.windows import Window

    if not given.window:
        return None
    if not given.max_gap:
        return Window(1, 0)  # without gaps the frames are not tied together
    frames = max(given.window, 2 * (given.max_gap + 1))
    return Window(frames, frames // 2)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    blocks = list(_blocks(inputs, options))
    more = [options.images] if options.images else []
    return {"reads": [*(str(p) for p in inputs.seen), *more], "blocks": len(blocks),
            "fields": [b.key for b in blocks]}


METHOD = Method(
    name="lap",
    summary="Link objects by where they are expected, by size and shape, with divisions and gaps.",
    run=run,
    options=Options,
    reads=("labels", "objects"),
    writes="tracks",
    suffix=".tracks",
    example="cell-track lap n.labels.ome.zarr -o t.tracks",
    paper="Jaqaman et al. 2008, doi:10.1038/nmeth.1237 (assignment with gaps and splits)",
    plan=plan,
)
