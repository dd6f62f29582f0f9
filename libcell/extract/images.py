"""Microscope files to an image store: one image, a plate, or a collection of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    import zarr

    from libcell.data.image import About
    from libcell.extract.fields.plan import FieldFiles
    from libcell.extract.fields.stacks import Field
    from libcell.run.blocks import Block
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job

BAND = 2048  # rows of level 0 that one block writes: whole shards


@dataclass(frozen=True)
class Options:
    """How file names are read, and what is known beside them."""

    pattern: Annotated[str | None, Opt(
        "file names, e.g. '{well}_s{site}_{channel}.tif'; names: plate, well or row and col, "
        "site, channel, t, z, time (02d12h00m); {_} matches anything; others become Metadata "
        "columns; `auto` proposes one"
    )] = None
    plate: Annotated[str | None, Opt("plate name [the layout's, or the output's name]")] = None
    layout: Annotated[str | None, Opt(
        "CSV or XLSX with a row per well (Well, or Row and Column), or XLSX with the plate as a "
        "grid; its columns ride along", path=True
    )] = None
    channel_names: Annotated[tuple[str, ...], Opt(
        "names of the channels in order, or renamed as found=name (1=GFP,2=DNA)"
    )] = ()
    pixel_size: Annotated[float | None, Opt("um per pixel, where the files do not tell",
                                            least=0)] = None
    axes: Annotated[str, Opt(
        "what the axes of a TIFF are that does not name them, e.g. ZYX; letters T, C, Z, Y, X, and "
        "S for colours")] = ""
    project: Annotated[str | None, Opt(
        "one plane out of each stack; sum has a dtype that holds it; best-focus is the plane with "
        "the largest Brenner gradient, channel by channel", choices=("max", "sum", "best-focus")
    )] = None
    flat_field: Annotated[str | None, Opt(
        "image of an even sample (one for all channels, or one each) to divide by, or `basic`: "
        "estimated from all images (BaSiC, doi:10.1038/ncomms14836)", shapes=False
    )] = None  # enters provenance by its digest, whether it was a file or an estimate
    dark: Annotated[str | None, Opt(
        "image taken without light, subtracted first", path=True
    )] = None


def run(job: Job, options: Options) -> None:
    """Write every field of view, then the root."""
    from libcell.data import digests, image_store
    from libcell.extract.fields.plan import incomplete

    output = job.output.path.name.split(".")[0] if job.output else "plate"
    plate, fields, absent = _plan(job.inputs, options, output, job.reporter.note)
    if absent:
        job.reporter.warn(f"{options.layout}: has no row for {len(absent)} of {len(fields)} fields "
                          f"of view, e.g. well {absent[0]}")
    lacking = incomplete(fields)
    if lacking:
        job.reporter.warn(f"{len(lacking)} of {len(fields)} fields of view lack channels that "
                          f"others have, e.g. {lacking[0]}")
    blocks, light = _lit(job, _blocks(job, fields, options), options)
    groups, content, files = [], [], []
    for block, done in _finished(job, blocks, light):
        groups.append(block.args["group"])
        content.append(done["digest"])
        files.append(done["files"])
        job.part("image", block.args["group"], done["n"])
    job.settle()
    mark = {"role": "input", "schema": None, "digest": digests.of_json(files)}
    provenance = job.provenance([mark, *light])
    image_store.seal(job.root, plate, groups, content, provenance)
    job.publish("image", len(groups))


def _plan(
    inputs: Inputs, options: Options, output: str, say: Callable[[str], None] | None = None
) -> tuple[str, list[FieldFiles], list[str]]:
    """The plate's name, its fields of view, and wells that the layout lacks.

    The name is the user's, else the only one in the layout, else the output's.
    """
    from pathlib import Path

    from libcell.extract.fields.plan import plan_fields, with_layout
    from libcell.extract.kernels.auto_pattern import propose

    known, sole = {}, None
    if options.layout:
        from libcell.data import layout

        known = layout.read(Path(options.layout))
        sole = layout.sole_plate(known)
    plate = options.plate or sole or output
    pattern, paths = options.pattern, inputs.paths()
    if pattern == "auto":
        found = propose([p.name for p in paths])
        if say:
            say(f"--pattern '{found.pattern}' ({found.reason})")
        pattern = found.pattern
    fields = plan_fields(paths, pattern, plate)
    if not options.layout:
        return plate, fields, []
    return plate, *with_layout(fields, known, options.layout)


# -- reading and writing one field of view --------------------------------------------------


def _blocks(job: Job, fields: list[FieldFiles], options: Options) -> list[Block]:
    from libcell.run.blocks import Block

    return [
        Block(f.group or str(next(iter(f.files.values()))), {
            "root": job.root, "group": f.group, "metadata": f.metadata,
            "files": f.files, "source_group": f.source_group,
            "channel_names": options.channel_names, "pixel_size": options.pixel_size,
            "project": options.project, "axes": options.axes.upper(),
        })
        for f in fields
    ]


def _lit(
    job: Job, blocks: list[Block], options: Options
) -> tuple[list[Block], list[dict[str, Any]]]:
    """The blocks with the flat field and dark image to use; and the flat field's mark."""
    from dataclasses import replace
    from pathlib import Path

    from libcell.data import digests
    from libcell.extract.fields.light import Light

    if not (options.flat_field or options.dark):
        return blocks, []
    light = Light(dark=Path(options.dark) if options.dark else None)
    marks = []
    if options.flat_field == "basic":
        from libcell.extract.fields.estimate import estimate

        light, digest = estimate(job, blocks, light)
        marks = [{"role": "flat_field basic", "schema": None, "digest": digest}]
    elif options.flat_field:
        light = Light(Path(options.flat_field).absolute(), light.dark)
        digest = digests.of_path(Path(options.flat_field))
        marks = [{"role": "flat_field", "schema": None, "digest": digest}]
    return [replace(b, args=b.args | {"light": light}) for b in blocks], marks


def _finished(
    job: Job, blocks: list[Block], light: list[dict[str, Any]]
) -> Iterator[tuple[Block, dict[str, Any]]]:
    """Fields in order; one too tall for a block is done band by band.

    Fields that an earlier run lit otherwise, from fewer files or another flat field, are not
    taken for done.
    """
    from libcell.data import digests
    from libcell.run.blocks import Block

    lit = "".join(f" lit by {mark['digest'][-8:]}" for mark in light)
    for block, result in job.map(f"fields{lit}", write_field, blocks):
        if not result["bands"]:
            yield block, result
            continue
        bands = [Block(f"{block.key} rows {y}", block.args | {"y0": y}) for y in result["bands"]]
        done = [r for _, r in job.map(f"bands{lit}", write_band, bands)]
        if len(done) == len(bands):
            describe_field(**block.args)
            yield block, result | {"digest": digests.of_json([d["digest"] for d in done])}


def write_field(**field: Any) -> dict[str, Any]:
    """Create a field's pyramid; write it if it is one band, else say which bands there are."""
    from libcell.data import image_store
    from libcell.extract.fields.assemble import prepare

    prepared = prepare(**field)
    about = prepared.about
    levels = image_store.create(field["root"], about)
    height = about.shape[3]
    tall = height > BAND and about.row_chunk <= BAND
    result: dict[str, Any] = {
        "n": about.shape[0] * about.shape[1],
        "files": prepared.digest(),
        "bands": list(range(0, height, BAND)) if tall else [],
    }
    if not tall:
        result["digest"], smallest = _write_rows(prepared, levels, 0, height)
        _describe(field["root"], about, levels, smallest)
    return result


def write_band(y0: int, **field: Any) -> dict[str, Any]:
    """Write the rows of one band of a field that `write_field` created."""
    from libcell.data import image_store
    from libcell.extract.fields.assemble import prepare

    prepared = prepare(**field)
    levels = image_store.open_levels(field["root"], prepared.about.group)
    y1 = min(y0 + BAND, prepared.about.shape[3])
    return {"digest": _write_rows(prepared, levels, y0, y1)[0]}


def _write_rows(
    field: Field, levels: list[zarr.Array], y0: int, y1: int
) -> tuple[str, dict[int, np.ndarray]]:
    """The digest of some rows' pixels; and, by channel, what the smallest level's first frame is.

    That is left out where several pieces make it up.
    """
    import hashlib

    from libcell.data import images

    frames, channels, *_, width = field.about.shape
    seal = hashlib.sha256()
    smallest = {}
    for t in range(frames):
        for c in range(channels):
            rows = field.read(t, c, slice(y0, y1))
            seal.update(rows.tobytes())
            for top in range(0, y1 - y0, BAND):
                for left in range(0, width, BAND):
                    part = rows[:, top : top + BAND, left : left + BAND]
                    small = images.write_region(levels, t, c, y0 + top, left, part, mean=True)
                    if t == 0 and part.shape[1:] == field.about.shape[3:]:
                        smallest[c] = small
    return f"sha256:{seal.hexdigest()}", smallest


def describe_field(**field: Any) -> None:
    """Channel names with display windows of a field whose bands are written."""
    from libcell.data import image_store
    from libcell.extract.fields.assemble import prepare

    about = prepare(**field).about
    _describe(field["root"], about, image_store.open_levels(field["root"], about.group), {})


def _describe(
    root: Path, about: About, levels: list[zarr.Array], smallest: dict[int, np.ndarray]
) -> None:
    """Windows from the smallest level's first frame, read back where it is not at hand."""
    import numpy as np

    from libcell.data import image_store

    windows = [image_store.window(smallest[c] if c in smallest else np.asarray(levels[-1][0, c]))
               for c in range(about.shape[1])]
    image_store.describe(root, about, windows, {})


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from math import prod

    from libcell.extract.fields.assemble import prepare

    fields = _plan(inputs, options, "plate")[1]
    first = fields[0]
    one = prepare(project=options.project, group=first.group, metadata={}, files=first.files,
                  source_group=first.source_group, axes=options.axes.upper()).about
    size = prod(one.shape) * one.dtype.itemsize * len(fields)
    return {"reads": [str(p) for p in inputs.seen], "blocks": len(fields),
            "fields": [f.group for f in fields], "bytes": size * 4 // 3}


METHOD = Method(
    name="images",
    summary="Microscope files to an image store: one image, a plate, or a collection.",
    run=run,
    options=Options,
    reads=("files", "image"),
    writes="image",
    suffix=".ome.zarr",
    example="cell-extract images 'raw/*.tif' --pattern '{well}_s{site}_{channel}.tif' \\\n"
            "  --layout layout.csv -o plate.ome.zarr",
    plan=plan,
)
