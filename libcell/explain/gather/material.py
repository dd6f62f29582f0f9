"""The inputs of a report, told apart by their schema."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from libcell.data import crops, digests, images, models, tables, tracks
from libcell.data.crops import CropStore
from libcell.errors import DataError
from libcell.schema.versions import split_tag

ONE = ("features", "objects")  # tables that a report takes one of
SEVERAL = ("predictions", "scores", "importances", "contributions", "planes", "transforms",
           "embeddings")
TABLES = (*ONE, *SEVERAL)
KEY_FILES = ("zarr.json", ".zgroup")


@dataclass(frozen=True)
class Named:
    """One of several things of a kind: what the page calls it, its content, and where it lies."""

    name: str
    content: Any
    path: Path
    digest: str


@dataclass
class Material:
    """What was given; a report shows the sections that there is material for.

    `several` holds, by schema name, tables, model cards (`model`) and the attributes of
    explanation stores (`explain`), sorted by name. `steps` has an entry per input, in the order
    given: its name, schema, provenance and digest.
    """

    images: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    tracks: list[tuple[dict[str, Any], pa.Table]] = field(default_factory=list)
    crops: CropStore | None = None
    tables: dict[str, pa.Table] = field(default_factory=dict)
    several: dict[str, list[Named]] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def objects(self) -> pa.Table | None:
        """A table with a row per object, if one was given."""
        given = [self.tables.get("features"), *(n.content for n in self.all("predictions")),
                 self.tables.get("objects"), *(n.content for n in self.all("planes"))]
        return next((t for t in given if t is not None), None)

    def all(self, kind: str) -> list[Named]:
        """Everything of a kind that a report takes several of."""
        return self.several.get(kind, [])

    def titles(
        self, kind: str, only: Callable[[Any], bool] = lambda content: True
    ) -> Iterator[tuple[str, Named]]:
        """Those of a kind whose content is as `only` asks, each with what a heading says of it:
        nothing where it is alone."""
        found = [n for n in self.all(kind) if only(n.content)]
        for one in found:
            yield ("" if len(found) == 1 else f": {one.name}"), one


def read_material(paths: list[Path]) -> Material:
    """Read every input; of a folder that some command made, the tables in it.

    DataError names the first that is no output of ours, or that was given before.
    """
    material = Material()
    for path in paths:
        inside = [path / f"{n}.parquet" for n in TABLES if (path / f"{n}.parquet").is_file()]
        if path.suffix == ".parquet":
            _take_table(material, path, path.stem)
        elif (path / models.CARD).exists():
            card = models.load_card(path)
            _take_one_of_several(material, "model", path.stem, card, path)
            _note(material, path, path.stem, card)
        elif inside and not any((path / f).exists() for f in KEY_FILES):
            for file in inside:
                _take_table(material, file, path.stem)
        else:
            _take_store(material, path)
    for kind, some in material.several.items():
        material.several[kind] = _told_apart(some)
    return material


def _told_apart(some: list[Named]) -> list[Named]:
    """Sorted, so that the page does not depend on the order given; equal names are numbered."""
    ordered = sorted(some, key=lambda n: (n.name, n.digest))
    often, seen = Counter(n.name for n in some), Counter[str]()
    made = []
    for one in ordered:
        seen[one.name] += 1
        name = f"{one.name} {seen[one.name]}" if often[one.name] > 1 else one.name
        made.append(Named(name, one.content, one.path, one.digest))
    return made


def _require_first(known: Any, what: str, path: Path) -> None:
    if known is not None:
        raise DataError(f"{path}: a second {what}; a report takes one")


def _take_one_of_several(
    material: Material, kind: str, name: str, content: Any, path: Path
) -> None:
    digest = digests.of_path(path)
    some = material.several.setdefault(kind, [])
    if any(n.digest == digest for n in some):
        raise DataError(f"{path}: was given before, or a copy of it; a report takes one of each")
    some.append(Named(name, content, path, digest))


def _note(material: Material, path: Path, name: str, attributes: dict[str, Any]) -> None:
    material.steps.append({"name": name, "schema": attributes["schema"],
                           "digest": digests.of_path(path),
                           "provenance": attributes.get("provenance", {})})


def _take_table(material: Material, path: Path, name: str) -> None:
    schema = tables.open_parquet(path).schema_arrow
    mark = tables.mark(schema)
    kind = split_tag(mark)[0] if mark else ""
    if kind not in TABLES:
        raise DataError(f"{path}: is {mark or 'a table without schema'}; a report takes "
                        f"{', '.join(TABLES)}")
    if kind in ONE:
        _require_first(material.tables.get(kind), f"table of {kind}", path)
        material.tables[kind] = tables.read(path, kind)
    elif kind == "embeddings":  # only where they come from is told; `embed` makes planes of them
        columns = [n for n in schema.names if not n.startswith("emb_") or n == "emb_0000"]
        _take_one_of_several(material, kind, name, tables.read(path, kind, columns=columns), path)
    else:
        _take_one_of_several(material, kind, name, tables.read(path, kind), path)
    _note(material, path, name, {"schema": mark, "provenance": tables.provenance(schema)})


def _take_store(material: Material, path: Path) -> None:
    attributes: dict[str, Any] = dict(images.open_root(path).attrs)
    kind = split_tag(attributes.get("schema", "/"))[0] if attributes.get("schema") else ""
    if kind == "image":
        groups = attributes["groups"]
        first = images.open_image(images.open_root(path), groups[0], groups[0], path).about
        material.images.append(attributes | {"about": first})
    elif kind == "labels":
        material.labels.append(attributes)
    elif kind == "tracks":
        material.tracks.append((attributes, tracks.read(path)))
    elif kind == "crops":
        _require_first(material.crops, "crop store", path)
        material.crops = crops.open_crops(path)
    elif kind == "explain":
        _take_one_of_several(material, kind, path.name.split(".")[0], attributes, path)
    else:
        raise DataError(f"{path}: is {attributes.get('schema', 'no output of libcell')}; a report "
                        "takes what the other commands made")
    _note(material, path, path.name.split(".")[0], attributes)
