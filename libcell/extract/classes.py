"""Folders of cell pictures, one per class, to a crop store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from libcell.run.job import Job

# columns of an index that have a place of their own among the keys
KEYS = {"plate": "Metadata_Plate", "well": "Metadata_Well", "site": "Metadata_Site",
        "frame": "Metadata_T", "t": "Metadata_T", "class": "Metadata_Class"}
OURS = ("Metadata_Image", "Metadata_Label", "Metadata_Compartment")  # told by the picture itself


@dataclass(frozen=True)
class Options:
    """How pictures of different sizes become crops of one size."""

    index: Annotated[str | None, Opt(
        "CSV with a column `file` (path below the folder); its other columns ride along",
        path=True)] = None
    size: Annotated[int | None, Opt("height and width of the crops; pictures are centred, cut "
                                    "or padded with 0 [the largest picture]", least=2)] = None


@dataclass(frozen=True)
class Picture:
    """One picture: where it lies, its name (the object's image), its row of the index."""

    path: Path
    name: str
    row: dict[str, Any]


def run(job: Job, options: Options) -> None:
    """List the pictures, then fill the store shard by shard."""
    from libcell.data import crops, groups, tables

    listed = {str(p.path): p for p in list_pictures(job.inputs.paths(), options)}
    blocks = [Block(key, {"path": p.path}) for key, p in listed.items()]
    sizes = {block.key: size for block, size in job.map("sizes", measure, blocks)}
    job.settle()
    pictures = [listed[key] for key in sizes]
    size, channels, dtype = _common(list(sizes.values()), options)
    table = index_table(pictures, list(sizes.values()))
    groups.ensure(job.root)
    provenance = job.provenance()
    n = tables.write_parts(job.root / "index.parquet", [table], table.schema, "objects", provenance)
    rows = crops.create(job.root, n, len(channels), size, dtype)
    paths = [p.path for p in pictures]
    shards = [Block(f"crops {i} of {n}", {"root": job.root, "start": i,
                                          "paths": paths[i : i + rows], "size": size})
              for i in range(0, n, rows)]
    job.map_whole("crops", fill_shard, shards)
    crops.seal(job.root, n=n, channels=channels, compartment="cells", size=size,
               pixel_size_um=None, provenance=provenance)
    job.publish("crops", n)


def list_pictures(folders: list[Path], options: Options) -> list[Picture]:
    """Every picture with its row of the index; the class is the folder's name.

    DataError where folder and index disagree (a picture without a row, a row without a
    picture), and where two pictures would be one object.
    """
    from libcell.data.readers import BY_SUFFIX
    from libcell.errors import DataError
    from libcell.run.inputs import natural

    several = len(folders) > 1
    found = sorted(
        ((f, f.relative_to(folder).as_posix(), f"{folder.name}/" if several else "")
         for folder in folders for f in folder.glob("*/*") if f.suffix.lower() in BY_SUFFIX),
        key=lambda one: (natural(one[2]), natural(one[1])),
    )
    if not found:
        raise DataError(f"{folders[0]}: no pictures in class folders (CLASS/picture.png)")
    rows = _index_rows(options.index) if options.index else {name: {} for _, name, _ in found}
    lost = [name for _, name, _ in found if name not in rows]
    extra = sorted(set(rows) - {name for _, name, _ in found})
    if lost or extra:
        example = (lost or extra)[0]
        raise DataError(f"{options.index}: {len(lost)} pictures have no row and {len(extra)} rows "
                        f"have no picture, e.g. {example}")
    pictures: dict[str, Picture] = {}
    for path, name, folder in found:
        one = Picture(path, f"{folder}{path.parent.name}/{path.stem}",
                      {"Metadata_Class": path.parent.name} | rows[name])
        other = pictures.setdefault(one.name, one)
        if other is not one:
            raise DataError(f"{path} and {other.path}: two pictures of the same name, {one.name}")
    return list(pictures.values())


def _index_rows(path: str) -> dict[str, dict[str, Any]]:
    """Columns of each file as `Metadata_*`; columns without a name are left out."""
    from pathlib import Path

    from libcell.data import tables
    from libcell.errors import DataError

    table = tables.read_csv(Path(path))
    if "file" not in table.column_names:
        raise DataError(f"{path}: has no column `file`; it has {', '.join(table.column_names)}")
    names = {n: _column(n) for n in table.column_names if n not in ("", "file")}
    wrong = [n for n, full in names.items()
             if full in OURS or list(names.values()).count(full) > 1]
    if wrong:
        raise DataError(f"{path}: column {wrong[0]!r} would be {names[wrong[0]]}, which is taken; "
                        "rename it")
    rows = table.to_pylist()
    found = {str(row["file"]): {full: row[n] for n, full in names.items()} for row in rows}
    if len(found) != len(rows):
        raise DataError(f"{path}: {len(rows) - len(found)} files stand in it twice")
    return found


def measure(path: Path) -> tuple[int, int, int, str]:
    """Height, width, channels and dtype of a picture that can be decoded."""
    from libcell.data import readers

    picture = readers.open_file(path)[0]
    picture.read()
    about = picture.about
    return about.shape[3], about.shape[4], about.shape[1], str(about.dtype)


def _common(
    sizes: list[tuple[int, int, int, str]], options: Options
) -> tuple[tuple[int, int], list[str], Any]:
    """Crop size, channels and dtype. DataError if pictures differ in channels or dtype."""
    import numpy as np

    from libcell.data.readers.samples import sample_names
    from libcell.errors import DataError

    kinds = {(s[2], s[3]) for s in sizes}
    if len(kinds) > 1:
        text = " and ".join(f"{c} channels of {d}" for c, d in sorted(kinds))
        raise DataError(f"the pictures are of different kinds: {text}; one crop store holds one")
    channels, dtype = kinds.pop()
    edge = options.size
    size = (edge, edge) if edge else (max(s[0] for s in sizes), max(s[1] for s in sizes))
    return size, list(sample_names(channels)), np.dtype(dtype)


def index_table(pictures: list[Picture], sizes: list[tuple[int, int, int, str]]) -> pa.Table:
    """Table `objects`: a picture is its own image, its object the whole of it."""
    import numpy as np

    from libcell.data import tables
    from libcell.data.image import object_ids

    own: dict[str, Any] = {k: [p.row[k] for p in pictures] for k in pictures[0].row}
    n = len(pictures)
    frames = own.pop("Metadata_T", [0] * n)
    heights, widths = (np.array([s[i] for s in sizes], np.int32) for i in (0, 1))
    columns: dict[str, Any] = {
        "object_id": [object_ids(p.name, t, "cells", [1])[0] for p, t in zip(pictures, frames)],
        **{k: _text(own.pop(k, [None] * n))
           for k in ("Metadata_Plate", "Metadata_Well", "Metadata_Site")},
        "Metadata_Image": [p.name for p in pictures],
        "Metadata_T": frames,
        "Metadata_Label": np.ones(n, np.uint32),
        "Metadata_Compartment": ["cells"] * n,
        "y": (heights - 1) / 2, "x": (widths - 1) / 2,
        "y0": np.zeros(n, np.int32), "x0": np.zeros(n, np.int32),
        "y1": heights, "x1": widths,
        "area_px": heights.astype(np.int64) * widths,
        "touches_border": np.ones(n, bool),
    }
    return tables.from_columns("objects", columns | own)


def _column(name: str) -> str:
    bare = name.removeprefix("Metadata_")
    return KEYS.get(bare.lower(), f"Metadata_{bare[0].upper()}{bare[1:]}")


def _text(values: list[Any]) -> list[str | None]:
    return [None if v is None else str(v) for v in values]


def fill_shard(
    root: Path, start: int, paths: list[Path], size: tuple[int, int]
) -> dict[str, int]:
    """Read pictures, centre them in crops of one size, write them as one whole shard."""
    import numpy as np

    from libcell.data import crops, readers
    from libcell.extract.kernels.centre import centred

    patches, masks = [], []
    for path in paths:
        picture = readers.open_file(path)[0]
        pixels = np.stack([picture.read(c=c)[0] for c in range(picture.about.shape[1])])
        patches.append(centred(pixels, size))
        masks.append(centred(np.ones((1, *pixels.shape[1:]), bool), size)[0])
    crops.write_shard(root, start, np.stack(patches), np.stack(masks))
    return {"n": len(paths)}


METHOD = Method(
    name="classes",
    summary="Folders of cell pictures, one per class, to a crop store.",
    run=run,
    options=Options,
    reads=("files",),
    writes="crops",
    suffix=".crops.zarr",
    example="cell-extract classes pictures/ --index pictures/index.csv -o x.crops.zarr",
)
