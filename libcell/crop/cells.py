"""Labels to patches: one per object, centred on it, all channels, unmasked, with its mask."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

    from libcell.data.image import About
    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which pixels around which objects."""

    images: Annotated[str, Opt("image store that the labels belong to", path=True)]
    compartment: Annotated[str | None, Opt("label image to crop [the first]")] = None
    channels: Annotated[tuple[str, ...], Opt("channels by name or number [all]",
                                             ("-c", "--channels"))] = ()
    size: Annotated[int, Opt("height and width of a crop in px", least=2)] = 96
    size_um: Annotated[float | None, Opt("the same in um; needs the pixel size", least=0)] = None
    pad: Annotated[str, Opt("what lies beyond the image's edge",
                            choices=("zero", "edge", "reflect"))] = "zero"
    skip_border: Annotated[bool, Opt("leave out objects cut by the image's edge",
                                     ("--skip-border",))] = False


def run(job: Job, options: Options) -> None:
    """List the objects, then fill the store shard by shard."""
    import pyarrow.parquet as pq

    from libcell.data import crops, groups, tables
    from libcell.schema.arrow import arrow_schema

    sources: dict[str, Any] = {}
    parts, abouts = [], []
    for block, done in job.map("index", index_field, _fields(job, options)):
        sources[done["image"]] = (block.args["source"], done["compartment"])
        abouts.append(done)
        parts.append(job.parts / done["part"])
    job.settle()
    channels, dtype, pixel_size = _common(abouts)
    size = _size(options, pixel_size)
    groups.ensure(job.root)
    found = [tables.read_part(p) for p in parts]
    schema = tables.unify(found) if found else arrow_schema("objects")
    provenance = job.provenance()
    index = job.root / "index.parquet"
    n = tables.write_parts(index, found, schema, "objects", provenance)
    rows = crops.create(job.root, n, len(channels), size, dtype)
    images_of = pq.ParquetFile(index).read(columns=["Metadata_Image"]).column(0)
    blocks = [
        Block(f"crops {i} of {n}", {
            "root": job.root, "start": i, "stop": min(i + rows, n), "size": size,
            "options": asdict(options),
            "sources": {k: sources[k] for k in images_of[i : i + rows].unique().to_pylist()}})
        for i in range(0, n, rows)
    ]
    job.map_whole("crops", fill_shard, blocks)
    names = {c for _, c in sources.values()}
    crops.seal(job.root, n=n, channels=list(channels), compartment="+".join(sorted(names)),
               size=size, pixel_size_um=pixel_size, provenance=provenance)
    job.publish("crops", n)


def _fields(job: Job, options: Options) -> Any:
    for number, source in enumerate(job.inputs.fields("labels")):
        yield Block(source.where, {"source": source, "options": asdict(options),
                                   "target": job.parts / f"index-{number:08d}.arrow"})


def index_field(source: Source, options: dict[str, Any], target: Path) -> dict[str, Any]:
    """Objects of one field of view, left in the parts folder; what its image looks like."""
    from functools import partial

    import pyarrow as pa
    import pyarrow.compute as pc

    from libcell.data import labels, objects, tables
    from libcell.errors import DataError

    given = Options(**options)
    image = _image(source, given).about
    compartment = _compartment(source, given)
    masks = labels.open_labels(source, compartment).about
    labels.require_fit(masks, image)
    if image.shape[2] > 1:
        raise DataError(f"{source.where}: has {image.shape[2]} planes; project them first")
    keys = objects.image_keys(source)
    frames = [
        objects.objects_table(partial(labels.read_frame, source, compartment, t),
                              masks.shape[2:], keys, t, compartment)
        for t in range(masks.shape[0])
    ]
    table = pa.concat_tables(frames)
    if given.skip_border:
        table = table.filter(pc.invert(table.column("touches_border")))
    tables.write_part(target, table)
    return {"part": target.name, "image": keys["Metadata_Image"], "compartment": compartment,
            "channels": _channels(image, given), "dtype": str(image.dtype),
            "pixel_size_um": list(image.pixel_size_um[1:]) if image.pixel_size_um else None}


def _image(source: Source, options: Options) -> Any:
    from pathlib import Path

    from libcell.data import open as opening
    from libcell.data.images import Source as At

    return opening.image(At(Path(options.images), source.group))


def _compartment(source: Source, options: Options) -> str:
    from libcell.data import labels

    return options.compartment or labels.compartments_at(source)[0]


def _channels(about: About, options: Options) -> list[str]:
    return [about.channels[about.channel(c)] for c in options.channels] or list(about.channels)


def _common(abouts: list[dict[str, Any]]) -> tuple[list[str], Any, tuple[float, float] | None]:
    """Channels, dtype and pixel size that all fields share; DataError if they differ."""
    import numpy as np

    from libcell.errors import DataError

    if not abouts:
        raise DataError("no field of view to crop from")
    first = abouts[0]
    for about in abouts:
        for what in ("channels", "dtype", "pixel_size_um"):
            if about[what] != first[what]:
                raise DataError(
                    f"{about['image']}: {what.removesuffix('_um').replace('_', ' ')} is "
                    f"{about[what]}, but {first['image']} has {first[what]}; one crop store holds "
                    "one kind"
                )
    size = first["pixel_size_um"]
    return first["channels"], np.dtype(first["dtype"]), tuple(size) if size else None


def _size(options: Options, pixel_size: tuple[float, float] | None) -> tuple[int, int]:
    from libcell.errors import DataError

    if options.size_um is None:
        return options.size, options.size
    if pixel_size is None:
        raise DataError(f"{options.images}: the pixel size is not known; use --size in px")
    height, width = (max(2, round(options.size_um / p)) for p in pixel_size)
    return height, width


def fill_shard(
    root: Path, start: int, stop: int, size: tuple[int, int], options: dict[str, Any],
    sources: dict[str, tuple[Source, str]],
) -> dict[str, int]:
    """Cut the crops of rows start:stop of the index and write them as one whole shard."""
    import numpy as np
    import pyarrow.parquet as pq

    from libcell.crop.kernels.patches import cut, window
    from libcell.data import crops, labels

    given = Options(**options)
    rows = pq.read_table(root / "index.parquet", memory_map=True).slice(start, stop - start)
    centres = np.column_stack([rows.column("y").to_numpy(), rows.column("x").to_numpy()])
    found = rows.column("Metadata_Label").to_numpy()
    patches = masks = None
    for name, t, some in _places(rows, centres):
        source, compartment = sources[name]
        image = _image(source, given)
        y, x = window(centres[some], size, image.about.shape[3:])
        planes = [image.read(t=t, c=image.about.channel(c), y=y, x=x)[0]
                  for c in _channels(image.about, given)]
        frame = labels.read_frame(source, compartment, t, y, x)[0]
        got = cut(np.stack(planes), frame, centres[some] - (y.start, x.start), found[some], size,
                  given.pad)
        if patches is None or masks is None:
            patches, masks = (np.empty((stop - start, *g.shape[1:]), g.dtype) for g in got)
        patches[some], masks[some] = got
    assert patches is not None and masks is not None
    crops.write_shard(root, start, patches, masks)
    return {"n": stop - start}


def _places(rows: pa.Table, centres: np.ndarray) -> list[tuple[str, int, np.ndarray]]:
    """(image, frame, row numbers) of the rows that one window of 2048 px around them serves.

    Labels need not be numbered by place, and one window around all of them may be the image.
    """
    import numpy as np

    from libcell.data.objects import WINDOW

    images = rows.column("Metadata_Image").combine_chunks().dictionary_encode()
    names = images.dictionary.to_pylist()
    keys = np.column_stack([images.indices.to_numpy(), rows.column("Metadata_T").to_numpy(),
                            centres // WINDOW]).astype(np.int64)
    places, place = np.unique(keys, axis=0, return_inverse=True)
    return [(names[key[0]], int(key[1]), np.flatnonzero(place == i))
            for i, key in enumerate(places)]


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written; the number of crops is known after the labels are read."""
    return inputs.plan("labels", options.images)


METHOD = Method(
    name="cells",
    summary="One patch per object, centred on it: all channels, unmasked, with its mask.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="crops",
    suffix=".crops.zarr",
    example="cell-crop cells n.labels.ome.zarr --images plate.ome.zarr --size 96 -o c.crops.zarr",
    paper="Nucleocentric profiling, doi:10.7554/eLife.95273 (patch centred on the rounded "
          "centroid)",
    plan=plan,
)
