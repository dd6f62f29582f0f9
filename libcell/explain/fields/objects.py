"""What tables and stores know of one object."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from libcell.data import crops, labels, tables
from libcell.data.explanations import open_explanations
from libcell.data.images import open_root
from libcell.data.open import is_zarr
from libcell.errors import DataError, UsageFault

KEYED = ("objects", "features", "embeddings", "predictions", "explanations", "planes")


@dataclass(frozen=True)
class Known:
    """One object: where its name says that it is, and the columns that were found of it."""

    object_id: str
    image: str
    t: int
    compartment: str
    label: int
    row: dict[str, Any]

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """First row, first column, one past the last row and column; None if no table tells."""
        found = [self.row.get(c) for c in ("y0", "x0", "y1", "x1")]
        return None if None in found else tuple(map(int, found))  # type: ignore[arg-type,return-value]


def known(object_id: str, paths: list[Path]) -> Known:
    """All that stores and tables at `paths` say of an object.

    UsageFault if the name is none, DataError if a path does not know the object.
    """
    parts = object_id.rsplit(":", 3)
    if len(parts) != 4 or not (parts[1][:1] == "t" and parts[1][1:].isdigit()
                               and parts[3].isdigit()):
        raise UsageFault(f"{object_id!r} is no object_id; expected image:tFRAME:compartment:label, "
                         "as in B/03/0:t12:nuclei:417")
    row: dict[str, Any] = {}
    for path in paths:
        row = _row(path, object_id) | row
    return Known(object_id, parts[0], int(parts[1][1:]), parts[2], int(parts[3]), row)


def _row(path: Path, object_id: str) -> dict[str, Any]:
    table = _table(path)
    if table is None:
        return {}
    found = table.filter(pc.equal(table.column("object_id"), object_id))
    if not found.num_rows:
        first = table.column("object_id")[0].as_py() if table.num_rows else "no object"
        raise DataError(f"{path}: does not know {object_id}; it begins with {first}")
    return dict(found.slice(0, 1).to_pylist()[0])


def _table(path: Path) -> Any:
    """The keyed table at a path; None for a label store, which the picture is checked against."""
    if not is_zarr(path):
        return tables.read(path, *KEYED)
    kind = str(open_root(path).attrs.get("schema", "")).partition("/")[0]
    if kind == "crops":
        return crops.open_crops(path).index()
    if kind == "explain":
        return open_explanations(path).index()
    if kind == "labels":
        labels.fields(path)
        return None
    raise DataError(f"{path}: names no objects; give crops, labels or a table of objects, and the "
                    "image as --images")
