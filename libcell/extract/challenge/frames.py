"""The block of `cell-extract ctc`: one frame of a sequence into the stores of a bundle."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import digests, image_store, images, labels, tables
from libcell.data.image import About
from libcell.errors import DataError
from libcell.extract.challenge import stack
from libcell.extract.challenge.folder import Part
from libcell.extract.kernels.centroids import centroids

IMAGE, LABELS = "image.ome.zarr", "labels.ome.zarr"  # fixed names in a bundle


def create_sequence(root: Path, about: About, compartments: list[str]) -> dict[str, Any]:
    """The empty pyramids of a sequence."""
    image_store.create(root / IMAGE, about)
    if compartments:
        labels.create(root / LABELS, about, compartments, f"../{IMAGE}")
    return {}


def write_frame(
    root: Path, group: str, t: int, image: Path, masks: dict[str, list[Part]], target: Path,
) -> dict[str, Any]:
    """Write image and labels of one frame, and a table of its objects to `target`.

    `masks` are by compartment; a compartment without any is not annotated in this frame.
    """
    pixels = stack.read(image)
    _write(image_store.open_levels(root / IMAGE, group), t, pixels, mean=True)
    seals, found = {}, []
    for compartment, parts in masks.items():
        made = as_labels(parts, pixels.shape)
        _write(labels.open_levels(root / LABELS, group, compartment), t, made, mean=False)
        seals[compartment] = _seal(made)
        found.append(_objects(made, compartment))
    objects = pa.concat_tables(found) if found else _objects(np.zeros_like(pixels, np.uint32), "")
    tables.write_part(target, objects)
    files = [image, *(path for parts in masks.values() for _, path in parts)]
    return {"image": _seal(pixels), "labels": seals, "objects": target.name,
            "files": [digests.of_file(f) for f in files]}


def as_labels(parts: list[Part], shape: tuple[int, ...]) -> np.ndarray:
    """(Z,Y,X) uint32 of the masks of a frame; what is not annotated is background."""
    made = np.zeros(shape, np.uint32)
    for plane, path in parts:
        values = stack.read(path)
        if not np.can_cast(values.dtype, np.uint32) and (
            values.min() < 0 or values.max() > np.iinfo(np.uint32).max
        ):
            raise DataError(f"{path}: labels from {values.min()} to {values.max()} do not fit "
                            "uint32")
        made[slice(None) if plane is None else slice(plane, plane + 1)] = values
    return made


def _write(levels: list[Any], t: int, planes: np.ndarray, mean: bool) -> None:
    for y in range(0, planes.shape[1], images.SHARD):
        for x in range(0, planes.shape[2], images.SHARD):
            part = planes[:, y : y + images.SHARD, x : x + images.SHARD]
            images.write_region(levels, t, 0, y, x, part, mean=mean)


def _seal(values: np.ndarray) -> str:
    return f"sha256:{hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()}"


def _objects(stacked: np.ndarray, compartment: str) -> pa.Table:
    """Columns compartment, label, z, y, x of the objects of a label image, by label."""
    found, places = centroids(stacked)
    return pa.table({
        "compartment": pa.array([compartment] * len(found), pa.string()),
        "label": found, **{n: places[:, i] for i, n in enumerate("zyx")},
    })
