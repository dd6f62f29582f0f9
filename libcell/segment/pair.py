"""Nuclei and cells of two label stores brought together: same numbers, and the cytoplasm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which cells, and what becomes of nuclei and cells that have no counterpart."""

    cells: Annotated[str, Opt("label store with the cells; same groups as INPUT", path=True)]
    nuclei_name: Annotated[str | None, Opt("label image of the nuclei [nuclei, or the only one]")
                           ] = None
    cells_name: Annotated[str | None, Opt("label image of the cells [cells, or the only one]")
                          ] = None
    share: Annotated[float, Opt("part of a nucleus that must lie in its cell", least=0, most=1)
                     ] = 0.5
    lone_nuclei: Annotated[str, Opt(
        "nuclei without a cell; kept or grown by --distance they are cells of their own",
        choices=("drop", "keep", "grow"))] = "drop"
    lone_cells: Annotated[str, Opt("cells without a nucleus", choices=("drop", "keep"))] = "drop"
    several: Annotated[str, Opt(
        "several nuclei in one cell: all get its number, the largest alone stays, or the cell goes",
        choices=("join", "largest", "drop"))] = "join"
    outside: Annotated[str, Opt(
        "of a nucleus, what lies outside its cell and in no other: cut off, or the cell extends",
        choices=("cut", "extend"))] = "cut"
    distance: Annotated[float, Opt("pixels that a nucleus without a cell grows", least=0)] = 10.0


def run(job: Job, options: Options) -> None:
    """Pair every field of view; the last record says how many were paired, and what was not."""
    from libcell.data import labels
    from libcell.segment.paired import pairing, store

    groups, content, total = [], [], dict.fromkeys(
        ("paired", "nuclei_without_cell", "cells_without_nucleus", "cells_with_several_nuclei"), 0)
    for block, done in job.map("fields", pairing.pair_field, _blocks(job, options)):
        group = block.args["couple"].nuclei.group or ""
        groups.append(group)
        content.append(done["digest"])
        total = {k: n + done["counts"].get(k, 0) for k, n in total.items()}
        job.part("labels", group, done["n"])
    job.settle()
    labels.seal(job.root, groups, list(store.NAMES), content, job.provenance())
    job.publish("labels", len(groups), **total)


def _blocks(job: Job, options: Options) -> Any:
    from libcell.segment.kernels.pairing import PairingParams

    params = PairingParams(options.share, options.lone_nuclei, options.lone_cells,
                           options.several, options.distance)
    for couple in _couples(job.inputs, options):
        yield Block(couple.nuclei.where, {"couple": couple, "root": job.root, "params": params,
                                          "extend": options.outside == "extend"})


def _couples(inputs: Inputs, options: Options) -> Any:
    """Each field of view with its cells. MissingInput or DataError where there are none."""
    from libcell.data import labels
    from libcell.data.images import Source
    from libcell.errors import DataError, MissingInput

    place = Path(options.cells)
    if not place.exists():
        raise MissingInput(f"{place}: not found (--cells)")
    there = set(labels.fields(place)[0])
    for source in inputs.fields("labels"):
        if (source.group or "") not in there:
            raise DataError(f"{place}: has no field of view {source.group!r}; give the cells of "
                            "the same images as INPUT")
        yield _couple(source, Source(place, source.group or ""), options)


def _couple(nuclei: Source, cells: Source, options: Options) -> Any:
    from libcell.segment.paired import store
    from libcell.segment.paired.pairing import Couple

    return Couple(
        nuclei, store.compartment(nuclei, options.nuclei_name, "--nuclei-name", "nuclei"),
        cells, store.compartment(cells, options.cells_name, "--cells-name", "cells"),
    )


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    couples = list(_couples(inputs, options))
    return {"reads": [*(str(p) for p in inputs.seen), options.cells], "blocks": len(couples),
            "fields": [c.nuclei.group for c in couples]}


METHOD = Method(
    name="pair",
    summary="Nuclei and their cells under the same numbers, and the cytoplasm between them.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="labels",
    suffix=".labels.ome.zarr",
    example="cell-segment pair n.labels.ome.zarr --cells c.labels.ome.zarr -o x.labels.ome.zarr",
    plan=plan,
)
