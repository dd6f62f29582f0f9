"""Microscope files to an image store: one image, a plate, or a collection of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from libcell.data.image import About, Image
    from libcell.extract.kernels.pattern import Place
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job
    from libcell.run.workers import Block

BAND = 2048  # rows of level 0 that one block writes: whole shards


@dataclass(frozen=True)
class Options:
    """How file names are read, and what is known beside them."""

    pattern: Annotated[str | None, Opt(
        "file names, e.g. '{well}_s{site}_{channel}.tif'; names: plate, well or row and col, "
        "site, channel, t, z; {_} matches anything; other names become Metadata columns"
    )] = None
    plate: Annotated[str | None, Opt("plate name [the output's name]")] = None
    layout: Annotated[str | None, Opt(
        "CSV with a row per well (Well, or Row and Column); its columns ride along", path=True
    )] = None
    channel_names: Annotated[tuple[str, ...], Opt(
        "names of the channels in order, or renamed as found=name (1=GFP,2=DNA)"
    )] = ()
    pixel_size: Annotated[float | None, Opt("um per pixel, where the files do not tell",
                                            least=0)] = None


def run(job: Job, options: Options) -> None:
    """Write every field of view, then the root."""
    from libcell.data import digests, image_store

    fields = plan_fields(job.inputs, options, _plate_name(job, options))
    blocks = _blocks(job, fields, options)
    groups, content, files = [], [], []
    for block, done in _finished(job, blocks):
        groups.append(block.args["group"])
        content.append(done["digest"])
        files.append(done["files"])
        job.part("image", block.args["group"], done["n"])
    job.settle()
    mark = {"role": "input", "schema": None, "digest": digests.of_json(files)}
    provenance = job.provenance([mark])
    image_store.seal(job.root, _plate_name(job, options), groups, content, provenance)
    job.publish("image", len(groups))


def _plate_name(job: Job, options: Options) -> str:
    if options.plate:
        return options.plate
    return job.output.path.name.split(".")[0] if job.output else "plate"


# -- which files make which field of view ---------------------------------------------------


@dataclass(frozen=True)
class FieldFiles:
    """One field of view before it is read: its group, columns and files by (t, channel, z)."""

    group: str
    metadata: dict[str, Any]
    files: dict[tuple[int, str | None, int], Path]
    source_group: str | None = None


def plan_fields(inputs: Inputs, options: Options, plate: str) -> list[FieldFiles]:
    """Every field of view that the inputs make, plates in well order."""
    paths = inputs.paths()
    fields = _by_pattern(paths, options, plate) if options.pattern else _one_each(paths)
    if options.layout:
        fields = _with_layout(fields, options.layout)
    return fields


def _by_pattern(paths: list[Path], options: Options, plate: str) -> list[FieldFiles]:
    from libcell.errors import DataError
    from libcell.extract.kernels import pattern as names

    expression = names.compile_pattern(str(options.pattern))
    found: dict[Any, dict[tuple[int, str | None, int], Path]] = {}
    places: dict[Any, Place] = {}
    strangers = []
    for path in paths:
        try:
            place = names.parse(expression, path.as_posix())
        except DataError:
            strangers.append(path.name)
            continue
        places.setdefault(place.field, place)
        files = found.setdefault(place.field, {})
        spot = (place.t, place.channel, place.z)
        if spot in files:
            raise DataError(f"{path} and {files[spot]}: the pattern gives both the same place")
        files[spot] = path
    if strangers:
        raise DataError(
            f"{len(strangers)} of {len(paths)} files do not match --pattern "
            f"{options.pattern}, e.g. {strangers[0]}"
        )
    plates = len({p.plate for p in places.values()})
    on_plate = all(p.well for p in places.values())
    made = [
        FieldFiles(names.group_name(places[key], plates) if len(found) > 1 or on_plate else "",
                   names.metadata(places[key], plate if on_plate else None), files)
        for key, files in found.items()
    ]
    return _distinct(sorted(made, key=lambda f: _well_order(f.group)))


def _distinct(fields: list[FieldFiles]) -> list[FieldFiles]:
    from dataclasses import replace

    from libcell.extract.kernels.pattern import unique

    return [replace(f, group=g) for f, g in zip(fields, unique(f.group for f in fields))]


def _well_order(group: str) -> list[Any]:
    from libcell.run.inputs import natural

    return natural(group)


def _one_each(paths: list[Path]) -> list[FieldFiles]:
    """Without a pattern every image of every file is a field of view of its own."""
    from libcell.data import open as opening
    from libcell.extract.kernels.pattern import plain

    made = []
    for path in paths:
        try:
            inside = opening.groups(path)
        except Exception:  # noqa: BLE001  the block that reads it reports it, the others go on
            inside = [""]
        stem = plain(path.name.split(".")[0])
        for group in inside:
            name = group if len(paths) == 1 else f"{stem}/{group}".rstrip("/")
            made.append(FieldFiles(name, {}, {(0, None, 0): path}, group))
    return _distinct(made)


def _with_layout(fields: list[FieldFiles], layout_path: str) -> list[FieldFiles]:
    from dataclasses import replace
    from pathlib import Path

    from libcell.data import layout
    from libcell.errors import DataError

    known = layout.read(Path(layout_path))
    made = []
    for field in fields:
        well = field.metadata.get("Metadata_Well")
        if not well:
            raise DataError(f"--layout {layout_path}: field {field.group or '(the image)'} has no "
                            "well; name it in --pattern")
        more = layout.lookup(known, field.metadata.get("Metadata_Plate"), well)
        made.append(replace(field, metadata=field.metadata | more))
    return made


# -- reading and writing one field of view --------------------------------------------------


def _blocks(job: Job, fields: list[FieldFiles], options: Options) -> list[Block]:
    from libcell.run.workers import Block

    return [
        Block(f.group or str(next(iter(f.files.values()))), {
            "root": job.root, "group": f.group, "metadata": f.metadata,
            "files": f.files, "source_group": f.source_group,
            "channel_names": options.channel_names, "pixel_size": options.pixel_size,
        })
        for f in fields
    ]


def _finished(job: Job, blocks: list[Block]) -> Iterator[tuple[Block, dict[str, Any]]]:
    """Fields in order; one too tall for a block is done band by band."""
    from libcell.data import digests
    from libcell.run.workers import Block

    for block, result in job.map("fields", write_field, blocks):
        if not result["bands"]:
            yield block, result
            continue
        bands = [Block(f"{block.key} rows {y}", block.args | {"y0": y}) for y in result["bands"]]
        done = [r for _, r in job.map("bands", write_band, bands)]
        if len(done) == len(bands):
            describe_field(**block.args)
            yield block, result | {"digest": digests.of_json([d["digest"] for d in done])}


def write_field(**field: Any) -> dict[str, Any]:
    """Create a field's pyramid; write it if it is one band, else say which bands there are."""
    from libcell.data import image_store

    assembled = _assemble(**field)
    image_store.create(field["root"], assembled.about)
    height = assembled.about.shape[3]
    tall = height > BAND and assembled.about.row_chunk <= BAND
    result: dict[str, Any] = {
        "n": assembled.about.shape[0] * assembled.about.shape[1],
        "files": assembled.digest(),
        "bands": list(range(0, height, BAND)) if tall else [],
    }
    if not tall:
        result["digest"] = _write_rows(assembled, field["root"], 0, height)
        describe_field(**field)
    return result


def write_band(y0: int, **field: Any) -> dict[str, Any]:
    """Write the rows of one band of a field that `write_field` created."""
    assembled = _assemble(**field)
    y1 = min(y0 + BAND, assembled.about.shape[3])
    return {"digest": _write_rows(assembled, field["root"], y0, y1)}


def _write_rows(assembled: Assembled, root: Path, y0: int, y1: int) -> str:
    import hashlib

    from libcell.data import image_store, images

    levels = image_store.open_levels(root, assembled.about.group)
    frames, channels, *_, width = assembled.about.shape
    seal = hashlib.sha256()
    for t in range(frames):
        for c in range(channels):
            rows = assembled.read(t, c, slice(y0, y1))
            seal.update(rows.tobytes())
            for top in range(0, y1 - y0, BAND):
                for left in range(0, width, BAND):
                    part = rows[:, top : top + BAND, left : left + BAND]
                    images.write_region(levels, t, c, y0 + top, left, part, mean=True)
    return f"sha256:{seal.hexdigest()}"


def describe_field(**field: Any) -> None:
    """Channel names with display windows: the 0.1 and 99.9 percentiles of the smallest level."""
    import numpy as np

    from libcell.data import image_store

    about = _assemble(**field).about
    smallest = image_store.open_levels(field["root"], about.group)[-1]
    windows = []
    for c in range(about.shape[1]):
        low, high = np.percentile(np.asarray(smallest[0, c]), (0.1, 99.9))
        windows.append((float(low), float(max(high, low + 1e-6))))
    image_store.describe(field["root"], about, windows, {})


class Assembled:
    """One field of view out of the files that hold its channels, frames and planes."""

    def __init__(self, images: dict[tuple[int, int, int], Image], about: About):
        self.about = about
        self._images = images

    def read(self, t: int, c: int, rows: slice) -> Any:
        """(Z,Y,X) pixels of some rows."""
        import numpy as np

        if (0, -1, 0) in self._images:  # one file holds everything
            return self._images[0, -1, 0].read(t=t, c=c, y=rows)
        planes = [self._images[k].read(y=rows) for k in sorted(self._images) if k[:2] == (t, c)]
        return np.concatenate(planes)

    def digest(self) -> list[str]:
        """Digests of the files that were read, in order."""
        from pathlib import Path

        from libcell.data import digests

        paths = dict.fromkeys(i.about.where for i in self._images.values())
        return [digests.of_path(Path(p)) for p in paths if Path(p).exists()]


def _assemble(
    group: str, metadata: dict[str, Any], files: dict[Any, Path], source_group: str | None,
    channel_names: tuple[str, ...], pixel_size: float | None, **_: Any,
) -> Assembled:
    """Open a field's files and check that they fit together. DataError says which does not."""
    from dataclasses import replace

    from libcell.data import open as opening
    from libcell.data.images import Source

    if list(files) == [(0, None, 0)]:
        whole = opening.image(Source(files[0, None, 0], source_group or ""))
        images, about = {(0, -1, 0): whole}, whole.about
        metadata = about.metadata | metadata
    else:
        images, about = _by_place(files, group)
    spacing = (1.0, pixel_size, pixel_size) if pixel_size else about.pixel_size_um
    about = replace(about, group=group, metadata=metadata, pixel_size_um=spacing,
                    channels=_renamed(about.channels, channel_names, about.where),
                    name=about.name if source_group is not None else (group or about.name))
    return Assembled(images, about)


def _by_place(
    files: dict[Any, Path], group: str
) -> tuple[dict[tuple[int, int, int], Image], About]:
    """Files that hold one channel, frame and plane each."""
    from dataclasses import replace

    from libcell.data import open as opening
    from libcell.data.images import Source
    from libcell.errors import DataError
    from libcell.run.inputs import natural

    frames, channels, planes = (
        sorted({k[i] for k in files}, key=lambda v: natural(str(v))) for i in range(3)
    )
    images: dict[tuple[int, int, int], Image] = {}
    for it, t in enumerate(frames):
        for ic, c in enumerate(channels):
            for iz, z in enumerate(planes):
                path = files.get((t, c, z))
                if path is None:
                    spot = ", ".join(f"{n} {v}" for n, v in (("t", t), ("channel", c), ("z", z))
                                     if v is not None)
                    raise DataError(f"{group}: no file for {spot}")
                images[it, ic, iz] = opening.image(Source(path, ""))
    first = images[0, 0, 0].about
    for image in images.values():
        _require_plane(image.about, first)
    shape = (len(frames), len(channels), len(planes), *first.shape[3:])
    names = tuple(str(i + 1) if c is None else str(c) for i, c in enumerate(channels))
    chunk = max(i.about.row_chunk for i in images.values())
    return images, replace(first, shape=shape, channels=names, row_chunk=chunk)


def _require_plane(about: About, first: About) -> None:
    from libcell.errors import DataError

    if about.shape[:3] != (1, 1, 1):
        t, c, z = about.shape[:3]
        raise DataError(f"{about.where}: holds {t} frames, {c} channels, {z} planes; a pattern "
                        "with channel, t or z takes files of one plane")
    if (about.shape, about.dtype) != (first.shape, first.dtype):
        raise DataError(
            f"{about.where}: {about.shape[3]} x {about.shape[4]} {about.dtype}, but "
            f"{first.where} is {first.shape[3]} x {first.shape[4]} {first.dtype}"
        )


def _renamed(found: tuple[str, ...], wanted: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Channels renamed in order, or by `found=name`."""
    from libcell.errors import DataError

    if not wanted:
        return found
    if any("=" in w for w in wanted):
        table = dict(w.split("=", 1) for w in wanted if "=" in w)
        strangers = sorted(set(table) - set(found))
        if strangers:
            raise DataError(f"{where}: channel {strangers[0]!r} not found; it has "
                            f"{', '.join(found)}")
        return tuple(table.get(name, name) for name in found)
    if len(wanted) != len(found):
        raise DataError(f"{where}: {len(found)} channels ({', '.join(found)}), "
                        f"{len(wanted)} names in --channel-names")
    return wanted


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from math import prod

    fields = plan_fields(inputs, options, options.plate or "plate")
    one = _assemble(group=fields[0].group, metadata={}, files=fields[0].files,
                    source_group=fields[0].source_group, channel_names=(), pixel_size=None).about
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
