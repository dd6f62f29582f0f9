"""Link objects from frame to frame by the overlap of their masks, divisions included."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pyarrow as pa

    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """What counts as a link; fractions of areas."""

    compartment: Annotated[str | None, Opt("label image to track [the first]")] = None
    motion: Annotated[str, Opt(
        "none; global: one shift for all; local: then as the neighbours moved",
        choices=("none", "global", "local"))] = "local"
    min_overlap: Annotated[float, Opt("shared part of the smaller of a pair",
                                      least=0, most=1)] = 0.1
    min_inside: Annotated[float, Opt("part of a daughter inside its mother",
                                     least=0, most=1)] = 0.5
    min_area_ratio: Annotated[float, Opt("both daughters to the mother, at least", least=0)] = 0.6
    max_area_ratio: Annotated[float, Opt("both daughters to the mother, at most", least=0)] = 1.6
    min_similarity: Annotated[float, Opt("smaller to larger daughter", least=0, most=1)] = 0.3


def run(job: Job, options: Options) -> None:
    """Track every field of view; fields are independent."""
    from libcell.track.fields import linked

    blocks = (Block(s.where, {"source": s, "options": asdict(options)})
              for s in job.inputs.fields("labels"))
    linked.publish(job, job.collect("track", track_field, blocks))


def track_field(source: Source, options: dict[str, Any]) -> pa.Table:
    """Table `links` of one field of view, frames in order; holds two frames at a time."""
    import pyarrow as pa

    from libcell.data import labels, objects, tables
    from libcell.track.kernels.builder import track_frames
    from libcell.track.kernels.overlap import LinkRules

    given = Options(**options)
    compartment = given.compartment or labels.compartments_at(source)[0]
    about = labels.open_labels(source, compartment).about
    keys = objects.image_keys(source)
    rules = LinkRules(given.min_overlap, given.min_inside, given.min_area_ratio,
                      given.max_area_ratio, given.min_similarity)
    frames = _frames(source, compartment, about.shape[0])
    made = []
    for rows in track_frames(frames, rules, given.motion):
        t = int(rows["t"][0]) if len(rows["t"]) else 0
        columns = objects.key_columns(keys, t, compartment, rows["label"]) | {
            name: rows[name] for name in ("track_id", "parent_track_id", "y", "x", "z")
            if name in rows}
        columns["score"] = pa.array(rows["score"], from_pandas=True)  # nan: no link, null
        made.append(tables.from_columns("links", columns))
    return pa.concat_tables(made, promote_options="permissive")


def _frames(source: Source, compartment: str, count: int) -> Iterator[np.ndarray]:
    from libcell.data import labels

    for t in range(count):
        stack = labels.read_frame(source, compartment, t)
        yield stack[0] if stack.shape[0] == 1 else stack


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    return inputs.plan("labels")


METHOD = Method(
    name="overlap",
    summary="Link objects from frame to frame by the overlap of their masks, with divisions.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="tracks",
    suffix=".tracks",
    example="cell-track overlap n.labels.ome.zarr -o t.tracks",
    plan=plan,
)
