"""Readers of foreign image formats, one file each; the folder is the list.

A reader states `SUFFIXES` and `open_file(path) -> list[Image]` (one per scene). It is imported
only when a file with its suffix comes along.
"""

import importlib
from pathlib import Path
from types import ModuleType

from libcell.data.image import Image
from libcell.errors import DataError, MissingInput, Unavailable

# suffix -> module; a module of an extra's name needs that extra
BY_SUFFIX = {
    ".tif": "tiff",
    ".tiff": "tiff",
    ".png": "picture",
    ".jpg": "picture",
    ".jpeg": "picture",
    ".bmp": "picture",
    ".nd2": "nd2",
    ".czi": "czi",
    ".lif": "lif",
}
EXTRAS = ("nd2", "czi", "lif")


def reader_for(path: Path) -> ModuleType:
    """The reader module for a file's suffix; DataError names those that are known."""
    name = BY_SUFFIX.get(path.suffix.lower())
    if name is None:
        known = " ".join(sorted(BY_SUFFIX))
        raise DataError(f"{path}: no reader for {path.suffix or 'a name without suffix'}; "
                        f"known are {known} and .zarr")
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        how = f" (pip install 'libcell[{name}]')" if name in EXTRAS else ""
        raise Unavailable(f"{path}: reading it needs the package {error.name}{how}") from error


def open_file(path: Path, axes: str = "") -> list[Image]:
    """All images in a foreign file; `axes` names those of a TIFF, which it may not name itself."""
    if not path.exists():
        raise MissingInput(f"{path}: not found")
    reader = reader_for(path)
    if path.is_dir():
        raise DataError(f"{path}: is a folder, not the file that its name says")
    if axes and BY_SUFFIX[path.suffix.lower()] == "tiff":
        return reader.open_file(path, axes)
    return reader.open_file(path)
