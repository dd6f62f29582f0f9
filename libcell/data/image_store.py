"""Writing an image store: fields of view one by one, the root metadata last."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from libcell.data import digests, groups, images, ngff
from libcell.data.image import About
from libcell.schema import versions


def create(root: Path, about: About) -> list[zarr.Array]:
    """The empty pyramid of one field of view below `root`, metadata without display windows."""
    folder = groups.ensure(root, about.group)
    levels = images.create_levels(zarr.open_group(str(folder)), about.shape, about.dtype)
    ome = ngff.multiscales(about.name, len(levels), about.pixel_size_um)
    groups.update(folder, {"metadata": about.metadata, "ome": ome})
    return levels


def open_levels(root: Path, group: str) -> list[zarr.Array]:
    """The pyramid that `create` made, for writing."""
    node = zarr.open_group(str(root / group), mode="r+")
    return [node[name] for name in sorted(node.array_keys(), key=int)]  # type: ignore[misc]


def window(values: np.ndarray) -> tuple[float, float]:
    """Display range: the 0.1 and 99.9 percentiles of what is finite; 0 to 1 if nothing is."""
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, (0.1, 99.9))
    return float(low), float(max(high, low + 1e-6))


def describe(
    root: Path, about: About, windows: list[tuple[float, float]], extra: Mapping[str, Any]
) -> None:
    """Add channel names with display windows, and further attributes, to a written field."""
    folder = root / about.group
    top = float(np.iinfo(about.dtype).max) if about.dtype.kind in "ui" else 1.0
    omero = {"omero": ngff.omero(list(about.channels), windows, top)}
    groups.update(folder, {"ome": groups.read(folder)["ome"] | omero} | dict(extra))


def seal(
    root: Path, name: str, fields: list[str], content: list[str], provenance: Mapping[str, Any]
) -> None:
    """Write the root metadata, last of all.

    Fields `row/column/field` make a plate, one group '' an image, anything else a collection.
    `content` are the digests of the fields' pixels, in the order of `fields`.
    """
    if fields == [""]:
        ome = groups.read(root)["ome"]
    elif all(f.count("/") == 2 for f in fields):
        ome = ngff.plate(name, fields)
        _describe_wells(root, fields)
    else:
        ome = ngff.collection()
        groups.ensure(root, "OME", {"ome": ngff.series(fields)})
    groups.update(
        root,
        {
            "schema": versions.tag("image"),
            "provenance": dict(provenance),
            "groups": fields,
            "digest": digests.of_json(content),
            "ome": ome,
        },
    )


def _describe_wells(root: Path, fields: list[str]) -> None:
    wells: dict[str, list[str]] = {}
    for group in fields:
        row, column, field = group.split("/")
        wells.setdefault(f"{row}/{column}", []).append(field)
    for path, inside in wells.items():
        groups.update(root / path, {"ome": ngff.well(inside)})
