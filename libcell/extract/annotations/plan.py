"""What some COCO files ask for: their pictures, in batches, and what belongs to none."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import omissions, tables
from libcell.errors import UsageFault
from libcell.extract.annotations import document, index, pictures
from libcell.extract.annotations.document import Document
from libcell.extract.annotations.pictures import LIVECELL, Picture

AT_ONCE = 1500  # annotations of one block, in whole pictures
PICTURES = 32  # pictures of one block, at most


@dataclass
class Plan:
    """All pictures of all documents, and the annotations that have none (`left`).

    `pictures` come with the number of their document; `sources` say where each document's
    outlines are, `names` how it is called; `records` are all annotations there are. `notes` is
    what the user may want to know, `warnings` what is odd but costs nothing.
    """

    pictures: list[tuple[int, Picture]] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    left: list[pa.Table] = field(default_factory=list)
    records: int = 0
    pattern: str | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def make(
    paths: list[Path], images: str | None, pattern: str | None, splits: tuple[str, ...],
    folder: Path,
) -> Plan:
    """Read the documents; leave their annotations in `folder` for the workers."""
    made = Plan()
    finder = pictures.Finder(Path(images) if images else None)
    taken: dict[str, str] = {}
    for number, (path, split) in enumerate(zip(paths, pictures.splits_of(paths, splits))):
        found = document.load(path)
        if number == 0:
            made.pattern = pictures.chosen_pattern(found, pattern)
        order = index.write_entries(found, folder, number)
        made.sources.append(found.text if isinstance(found.text, Path)
                            else index.text_of(folder, number))
        made.names.append(path.name)
        made.pictures += [(number, p) for p in pictures.pictures(
            found, split, finder, made.pattern, order, taken)]
        made.left.append(_homeless(found, order))
        made.records += len(order) + len(found.odd)
        _describe(made, found)
    if made.pattern == LIVECELL and pattern is None:
        made.notes.append("file names are LIVECell's: cell line, well, site and time are read "
                          "from them")
    return made


def _homeless(found: Document, order: np.ndarray) -> pa.Table:
    """Annotations that are none, and those of images that the document does not list."""
    lost = found.entries.ids[found.entries.image < 0]
    reason = "its image is not among the images of the file"
    left = found.odd + [(str(i), reason) for i in lost.tolist()]
    return omissions.table([(found.path.name, *one) for one in left], None)


def _describe(made: Plan, found: Document) -> None:
    ids, image = found.entries.ids, found.entries.image
    again = len(ids) - len(np.unique(ids))
    if again:
        made.warnings.append(f"{found.path}: {again} annotation ids stand in it twice; objects "
                             "are told apart by their place in the image")
    strange = int((found.entries.category < 0).sum())
    if strange and found.categories:
        made.warnings.append(f"{found.path}: {strange} annotations are of a category that it does "
                             "not list; they have no class")
    empty = len(found.images) - len(np.unique(image[image >= 0]))
    if empty:
        made.notes.append(f"{found.path}: {empty} of {len(found.images)} images have no "
                          "annotation")


def class_column(made: Plan, wanted: str | None) -> str | None:
    """The name in the pattern that is the class; None: the category. UsageFault if it is none."""
    name = wanted or ("CellLine" if made.pattern == LIVECELL else "category")
    columns = made.pictures[0][1].columns if made.pictures else {}
    if name != "category" and f"Metadata_{name}" not in columns:
        there = ", ".join(c.removeprefix("Metadata_") for c in columns)
        raise UsageFault(f"--class-from {name}: no such name; there are category, {there}")
    return None if name == "category" else name


def batches(made: Plan) -> Iterator[tuple[int, list[Picture]]]:
    """Pictures of one document that make a block, those without annotations left out."""
    some: list[Picture] = []
    count, current = 0, 0
    for number, picture in made.pictures:
        own = picture.rows[1] - picture.rows[0]
        if some and (number != current or count + own > AT_ONCE or len(some) == PICTURES):
            yield current, some
            some, count = [], 0
        if own:
            some.append(picture)
            count, current = count + own, number
    if some:
        yield current, some


@dataclass(frozen=True)
class Found:
    """What the first pass left: part files, read without loading them.

    `parts` are (file, rows), `left` the omissions, `kinds` the pixels of the pictures, `window`
    the largest height and width of a box.
    """

    parts: list[tuple[Path, int]]
    left: list[pa.Table]
    kinds: list[tuple[int, str]]
    window: tuple[int, int]

    @property
    def total(self) -> int:
        return sum(n for _, n in self.parts)

    def tables(self) -> list[pa.Table]:
        """The objects, part by part, without their masks; all of one schema."""
        own = list(index.RUNS)
        some = [tables.read_part(file).drop_columns(own) for file, _ in self.parts]
        schema = tables.unify(some).remove_metadata()
        return [tables.conform(t, schema) for t in some]

    def pictures(self) -> list[str]:
        """The picture of each object."""
        return [name for file, _ in self.parts
                for name in tables.read_part(file).column("Metadata_Image").to_pylist()]


def gather(results: list[dict[str, Any]], folder: Path, made: Plan) -> Found:
    """The results of `index_pictures`, taken together."""
    parts = [(folder / r["part"], r["n"]) for r in results]
    left = made.left + [tables.read_part(p.with_suffix(".left")) for p, _ in parts]
    window = tuple(max((r["size"][i] for r in results), default=0) for i in (0, 1))
    kinds = sorted({(int(c), str(d)) for r in results for c, d in r["kinds"]})
    return Found(parts, left, kinds, window)  # type: ignore[arg-type]


def write_index(
    parts: list[tuple[Path, int]], target: Path, provenance: dict[str, Any]
) -> int:
    """Write the objects of some parts as one table; returns the rows."""
    some = Found(parts, [], [], (0, 0)).tables()
    return tables.write_parts(target, some, some[0].schema, "objects", provenance)


def rows_of(parts: list[pa.Table]) -> dict[str, tuple[int, int]]:
    """First and last row (exclusive) of each picture, over all parts."""
    found: dict[str, tuple[int, int]] = {}
    row = 0
    for table in parts:
        for name in table.column("Metadata_Image").to_pylist():
            found[name] = (found.get(name, (row, row))[0], row + 1)
            row += 1
    return found
