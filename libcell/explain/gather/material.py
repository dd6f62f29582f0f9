"""The inputs of a report, told apart by their schema."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from libcell.data import crops, digests, images, models, tables, tracks
from libcell.data.crops import CropStore
from libcell.errors import DataError
from libcell.schema.versions import split_tag

SCORES = "scores.parquet"
TABLES = ("features", "predictions", "scores", "importances", "objects", "transforms")


@dataclass
class Material:
    """What was given; a report shows the sections that there is material for.

    `steps` has an entry per input, in the order given: its schema, provenance and digest.
    """

    images: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    tracks: list[tuple[dict[str, Any], pa.Table]] = field(default_factory=list)
    crops: CropStore | None = None
    model: dict[str, Any] | None = None
    tables: dict[str, pa.Table] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def objects(self) -> pa.Table | None:
        """A table with a row per object, if one was given."""
        given = (self.tables.get(n) for n in ("features", "predictions", "objects"))
        return next((t for t in given if t is not None), None)


def read_material(paths: list[Path]) -> Material:
    """Read every input; of what `cell-train score` made, its table.

    DataError names the first that is no output of ours, or of which one was given already.
    """
    material = Material()
    for path in paths:
        if path.suffix == ".parquet":
            _take_table(material, path)
        elif (path / SCORES).is_file():
            _take_table(material, path / SCORES)
        elif (path / models.CARD).exists():
            _require_first(material.model, "model", path)
            material.model = models.load_card(path)
            _note(material, path, material.model)
        else:
            _take_store(material, path)
    return material


def _require_first(known: Any, what: str, path: Path) -> None:
    if known is not None:
        raise DataError(f"{path}: a second {what}; a report takes one")


def _note(material: Material, path: Path, attributes: dict[str, Any]) -> None:
    material.steps.append({"schema": attributes["schema"], "digest": digests.of_path(path),
                           "provenance": attributes.get("provenance", {})})


def _take_table(material: Material, path: Path) -> None:
    schema = tables.open_parquet(path).schema_arrow
    mark = tables.mark(schema)
    name = split_tag(mark)[0] if mark else ""
    if name not in TABLES:
        raise DataError(f"{path}: is {mark or 'a table without schema'}; a report takes "
                        f"{', '.join(TABLES)}")
    _require_first(material.tables.get(name), f"table of {name}", path)
    material.tables[name] = tables.read(path, name)
    _note(material, path, {"schema": mark, "provenance": tables.provenance(schema)})


def _take_store(material: Material, path: Path) -> None:
    attributes: dict[str, Any] = dict(images.open_root(path).attrs)
    name = split_tag(attributes.get("schema", "/"))[0] if attributes.get("schema") else ""
    if name == "image":
        groups = attributes["groups"]
        first = images.open_image(images.open_root(path), groups[0], groups[0], path).about
        material.images.append(attributes | {"about": first})
    elif name == "labels":
        material.labels.append(attributes)
    elif name == "tracks":
        material.tracks.append((attributes, tracks.read(path)))
    elif name == "crops":
        _require_first(material.crops, "crop store", path)
        material.crops = crops.open_crops(path)
    else:
        raise DataError(f"{path}: is {attributes.get('schema', 'no output of libcell')}; a report "
                        "takes what the other commands made")
    _note(material, path, attributes)
