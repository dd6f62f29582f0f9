"""Image stores: OME-Zarr 0.4 and 0.5 read, 0.5 written. One image, a plate, or a collection."""

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import zarr
import zarr.storage

from libcell.data import arrays, codecs, ngff, remote
from libcell.data.image import ALL, About, Image
from libcell.errors import DataError, MissingInput, reading
from libcell.schema import archives
from libcell.schema.versions import split_tag

Result = TypeVar("Result")

SHARD = 2048
CHUNK = 512
SMALLEST_LEVEL = 512
MOST_PLANES = 10**7  # frames times channels times planes of one image
LONGEST_NAME = 1000  # characters of a group's name
MOST_PIXELS = 2**40  # of one plane


def open_root(path: Path) -> zarr.Group:
    """A zarr store's root group, from a folder or a `.zip`; DataError if it is none."""
    if not path.exists():
        raise MissingInput(f"{path}: not found")
    with reading(path, "not a readable zarr store"):
        store: Any = remote.store(path) or str(path)
        if path.suffix == ".zip":
            archives.require_moderate(path)
            store = zarr.storage.ZipStore(path, mode="r")
        return zarr.open_group(store, mode="r")


def require_inside(name: object, where: object) -> str:
    """The name of a group, if it is one below its store. DataError for anything else."""
    text = name if isinstance(name, str) else ""
    parts = text.split("/")
    if text != name or (text and not all(map(_is_plain, parts))) or len(text) > LONGEST_NAME:
        raise DataError(f"{where}: {str(name)[:80]!r} is not the name of a group in a store")
    return text


def _is_plain(part: str) -> bool:
    return bool(part.strip(". ")) and part.isprintable() and "\\" not in part


@dataclass(frozen=True)
class Source:
    """A field of view (or a whole store) that may still be growing.

    `partial` is where a store lies until it is complete: the next command in a pipe reads the
    first field while this one works on the second.
    """

    path: Path
    group: str | None = None
    partial: Path | None = None

    def __post_init__(self) -> None:
        if self.group is not None:
            require_inside(self.group, self.path)

    @property
    def where(self) -> str:
        """Path and group, for messages."""
        return f"{self.path}/{self.group}" if self.group else str(self.path)

    def location(self) -> Path:
        """Where the store is at this moment."""
        return self.partial if self.partial and self.partial.exists() else self.path

    def settled(self, read: Callable[[Path], Result]) -> Result:
        """Call `read` on the store's place, again if the store was moved meanwhile.

        A chunk that is not there reads as zeros, so a move in the middle of a read, or the store's
        removal, would go unnoticed; that the same store still lies where it lay proves that it did
        not happen.
        """
        for _ in range(20):
            place = self.location()
            lay = _identity(place)
            try:
                value = read(place)
            except (DataError, MissingInput, OSError):
                if place == self.location() and place.exists():
                    raise
                time.sleep(0.05)
                continue
            if place == self.location() and lay == _identity(place):
                return value
        raise MissingInput(f"{self.where}: not found")


def _identity(place: Path) -> list[tuple[int, int] | None]:
    """What tells a store from another that took its place: its folder or file, and its root."""
    found: list[tuple[int, int] | None] = []
    for path in (place, place / "zarr.json"):
        try:
            state = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((state.st_dev, state.st_ino))
    return found


class ZarrImage:
    """One OME-Zarr image; see the protocol `Image`."""

    def __init__(self, array: zarr.Array, about: About, axes: tuple[str, ...]):
        self.about = about
        self._axes = axes
        self._array = array

    def read(
        self, t: int = 0, c: int = 0, z: slice = ALL, y: slice = ALL, x: slice = ALL
    ) -> np.ndarray:
        """One channel of one frame as (Z,Y,X), native dtype."""
        spans: dict[str, slice | int] = {"t": t, "c": c, "z": z, "y": y, "x": x}
        with reading(self.about.where, "cannot be decoded"):
            values = np.asarray(self._array[tuple(spans[a] for a in self._axes)])
        return values if "z" in self._axes else values[np.newaxis]


def open_image(root: zarr.Group, path: str, group: str, store: Path) -> ZarrImage:
    """The image at `path` below `root`; `group` is the field of view it belongs to."""
    where = f"{store}/{path}" if path else str(store)
    with reading(where, "not a readable image"):
        return _open_image(root, path, group, store, where)


def _open_image(root: zarr.Group, path: str, group: str, store: Path, where: str) -> ZarrImage:
    try:
        node = root[require_inside(path, store)] if path else root
    except KeyError as error:
        raise DataError(f"{where}: no such field of view in this store") from error
    attributes: dict[str, Any] = dict(node.attrs)
    scale = ngff.read_multiscale(attributes, where)
    array = node.get(scale.levels[0]) if isinstance(node, zarr.Group) else None
    if not isinstance(node, zarr.Group) or not isinstance(array, zarr.Array):
        raise DataError(f"{where}: level {scale.levels[0]!r} is missing")
    if array.ndim != len(scale.axes):
        raise DataError(f"{where}: {array.ndim} axes in the array, {len(scale.axes)} in metadata")
    codecs.require_plain(array, where)
    size = dict(zip(scale.axes, array.shape))
    t, c, z, y, x = (size.get(a, 1) for a in ngff.AXES)
    if t * c * z > MOST_PLANES or y * x > MOST_PIXELS or not all(array.shape):
        raise DataError(f"{where}: an array of {' x '.join(map(str, array.shape))} is no image")
    names = scale.channels if scale.channels and len(scale.channels) == c else None
    about = About(
        where=where,
        group=group,
        name=scale.name or store.name.split(".")[0],
        shape=(t, c, z, y, x),
        dtype=array.dtype,
        channels=names or tuple(str(i + 1) for i in range(c)),
        pixel_size_um=scale.pixel_size_um,
        row_chunk=dict(zip(scale.axes, array.chunks))["y"],
        metadata=metadata_of(attributes, where) or _from_group(group),
    )
    return ZarrImage(array, about, scale.axes)


def metadata_of(attributes: dict[str, Any], where: str) -> dict[str, Any]:
    """The columns that a field of view brings along: plain values, or a list of one for each frame.
    DataError for others."""
    found = dict(attributes.get("metadata") or {})
    for name, value in found.items():
        for one in value if isinstance(value, list) else [value]:
            plain = one is None or isinstance(one, (str, bool, float))
            if not plain and not (isinstance(one, int) and abs(one) < 2**63):
                raise DataError(f"{where}: metadata {name!r} is {str(one)[:40]}, not one value")
    return found


def _from_group(group: str) -> dict[str, Any]:
    """Well and site of a plate that another program wrote: `B/03/0` is well B03, site 0."""
    parts = group.split("/")
    if len(parts) != 3:
        return {}
    return {"Metadata_Well": f"{parts[0]}{parts[1]}", "Metadata_Site": parts[2]}


def list_groups(root: zarr.Group, store: Path) -> list[str]:
    """Every field of view of an image store, in the store's own order."""
    with reading(store, "not an OME-Zarr image, plate or collection"):
        found = [require_inside(g, store) for g in _listed(root, store)]
    if len(set(found)) < len(found):
        raise DataError(f"{store}: lists a field of view twice")
    return found


def _listed(root: zarr.Group, store: Path) -> list[str]:
    attributes: dict[str, Any] = dict(root.attrs)
    ome = ngff.block(attributes)
    if "schema" in attributes and split_tag(attributes["schema"])[0] not in ("image",):
        raise DataError(f"{store}: is {attributes['schema']}; expected an image store (image/1)")
    if isinstance(attributes.get("groups"), list):
        return list(attributes["groups"])
    if "multiscales" in ome:
        return [""]
    if "plate" in ome:
        return list(_plate_groups(root, ome))
    if "bioformats2raw.layout" in ome:
        return _series(root)
    raise DataError(f"{store}: not an OME-Zarr image, plate or collection")


def _plate_groups(root: zarr.Group, ome: dict[str, Any]) -> Iterator[str]:
    for well in ome["plate"]["wells"]:
        fields = ngff.block(dict(root[well["path"]].attrs))["well"]["images"]
        yield from (f"{well['path']}/{f['path']}" for f in fields)


def _series(root: zarr.Group) -> list[str]:
    if "OME" in root:
        listed = ngff.block(dict(root["OME"].attrs)).get("series")
        if listed:
            return [str(s) for s in listed]
    return sorted((k for k in root.group_keys() if k.isdigit()), key=int)


@functools.lru_cache(maxsize=16)
def _cached(path: Path, stamp: tuple[int, int]) -> zarr.Group:
    return open_root(path)


def cached_root(path: Path) -> zarr.Group:
    """`open_root`, kept open between the blocks that one worker does."""
    if not path.exists():
        raise MissingInput(f"{path}: not found")
    state = path.stat()
    return _cached(path, (state.st_ino, state.st_mtime_ns))


def level_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes (T,C,Z,Y,X) of the pyramid: y and x halved until both are at most 512."""
    shapes = [shape]
    while max(shapes[-1][-2:]) > SMALLEST_LEVEL:
        *rest, y, x = shapes[-1]
        shapes.append((*rest, (y + 1) // 2, (x + 1) // 2))
    return shapes


def create_levels(group: zarr.Group, shape: tuple[int, ...], dtype: Any) -> list[zarr.Array]:
    """The empty pyramid of an image: one shard per 2048 x 2048 px of level 0 and per plane.

    Level k has shards of 2048 / 2^k, so that a block of level 0 owns whole shards of every level.
    """
    made = []
    for level, size in enumerate(level_shapes(shape)):
        shard = max(SHARD >> level, 1)
        edge = [arrays.even(n, shard) for n in size[-2:]]
        chunk = [_chunk(n) for n in edge]
        made.append(
            arrays.create(
                group, str(level), size, dtype,
                chunks=(1, 1, 1, *chunk),
                shards=(1, 1, 1, *(c * -(-n // c) for n, c in zip(edge, chunk))),
                axes=ngff.AXES,
            )
        )
    return made


def _chunk(edge: int) -> int:
    """Inner chunk: at most 512, and a divisor of full shards."""
    return min(CHUNK, edge)


def write_region(
    levels: list[zarr.Array], t: int, c: int, y0: int, x0: int, plane: np.ndarray, mean: bool
) -> np.ndarray:
    """Write (Z,Y,X) pixels at (t, c, :, y0:, x0:) into every level; returns the smallest's.

    y0 and x0 are multiples of 2048. Images are averaged 2 x 2 (`mean`), labels are thinned,
    since a mean of two labels is a third cell.
    """
    for level, array in enumerate(levels):
        if level:
            plane = _halved(plane) if mean else plane[:, ::2, ::2]
        y, x = y0 >> level, x0 >> level
        for z, values in enumerate(plane):
            height, width = values.shape
            span = (slice(t, t + 1), slice(c, c + 1), slice(z, z + 1))
            arrays.write(
                array, (*span, slice(y, y + height), slice(x, x + width)), values[None, None, None]
            )
    return plane


def _halved(plane: np.ndarray) -> np.ndarray:
    """(Z,Y,X) averaged 2 x 2 in its own dtype; an odd last row or column is repeated.

    Around a value that is no number (NaN, infinity) there is none in the smaller image either.
    """
    odd = [(0, 0), (0, plane.shape[1] % 2), (0, plane.shape[2] % 2)]
    full = np.pad(plane, odd, mode="edge") if any(p[1] for p in odd) else plane
    kind = plane.dtype.kind if plane.dtype.kind in "fi" else "u"
    wide = np.dtype(f"{kind}{8 if plane.dtype.itemsize >= 4 else 4}")  # holds a sum of four
    total = full[:, ::2, ::2].astype(wide)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        for dy, dx in ((0, 1), (1, 0), (1, 1)):
            total += full[:, dy::2, dx::2]
        return (total / 4 if kind == "f" else (total + 2) // 4).astype(plane.dtype)


def open_source(source: Source) -> Image:
    """The image that a source points at; it must be one field of view."""

    def read(place: Path) -> ZarrImage:
        return open_image(cached_root(place), source.group or "", source.group or "", source.path)

    return source.settled(read)
