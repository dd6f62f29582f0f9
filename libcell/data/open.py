"""Open images by path: OME-Zarr stores, and foreign files through the reader registry."""

from pathlib import Path

from libcell.data import readers
from libcell.data.image import Image
from libcell.data.images import Source, list_groups, open_root, open_source
from libcell.errors import DataError, MissingInput


def is_zarr(path: Path) -> bool:
    """Whether a path is a zarr store: a folder with root metadata, or a zipped one."""
    return path.name.endswith((".zarr", ".zarr.zip")) or any(
        (path / name).exists() for name in ("zarr.json", ".zgroup", ".zattrs")
    )


def groups(path: Path) -> list[str]:
    """The fields of view of an image store, or of a foreign file (its scenes)."""
    if not path.exists():
        raise MissingInput(f"{path}: not found")
    if is_zarr(path):
        return list_groups(open_root(path), path)
    return [image.about.group for image in readers.open_file(path)]


def image(source: Source, axes: str = "") -> Image:
    """One field of view of a store or a foreign file; `axes` as in `readers.open_file`."""
    if is_zarr(source.path) or source.partial:
        return open_source(source)
    found = {i.about.group: i for i in readers.open_file(source.path, axes)}
    if (source.group or "") not in found:
        raise DataError(f"{source.path}: holds several images ({', '.join(found)}); give one, or "
                        "bring them into a store first (cell-extract images)")
    return found[source.group or ""]
