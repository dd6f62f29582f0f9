"""What lies at a path, told from its own mark."""

import json
from pathlib import Path
from typing import Any

from libcell.data import tables
from libcell.errors import DataError, reading


def record_of(path: Path) -> dict[str, Any]:
    """The record that the command which made `path` printed last."""
    for name in ("zarr.json", "model.json"):
        if (path / name).is_file():
            with reading(path / name):
                content = json.loads((path / name).read_text())
                found = content.get("attributes", content)
                n = found.get("n", len(found.get("groups", [])))
                if "n_tracks" in found:
                    n = found["n_tracks"]
                return _record(found.get("schema"), path, n)
    if path.suffix == ".parquet":
        file = tables.open_parquet(path)
        return _record(tables.mark(file.schema_arrow), path, file.metadata.num_rows)
    return _record("report/1" if path.suffix == ".html" else None, path, 1)


def _record(schema: str | None, path: Path, n: int) -> dict[str, Any]:
    if not schema:
        raise DataError(f"{path}: exists, but is not an output of libcell")
    return {"schema": schema, "path": str(path), "n": n, "complete": True}
