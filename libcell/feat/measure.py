"""Measurements per object and channel, named as CellProfiler names them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    import pyarrow as pa

    from libcell.data.image import Image
    from libcell.data.images import Source
    from libcell.data.objects import Scan
    from libcell.feat.families import ObjectIndex
    from libcell.feat.relations import Scene
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


LARGE = 4096  # px; images with a longer side are measured window by window
IN_PATCHES = ("intensity", "texture")  # the families that squares around objects have


@dataclass(frozen=True)
class Options:
    """Which objects, channels and feature families."""

    images: Annotated[str, Opt("image store that the labels belong to", path=True)]
    compartments: Annotated[tuple[str, ...], Opt("label images to measure [all]")] = ()
    channels: Annotated[tuple[str, ...], Opt("channels by name or number [all]",
                                             ("-c", "--channels"))] = ()
    families: Annotated[tuple[str, ...], Opt("feature families [all]")] = ()
    texture_scales: Annotated[tuple[int, ...], Opt("distances of the pixels of a pair, px",
                                                   least=1)] = (3,)
    texture_levels: Annotated[int, Opt("grey levels", least=2, most=256)] = 256
    texture_span: Annotated[str, Opt(
        "values that the levels span: type (0 to the pixel type's largest), object (0 to each "
        "object's largest) or LOW,HIGH")] = "type"
    patch: Annotated[int | None, Opt(
        "also intensity and texture of squares of so many px around the centroids, whatever lies "
        "in them", least=1)] = None


def run(job: Job, options: Options) -> None:
    """One block per field of view, one row per object."""
    job.table("features", "measure", measure_field, _blocks(job, options))


def _blocks(job: Job, options: Options) -> Iterator[Block]:
    # before the first line of a pipe is there: meanwhile, what the work needs is imported
    from libcell.data import labels, objects  # noqa: F401
    from libcell.feat import families, relations

    _require(options)
    alone, together = relations.split(options.families)
    for room, names in ((families, alone), (relations, together)):
        for name in names:
            room.load(name)
    for source in job.inputs.fields("labels"):
        yield Block(source.where, {"source": source, "options": asdict(options)})


def measure_field(source: Source, options: dict[str, Any]) -> pa.Table:
    """Table `features` of one field of view: every frame and compartment, ordered by label."""
    import pyarrow as pa

    from libcell.data import labels, objects
    from libcell.feat import relations

    given = Options(**options)
    image = _image(source, given)
    keys = objects.image_keys(source)
    tables = []
    for compartment in given.compartments or labels.compartments_at(source):
        about = labels.open_labels(source, compartment).about
        labels.require_fit(about, image.about)
        _require_told(image, given)
        for t in range(about.shape[0]):
            if about.shape[2] > 1:
                tables.append(volume_table(source, image, keys, t, compartment, given))
                continue
            parts = _parts(source, compartment, t, about.shape, given.patch or 0)
            found = pa.concat_tables(
                [frame_table(frame, image, keys, t, compartment, given) for frame in parts()],
                promote_options="permissive").sort_by("Metadata_Label")
            scene = _scene(source, compartment, t, image, parts, given)
            tables.append(relations.beside(found, scene, relations.split(given.families)[1]))
    return pa.concat_tables(tables, promote_options="permissive")


def _require_told(image: Image, options: Options) -> None:
    """DataError where an option does not go with the image, or one is missing.

    Grey levels of floating point span from the smallest to the largest value, which nobody knows
    of an image measured in parts.
    """
    from libcell.errors import DataError
    from libcell.feat.relations import split

    about = image.about
    if about.shape[2] > 1 and options.patch:
        raise DataError(f"{about.where}: has {about.shape[2]} planes; --patch is for 2D")
    if (max(about.shape[3:]) > LARGE and about.dtype.kind == "f" and options.texture_span == "type"
            and "texture" in split(options.families)[0]):
        raise DataError(f"{about.where}: textures of a large image in floating point need the "
                        "values that grey levels span (--texture-span LOW,HIGH)")


def _parts(
    source: Source, compartment: str, t: int, shape: tuple[int, ...], patch: int
) -> Callable[[], Iterable[Frame]]:
    """A label image in parts: as a whole if it is small, and its index serves all; else by
    windows, which are read anew each time."""
    from functools import partial

    from libcell.data import labels, objects

    read = partial(labels.read_frame, source, compartment, t)
    if max(shape[3:]) <= LARGE:
        window = (slice(0, shape[3]), slice(0, shape[4]))
        whole = [Frame(read()[0], (0, 0), window)]
        return lambda: whole
    found = objects.scan(read, shape[2:])
    margin = 1 + patch  # a pixel, since an image's rim is no edge of an object and a window's is
    return lambda: _windows(read, found, shape[3:], margin)


def _scene(
    source: Source, compartment: str, t: int, image: Image, parts: Callable[[], Iterable[Frame]],
    options: Options,
) -> Scene:
    """One frame of one compartment, for what is measured beside other channels and objects."""
    from libcell.data import labels
    from libcell.feat.relations import Scene, kept

    chosen = [image.about.channel(c) for c in options.channels or image.about.channels]
    shape = image.about.shape[3:]
    return Scene(
        shape=shape,
        compartment=compartment,
        others=tuple(c for c in options.compartments or labels.compartments_at(source)
                     if c != compartment),
        channels=tuple(image.about.channels[c] for c in chosen),
        labels=kept(lambda name, y, x: labels.read_frame(source, name, t, y, x)[0], shape),
        pixels=kept(lambda name, y, x: image.read(t=t, c=image.about.channel(name), y=y, x=x)[0],
                    shape),
        parts=parts,
    )


@dataclass(frozen=True)
class Frame:
    """Objects to measure in one go: labels (Y,X) of a window that holds them whole, its place."""

    labels: np.ndarray
    origin: tuple[int, int]
    window: tuple[slice, slice]

    @cached_property
    def index(self) -> ObjectIndex:
        from libcell.feat.families import ObjectIndex

        return ObjectIndex.of(self.labels)


def _windows(
    read: Callable[[slice, slice], np.ndarray], found: Scan, shape: tuple[int, ...], margin: int
) -> Iterator[Frame]:
    """The objects that a scan found, in windows.

    An object belongs to the window that holds the middle of its bounding box; the window is
    widened until it holds the object whole, and `margin` px more where the image goes on; other
    objects in it are left out.
    """
    import numpy as np

    from libcell.data import objects

    if not len(found.labels):
        yield Frame(np.zeros((0, 0), np.uint32), (0, 0), (slice(0, 0), slice(0, 0)))
    middle = (found.boxes[:, :2] + found.boxes[:, 2:]) // 2 // objects.WINDOW
    for cell in np.unique(middle, axis=0):
        own = (middle == cell).all(axis=1)
        low = np.maximum(found.boxes[own, :2].min(axis=0) - margin, 0)
        high = np.minimum(found.boxes[own, 2:].max(axis=0) + margin, shape)
        window = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))
        part = read(*window)[0]
        kept = np.where(np.isin(part, found.labels[own]), part, 0)
        yield Frame(kept, (int(low[0]), int(low[1])), window)


def _image(source: Source, options: Options) -> Image:
    from pathlib import Path

    from libcell.data import open as opening
    from libcell.data.images import Source as At

    return opening.image(At(Path(options.images), source.group))


def frame_table(
    frame: Frame, image: Image, keys: dict[str, Any], t: int, compartment: str, options: Options
) -> pa.Table:
    """Table `features` of the objects of one window with all its channels."""
    from libcell.data import objects, tables
    from libcell.feat import families, relations

    index = frame.index
    prefix = compartment[0].upper() + compartment[1:]
    columns = objects.key_columns(keys, t, compartment, index.labels)
    chosen = [families.load(n) for n in relations.split(options.families)[0]]
    for family in chosen:
        if not family.PER_CHANNEL:
            columns |= _measured(family, frame, None, index, prefix, None, options)
    per_channel = [f for f in chosen if f.PER_CHANNEL]
    for wanted in (options.channels or image.about.channels) if per_channel else ():
        c = image.about.channel(wanted)
        pixels = image.read(t=t, c=c, y=frame.window[0], x=frame.window[1])[0]
        for family in per_channel:
            name = image.about.channels[c]
            columns |= _measured(family, frame, pixels, index, prefix, name, options)
            if options.patch and family.NAME in IN_PATCHES:
                squares = index.squares(options.patch)
                columns |= _measured(family, frame, pixels, squares, "Patch", name, options)
    return tables.from_columns("features", columns)


def _measured(
    family: Any, frame: Frame, pixels: np.ndarray | None, index: Any, prefix: str,
    channel: str | None, options: Options,
) -> dict[str, np.ndarray]:
    """A family's features under their full names, positions in the whole image."""
    from libcell.feat.families import column_name, settings

    told = settings(family, asdict(options))
    found = family.measure(frame.labels, pixels, index, **told)
    for column in family.columns(**told):
        if column.axis:
            found[column.name] = found[column.name] + frame.origin["yx".index(column.axis)]
    return {column_name(prefix, name, channel): values for name, values in found.items()}


def volume_table(
    source: Source, image: Image, keys: dict[str, Any], t: int, compartment: str, options: Options
) -> pa.Table:
    """Table `features` of the objects of one stack (Z,Y,X), ordered by label."""
    import pyarrow as pa

    from libcell.data import labels, objects, tables
    from libcell.feat import volumes

    def pixels(channel: str, y: slice, x: slice) -> np.ndarray:
        return image.read(t=t, c=image.about.channel(channel), y=y, x=x)

    about = image.about
    channels = [about.channels[about.channel(c)] for c in options.channels or about.channels]
    wanted, apart = volumes.chosen(options.families), volumes.spacing(about.pixel_size_um)
    prefix = compartment[0].upper() + compartment[1:]
    parts = []
    for window in volumes.windows(lambda y, x: labels.read_frame(source, compartment, t, y, x),
                                  about.shape[2:], int(LARGE / about.shape[2] ** 0.5)):
        found, values = volumes.features(window, channels, pixels, wanted, asdict(options), apart)
        columns = objects.key_columns(keys, t, compartment, found)
        columns |= {f"{prefix}_{name}": column for name, column in values.items()}
        parts.append(tables.from_columns("features", columns))
    return pa.concat_tables(parts, promote_options="permissive").sort_by("Metadata_Label")


def _require(options: Options) -> None:
    """UsageFault for a family that does not exist and for settings that are none."""
    from libcell.feat import relations
    from libcell.feat.families import texture

    relations.require(options.families)
    texture.require(options.texture_scales, options.texture_span)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read; the number of rows is known after the labels are read."""
    _require(options)
    return inputs.plan("labels", options.images)


METHOD = Method(
    name="measure",
    summary="Measurements per object and channel, named as CellProfiler names them.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="features",
    suffix=".parquet",
    example="cell-feat measure n.labels.ome.zarr --images plate.ome.zarr -o f.parquet",
    streams=True,
    plan=plan,
)
