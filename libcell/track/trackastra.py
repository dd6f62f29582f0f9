"""trackastra behind our door, with weights that you have: by path, or by name from the cache."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """trackastra's own settings by their meaning."""

    model: Annotated[str, Opt("weights: a folder or zip as trackastra saves it, or the name of a "
                              "published network: general_2d, ctc", ("-m", "--model"),
                              shapes=False)]
    images: Annotated[str, Opt("image store that the labels belong to", path=True)]
    channel: Annotated[str | None, Opt("channel of the images, by name or number [the first]",
                                       ("-c", "--channel"))] = None
    compartment: Annotated[str | None, Opt("label image to track [the first]")] = None
    solver: Annotated[str, Opt("greedy: the surest link first, as trackastra does; global: the "
                               "best that fits together", choices=("greedy", "global"))] = "greedy"
    threshold: Annotated[float, Opt("association that a link needs", least=0, most=1)] = 0.5
    max_distance: Annotated[float, Opt("px between linked objects at most", least=0)] = 256.0
    neighbours: Annotated[int, Opt("candidates of each object", least=1)] = 10


def run(job: Job, options: Options) -> None:
    """Track every field of view; fields are independent."""
    from libcell.data import weights
    from libcell.run import devices
    from libcell.track.associated import network
    from libcell.track.fields import linked

    network.require()
    found = weights.find(options.model, "trackastra")
    device = devices.resolve(job.device)
    network.load(found.path, device)  # what is wrong with it is said before any work
    blocks = (Block(s.where, {"source": s, "options": asdict(options), "model": found.path,
                              "device": device}) for s in job.inputs.fields("labels"))
    files = job.collect("track", track_field, blocks)
    linked.publish(job, files, [job.inputs.digest(), found.mark])


def track_field(
    source: Source, options: dict[str, Any], model: Path, device: str
) -> pa.Table:
    """Table `links` of one field of view; holds a window of frames."""
    from libcell.data import labels, objects
    from libcell.track.associated import film, network
    from libcell.track.fields import associated, frames, linked

    given = Options(**options)
    compartment = given.compartment or labels.compartments_at(source)[0]
    loaded = network.load(model, device)
    seen, count = associated.seen(source, compartment, Path(given.images), given.channel, loaded)
    choice = film.Choice(given.solver, given.threshold, given.max_distance, given.neighbours)
    made = film.link(seen, loaded, count, choice)
    spacing = frames.spacing_of(source, compartment, None)
    return linked.table_of(made, objects.image_keys(source), compartment, spacing)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    found = inputs.plan("labels")
    return found | {"reads": [*found["reads"], options.images]}


METHOD = Method(
    name="trackastra",
    summary="trackastra's transformer, with weights that you have.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="tracks",
    suffix=".tracks",
    example="cell-track trackastra b/labels.ome.zarr --images b/image.ome.zarr -m general_2d "
            "-o a.tracks",
    paper="Gallusser and Weigert 2024, arXiv:2405.15700",
    needs="trackastra",
    plan=plan,
)
