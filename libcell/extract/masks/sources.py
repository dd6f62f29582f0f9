"""Where objects come one by one: folders of masks, ImageJ's ROI files and zips of them."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from libcell.data import readers
from libcell.data.readers import BY_SUFFIX
from libcell.errors import CellError, DataError, reading
from libcell.extract.kernels import imagej
from libcell.run.inputs import natural
from libcell.schema import archives

LARGEST = 2**26  # bytes of one region
FOLDER = "masks"  # as in the 2018 Data Science Bowl: ID/masks/*.png


@dataclass(frozen=True)
class Piece:
    """One object's mask (h,w) bool, or the reason why there is none.

    `t` and `z` are None where the source does not tell them.
    """

    name: str
    fault: str = ""
    t: int | None = None
    z: int | None = None
    y: int = 0
    x: int = 0
    mask: np.ndarray | None = None

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return 0 if self.mask is None else int(np.count_nonzero(self.mask))


def is_store(path: Path) -> bool:
    """A zarr store, whole or zipped; its folder is none of masks."""
    return path.name.endswith((".zarr", ".zarr.zip")) or (path / "zarr.json").is_file()


def is_objects(path: Path) -> bool:
    """Whether a path holds objects one by one, and no label image."""
    if is_store(path):
        return False
    return path.is_dir() or path.suffix.lower() in (".zip", ".roi")


def expand(paths: list[Path]) -> list[Path]:
    """Paths with folders of folders opened: one for each field of view.

    `ID/masks` is the field ID, as is ID; a folder above many such ID stands for all of them.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir() or is_store(path):
            found.append(path)
        elif path.name == FOLDER:
            found.append(path.resolve().parent)
        elif (path / FOLDER).is_dir():
            found.append(path)
        else:
            inside = sorted((p.parent for p in path.glob(f"*/{FOLDER}")), key=natural)
            found += inside or [path]
    return list(dict.fromkeys(found))


def pieces(path: Path, shape: tuple[int, int, int, int]) -> list[Piece]:
    """Every object of a source for an image (T,Z,Y,X), in natural order of their names.

    DataError where the source itself cannot be read or is about another image.
    """
    if path.is_dir():
        return list(_of_folder(path / FOLDER if (path / FOLDER).is_dir() else path, shape))
    return [_region(name, data, shape) for name, data in _rois(path)]


def _of_folder(folder: Path, shape: tuple[int, int, int, int]) -> Iterator[Piece]:
    files = sorted((p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")),
                   key=lambda p: natural(p.name))
    known = [p for p in files if p.suffix.lower() in (*BY_SUFFIX, ".roi")]
    if not known:
        raise DataError(f"{folder}: holds no masks (pictures, or ImageJ's .roi)")
    for path in files:
        if path not in known:
            yield Piece(path.name, "neither a picture nor a .roi")
        elif path.suffix.lower() == ".roi":
            yield _region(path.name, path.read_bytes(), shape)
        else:
            yield _mask(path, shape)


def _mask(path: Path, shape: tuple[int, int, int, int]) -> Piece:
    """One object's picture: 0 and one other value."""
    try:
        picture = readers.open_file(path)[0]
        values = np.stack([picture.read(c=c)[0] for c in range(picture.about.shape[1])]).max(0)
    except CellError as error:
        return Piece(path.name, f"cannot be read: {error}")
    if values.shape != shape[2:]:
        raise DataError(f"{path}: mask is {values.shape[0]} x {values.shape[1]} px, its image "
                        f"{shape[2]} x {shape[3]}; they must be the same field of view")
    inside = values != 0
    rows, columns = (np.flatnonzero(inside.any(axis=a)) for a in (1, 0))
    if not rows.size:
        return Piece(path.name, "mask is empty")
    cut = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    on = values[cut][inside[cut]]
    if (on != on[0]).any():
        return Piece(path.name, "mask of several values: an object's mask holds 0 and one other")
    return Piece(path.name, y=int(rows[0]), x=int(columns[0]), mask=inside[cut])


def _rois(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the regions in a `.roi` or a zip of them."""
    if path.suffix.lower() == ".roi":
        yield path.name, path.read_bytes()
        return
    archives.require_moderate(path, LARGEST)
    with reading(path, "not a readable zip of ImageJ ROIs"), zipfile.ZipFile(path) as archive:
        names = [i.filename for i in archive.infolist() if not i.is_dir()]
        if len(set(names)) < len(names):
            raise DataError(f"{path}: two entries of the same name")
        for name in sorted(names, key=natural):
            if not Path(name).name.startswith("._"):
                yield name, archive.read(name)


def _region(name: str, data: bytes, shape: tuple[int, int, int, int]) -> Piece:
    try:
        roi = imagej.read(data)
        t, z = imagej.position(roi, shape[0], shape[1])
        y, x, mask = imagej.area(roi, shape[2:])
    except imagej.Unusable as error:
        return Piece(name, str(error))
    return Piece(name, "", t, z, y, x, mask)
