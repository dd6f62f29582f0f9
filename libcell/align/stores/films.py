"""Label stores beside image stores, and planes written shard by shard."""

from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import digests, images, labels
from libcell.data.image import About
from libcell.data.images import Source
from libcell.errors import UsageFault

IMAGE, LABELS = "image.ome.zarr", "labels.ome.zarr"  # fixed names in a bundle


def require_bundle(kind: str, labels_path: str | None) -> None:
    """UsageFault where labels are to be written but the output is one image store."""
    if labels_path and kind != "bundle":
        raise UsageFault("--labels makes two stores; name the output x.bundle, a folder for both")


def image_place(root: Path, kind: str) -> Path:
    """Where the image store is written: the output itself, or its place in the bundle."""
    if kind != "bundle":
        return root
    root.mkdir(exist_ok=True)
    return root / IMAGE


def labels_at(store: str, image: Source) -> Source:
    """The field of view of a label store that belongs to one of an image store."""
    return Source(Path(store), image.group)


def compartments_of(store: str | None, image: Source, about: About) -> list[str]:
    """The label images of a field of view; DataError where they do not fit its image."""
    if store is None:
        return []
    place = labels_at(store, image)
    found = labels.compartments_at(place)
    for compartment in found:
        labels.require_fit(labels.open_labels(place, compartment).about, about)
    return found


def write_planes(levels: list[Any], t: int, c: int, planes: np.ndarray, mean: bool) -> str:
    """Write (Z,Y,X) of one channel into every level, shard by shard; returns their digest."""
    for y in range(0, planes.shape[1], images.SHARD):
        for x in range(0, planes.shape[2], images.SHARD):
            part = planes[:, y : y + images.SHARD, x : x + images.SHARD]
            images.write_region(levels, t, c, y, x, part, mean=mean)
    return digests.of_bytes(planes.tobytes())
