"""Writing an image store: fields of view one by one, the root metadata last."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from libcell.data import digests, images, ngff
from libcell.data.image import About
from libcell.schema import versions


def create(root: Path, about: About) -> list[zarr.Array]:
    """The empty pyramid of one field of view below `root`, metadata without display windows."""
    store = zarr.open_group(str(root), mode="a")
    group = store.require_group(about.group) if about.group else store
    levels = images.create_levels(group, about.shape, about.dtype)
    group.attrs["metadata"] = about.metadata
    group.attrs["ome"] = ngff.multiscales(about.name, len(levels), about.pixel_size_um)
    return levels


def open_levels(root: Path, group: str) -> list[zarr.Array]:
    """The pyramid that `create` made, for writing."""
    node = zarr.open_group(str(root / group), mode="r+")
    return [node[name] for name in sorted(node.array_keys(), key=int)]  # type: ignore[misc]


def describe(
    root: Path, about: About, windows: list[tuple[float, float]], extra: Mapping[str, Any]
) -> None:
    """Add channel names with display windows, and further attributes, to a written field."""
    group = zarr.open_group(str(root / about.group), mode="r+")
    ome: dict[str, Any] = dict(group.attrs["ome"])  # type: ignore[arg-type]
    top = float(np.iinfo(about.dtype).max) if about.dtype.kind in "ui" else 1.0
    group.attrs["ome"] = ome | {"omero": ngff.omero(list(about.channels), windows, top)}
    group.attrs.update(dict(extra))


def seal(
    root: Path, name: str, groups: list[str], content: list[str], provenance: Mapping[str, Any]
) -> None:
    """Write the root metadata, last of all.

    Groups `row/column/field` make a plate, one group '' an image, anything else a collection.
    `content` are the digests of the fields' pixels, in the order of `groups`.
    """
    store = zarr.open_group(str(root), mode="a")
    if groups == [""]:
        ome: dict[str, Any] = dict(store.attrs["ome"])  # type: ignore[arg-type]
    elif all(g.count("/") == 2 for g in groups):
        ome = ngff.plate(name, groups)
        _describe_wells(store, groups)
    else:
        ome = ngff.collection()
        store.require_group("OME").attrs["ome"] = ngff.series(groups)
    store.attrs.update(
        {
            "schema": versions.tag("image"),
            "provenance": dict(provenance),
            "groups": groups,
            "digest": digests.of_json(content),
            "ome": ome,
        }
    )


def _describe_wells(store: zarr.Group, groups: list[str]) -> None:
    wells: dict[str, list[str]] = {}
    for group in groups:
        row, column, field = group.split("/")
        wells.setdefault(f"{row}/{column}", []).append(field)
    for path, fields in wells.items():
        store.require_group(path).attrs["ome"] = ngff.well(fields)
