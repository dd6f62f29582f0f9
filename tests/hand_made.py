"""Stores written array by array, and methods run in this process: for what no simulator makes."""

import contextlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.cli import app
from libcell.data import image_store, images, labels, tables
from libcell.data.image import About

PROVENANCE: dict[str, Any] = {"command": "a test", "version": "0", "parameters": {}, "inputs": [],
                              "seed": 0, "created": None}


@dataclass(frozen=True)
class Run:
    """What a command said."""

    code: int
    records: list[dict[str, Any]]
    said: str


def call(room: str, *args: object, code: int | None = 0) -> Run:
    """Run `cell-ROOM ARGS` in this process with one worker (unless told) and expect `code`."""
    given = [str(a) for a in args]
    given += [] if "-j" in given else ["-j", "1"]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        found = app.run(room, "", given)
    if code is not None:
        assert found == code, f"exit {found}\n{out.getvalue()}\n{err.getvalue()}"
    records = [json.loads(line) for line in out.getvalue().splitlines()]
    return Run(found, records, err.getvalue())


def image_about(group: str, pixels: np.ndarray, channels: tuple[str, ...], **more: Any) -> About:
    named = {"metadata": {"Metadata_Plate": None, "Metadata_Well": None, "Metadata_Site": None}}
    return About(where=group, group=group, name=group or "image", shape=pixels.shape,  # type: ignore[arg-type]
                 dtype=pixels.dtype, channels=channels, **(named | more))


def write_images(
    path: Path, fields: Mapping[str, np.ndarray], channels: tuple[str, ...] | None = None,
    wells: Mapping[str, dict[str, Any]] | None = None, **more: Any,
) -> Path:
    """An image store of fields (T,C,Z,Y,X) by group.

    `wells` are the fields' own columns by group; `more` goes to the `About` of all.
    """
    digests = []
    for group, pixels in fields.items():
        names = channels or tuple(f"c{i + 1}" for i in range(pixels.shape[1]))
        about = image_about(group, pixels, names, **more, **_columns(wells, group))
        levels = image_store.create(path, about)
        for t, c in np.ndindex(pixels.shape[:2]):
            _write(levels, t, c, pixels[t, c], mean=True)
        image_store.describe(path, about, [(0.0, 1.0)] * len(names), {})
        digests.append(str(hash(pixels.tobytes())))
    image_store.seal(path, "test", list(fields), digests, PROVENANCE)
    return path


def write_labels(
    path: Path, fields: Mapping[str, Mapping[str, np.ndarray]],
    wells: Mapping[str, dict[str, Any]] | None = None, **more: Any,
) -> Path:
    """A label store of compartments (T,Z,Y,X) by group; the rest as in `write_images`."""
    compartments: list[str] = []
    for group, found in fields.items():
        first = next(iter(found.values()))
        like = image_about(group, first[:, None], ("1",), **more, **_columns(wells, group))
        made = labels.create(path, like, list(found))
        for compartment, stack in found.items():
            for t in range(len(stack)):
                _write(made[compartment], t, 0, stack[t].astype(np.uint32), mean=False)
        compartments = list(found)
    labels.seal(path, list(fields), compartments, list(fields), PROVENANCE)
    return path


def _columns(wells: Mapping[str, dict[str, Any]] | None, group: str) -> dict[str, Any]:
    return {"metadata": wells[group]} if wells else {}


def _write(levels: Any, t: int, c: int, planes: np.ndarray, mean: bool) -> None:
    step = images.SHARD
    for y in range(0, planes.shape[1], step):
        for x in range(0, planes.shape[2], step):
            part = planes[:, y : y + step, x : x + step]
            images.write_region(levels, t, c, y, x, part, mean=mean)


def write_features(
    path: Path, columns: Mapping[str, Any], wells: int = 10, rows: int = 8
) -> Path:
    """A feature table of `wells` x `rows` objects with further columns."""
    n = wells * rows
    well = np.repeat([f"A{w + 1:02d}" for w in range(wells)], rows)
    label = np.tile(np.arange(1, rows + 1), wells)
    keys = {
        "object_id": [f"A/{w[1:]}/0:t0:nuclei:{k}" for w, k in zip(well, label)],
        "Metadata_Plate": ["p"] * n, "Metadata_Well": well.tolist(), "Metadata_Site": ["0"] * n,
        "Metadata_Image": [f"A/{w[1:]}/0" for w in well], "Metadata_T": np.zeros(n, np.int32),
        "Metadata_Label": label, "Metadata_Compartment": ["nuclei"] * n,
    }
    return write_table(path, "features", keys | dict(columns))


def write_table(path: Path, name: str, columns: Mapping[str, Any]) -> Path:
    """A table of kind `name` with its mark."""
    table: pa.Table = tables.from_columns(name, columns)
    tables.write_parts(path, [table], table.schema, name, PROVENANCE)
    return path


def files_of(path: Path) -> dict[str, bytes]:
    """Every file of an output by its name below it."""
    if path.is_file():
        return {path.name: path.read_bytes()}
    return {f.relative_to(path).as_posix(): f.read_bytes()
            for f in sorted(path.rglob("*")) if f.is_file()}
