"""The pictures that documents are about: where they lie, what their names tell."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.errors import DataError, MissingInput, UsageFault
from libcell.extract.annotations.document import Document, ImageEntry
from libcell.extract.kernels import pattern as names

LIVECELL = "{CellLine}_Phase_{well}_{site}_{time}_{Piece}.tif"
SPLITS = {"train": "train", "training": "train", "val": "validation", "valid": "validation",
          "validation": "validation", "test": "test", "testing": "test"}


@dataclass(frozen=True)
class Picture:
    """One annotated picture: `name` is its field of view, `path` None where there is no file.

    `size` (height, width) is what the document says, None where it does not; `rows` is the part
    of the document's annotations, sorted by picture, that are its own.
    """

    name: str
    path: Path | None
    fault: str
    size: tuple[int, int] | None
    columns: dict[str, Any]
    rows: tuple[int, int]

    @property
    def is_empty(self) -> bool:
        """A picture without annotations is a field of view without objects."""
        return self.path is not None and self.rows[0] == self.rows[1]


def split_of(path: Path) -> str | None:
    """train, validation or test, if the file's name or else its folder's says so."""
    for text in (path.stem, path.absolute().parent.name):
        words = text.lower().replace("-", "_").replace(".", "_").split("_")
        found = {SPLITS[w] for w in words if w in SPLITS}
        if len(found) == 1:
            return found.pop()
    return None


def splits_of(paths: list[Path], given: tuple[str, ...]) -> list[str | None]:
    """The split of each document: as given, in their order, or as their names say."""
    if not given:
        return [split_of(p) for p in paths]
    if len(given) != len(paths):
        raise UsageFault(f"--split names {len(given)} splits for {len(paths)} annotation files")
    return [SPLITS.get(name, name) for name in given]


class Finder:
    """Finds the file of a picture: below the folder of pictures, or beside its document.

    A folder is listed once, and only if a name does not lead straight to its file.
    """

    def __init__(self, folder: Path | None):
        if folder and not folder.is_dir():
            raise MissingInput(f"{folder}: not a folder of images (see --images)")
        self._folder = folder
        self._listed: dict[str, list[Path]] | None = None

    def find(self, name: str, document: Path) -> tuple[Path | None, str]:
        """The file, or None and why."""
        beside = document.parent / name
        if self._folder is None:
            return (beside, "") if beside.is_file() else (None, "image file is not there")
        if (self._folder / name).is_file():
            return self._folder / name, ""
        if beside.is_file() and beside.resolve().is_relative_to(self._folder.resolve()):
            return beside, ""
        found = self._list().get(Path(name).name, [])
        if len(found) == 1:
            return found[0], ""
        return None, "image file is not there" if not found else "several image files of that name"

    def _list(self) -> dict[str, list[Path]]:
        assert self._folder
        if self._listed is None:
            self._listed = {}
            for path in sorted(self._folder.rglob("*")):
                if path.is_file():
                    self._listed.setdefault(path.name, []).append(path)
        return self._listed


def chosen_pattern(document: Document, given: str | None) -> str | None:
    """The pattern of file names: the given one, or LIVECell's where all names are of its form."""
    if given is not None and given != "livecell":
        return given
    expression = names.compile_pattern(LIVECELL)
    every = [Path(i.file_name).name for i in document.images]
    strange = [n for n in every if not expression.match(n)]
    if not strange and every:
        return LIVECELL
    if given:
        text = f"{strange[0]} is no name of LIVECell's" if strange else "there are no images"
        raise DataError(f"--pattern livecell: {text}")
    return None


def pictures(
    document: Document, split: str | None, finder: Finder, pattern: str | None,
    order: np.ndarray, taken: dict[str, str],
) -> Iterator[Picture]:
    """Every picture of a document, in its order.

    `order` (n,) are the picture numbers of the annotations, ascending; `taken` are the names that
    earlier pictures have, and their files, over all documents.
    """
    expression = names.compile_pattern(pattern) if pattern else None
    counts = np.bincount(order[order >= 0], minlength=len(document.images))
    starts = np.searchsorted(order, np.arange(len(document.images)))
    for i, entry in enumerate(document.images):
        path, fault = finder.find(entry.file_name, document.path)
        columns = {
            **_told(entry, expression),
            "Metadata_Split": split,
            "Metadata_File": entry.file_name,
            "Metadata_Density": int(counts[i]),
        }
        size = (entry.height, entry.width) if entry.height and entry.width else None
        yield Picture(_name(entry, path, taken), path, fault, size, columns,
                      (int(starts[i]), int(starts[i] + counts[i])))


def _told(entry: ImageEntry, expression: Any) -> dict[str, Any]:
    """Key columns, and what the file's name tells. DataError where it does not fit the pattern."""
    keys = dict.fromkeys(("Metadata_Plate", "Metadata_Well", "Metadata_Site"))
    if expression is None:
        return keys
    return keys | names.metadata(names.parse(expression, Path(entry.file_name).as_posix()), None)


def _name(entry: ImageEntry, path: Path | None, taken: dict[str, str]) -> str:
    """The picture's field of view, named as `cell-extract images` names it; unique.

    DataError if two documents are about the same file: its cells would come twice.
    """
    file = str(path.resolve() if path else entry.file_name)
    stem = names.plain(names.stem(Path(entry.file_name).name))
    name, number = stem, 0
    while name in taken:
        if taken[name] == file:
            raise DataError(f"{entry.file_name}: is annotated twice; give each image once, in one "
                            "of the annotation files")
        number += 1
        name = f"{stem}_{number}"
    taken[name] = file
    return name
