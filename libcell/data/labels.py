"""Label stores: uint32 label images that lie at the groups of their image store.

The label image of group `B/03/0` and compartment `nuclei` is the OME-Zarr image
`B/03/0/labels/nuclei`, as OME-NGFF nests labels in an image; the root is a `labels` group that
lists all of them, so that any OME-Zarr reader opens the whole.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from libcell.data import digests, groups, images, ngff
from libcell.data.image import ALL, About
from libcell.data.images import Source, ZarrImage, cached_root, open_image
from libcell.data.output import partial_path
from libcell.errors import DataError, reading
from libcell.schema import versions


def label_path(group: str, compartment: str) -> str:
    """Where a label image lies below the root."""
    return f"{group}/labels/{compartment}".lstrip("/")


def create(
    root: Path, like: About, compartments: list[str], source: str | None = None
) -> dict[str, list[zarr.Array]]:
    """Empty label images for one field of view; returns the pyramid of each compartment.

    Shape (T,1,Z,Y,X) follows `like`; so do the field's own columns and its pixel size.
    `source` is the path of the image relative to the store's root (see `source_of`).
    """
    shape = (like.shape[0], 1, *like.shape[2:])
    groups.ensure(root, like.group, {"metadata": like.metadata, "name": like.name})
    listed = {"ome": {"version": ngff.VERSION, "labels": compartments}}
    groups.ensure(root, f"{like.group}/labels".lstrip("/"), listed)
    made = {}
    for compartment in compartments:
        folder = groups.ensure(root, label_path(like.group, compartment))
        made[compartment] = images.create_levels(zarr.open_group(str(folder)), shape, np.uint32)
        about = ngff.multiscales(compartment, len(made[compartment]), like.pixel_size_um)
        label = {"version": ngff.VERSION} | _source(source, like.group, compartment)
        groups.update(folder, {"ome": about | {"image-label": label}})
    return made


def source_of(image: Path, store: Path) -> str | None:
    """Where the image store lies, or will lie, as seen from a label store; None for files."""
    is_store = partial_path(image).is_dir() or image.is_dir()  # in the order in which they come
    return os.path.relpath(image, store) if is_store else None


def _source(source: str | None, group: str, compartment: str) -> dict[str, Any]:
    if source is None:
        return {}
    up = "../" * (label_path(group, compartment).count("/") + 1)
    return {"source": {"image": f"{up}{source}/{group}".rstrip("/")}}


def open_levels(root: Path, group: str, compartment: str) -> list[zarr.Array]:
    """The pyramid of a label image that `create` made, for writing."""
    node = zarr.open_group(str(root / label_path(group, compartment)), mode="r+")
    return [node[name] for name in sorted(node.array_keys(), key=int)]  # type: ignore[misc]


def seal(
    root: Path, fields: list[str], compartments: list[str], content: list[str],
    provenance: Mapping[str, Any],
) -> None:
    """Write the root metadata, last of all: what the store holds and how it was made.

    `content` are the digests of the label images, in the order of `fields`.
    """
    paths = [label_path(f, c) for f in fields for c in compartments]
    groups.update(
        root,
        {
            "schema": versions.tag("labels"),
            "provenance": dict(provenance),
            "groups": fields,
            "compartments": compartments,
            "digest": digests.of_json(content),
            "ome": {"version": ngff.VERSION, "labels": paths},
        },
    )


def fields(path: Path) -> tuple[list[str], list[str]]:
    """Fields of view and compartments of a finished label store."""
    attributes: dict[str, Any] = dict(images.open_root(path).attrs)
    versions.require(attributes.get("schema"), "labels", where=str(path))
    with reading(path, "not a whole label store"):
        groups, names = list(attributes["groups"]), list(attributes["compartments"])
    return ([images.require_inside(g, path) for g in groups],
            [images.require_inside(n, path) for n in names])


def compartments_at(source: Source) -> list[str]:
    """Compartments of one field of view, in a finished store or one that still grows."""

    def read(place: Path) -> list[str]:
        root = cached_root(place)
        path = f"{source.group}/labels".lstrip("/")
        with reading(source.where, "holds no label images"):
            listed = list(ngff.block(dict(root[path].attrs))["labels"])
        return [images.require_inside(name, source.where) for name in listed]

    return source.settled(read)


def open_labels(source: Source, compartment: str) -> ZarrImage:
    """The label image of one field of view; DataError if it is not unsigned 32-bit labels."""

    def read(place: Path) -> ZarrImage:
        root = cached_root(place)
        path = label_path(source.group or "", compartment)
        with reading(source.where):
            there = path in root
        if not there:
            names = ", ".join(compartments_at(source))
            raise DataError(f"{source.where}: no compartment {compartment!r}; it has {names}")
        found = open_image(root, path, source.group or "", source.path)
        if found.about.dtype.kind not in "ui":
            raise DataError(f"{source.where}: labels are {found.about.dtype}, expected integers")
        return found

    return source.settled(read)


def field_keys(source: Source) -> tuple[dict[str, Any], str]:
    """The field's own columns, and its name."""

    def read(place: Path) -> tuple[dict[str, Any], str]:
        root = cached_root(place)
        with reading(source.where):
            node = root[source.group] if source.group else root
            attributes: dict[str, Any] = dict(node.attrs)
            name = str(attributes.get("name") or source.path.name.split(".")[0])
            return images.metadata_of(attributes, source.where), name

    return source.settled(read)


def read_frame(
    source: Source, compartment: str, t: int, y: slice = ALL, x: slice = ALL
) -> np.ndarray:
    """The labels (Z,Y,X) of one frame, or of a window of it, uint32."""

    def read(place: Path) -> np.ndarray:
        path = label_path(source.group or "", compartment)
        image = open_image(cached_root(place), path, source.group or "", source.path)
        return image.read(t=t, y=y, x=x).astype(np.uint32, copy=False)

    return source.settled(read)


def require_fit(labels: About, image: About) -> None:
    """DataError unless labels and image have the same frames, planes, rows and columns."""
    ours = (labels.shape[0], *labels.shape[2:])
    theirs = (image.shape[0], *image.shape[2:])
    if ours != theirs:
        raise DataError(
            f"{labels.where}: labels are {_size(ours)} (T,Z,Y,X), "
            f"the image {image.where} is {_size(theirs)}; they must be the same field of view"
        )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
