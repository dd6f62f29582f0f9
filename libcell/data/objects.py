"""Where the objects of a label image are: the keys and boxes that every table shares."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from libcell.data import labels, tables
from libcell.data.image import object_ids
from libcell.data.images import Source

WINDOW = 2048
ReadWindow = Callable[[slice, slice], np.ndarray]


def image_keys(source: Source) -> dict[str, Any]:
    """Plate, well, site, image and the user's own columns of a label store's field of view."""
    metadata, name = labels.field_keys(source)
    base: dict[str, Any] = dict.fromkeys(("Metadata_Plate", "Metadata_Well", "Metadata_Site"))
    return base | {"Metadata_Image": source.group or name} | metadata


def key_columns(
    keys: dict[str, Any], t: int, compartment: str, found: np.ndarray
) -> dict[str, Any]:
    """Key columns for the labels `found` (n,) of one frame; the user's own columns last.

    Of a column that is a list, one value a frame, the frame's own is taken.
    """
    n = len(found)
    required = {
        "object_id": object_ids(keys["Metadata_Image"], t, compartment, found.tolist()),
        **{k: [keys[k]] * n for k in ("Metadata_Plate", "Metadata_Well", "Metadata_Site",
                                      "Metadata_Image")},
        "Metadata_T": np.full(n, t, np.int32),
        "Metadata_Label": found.astype(np.uint32),
        "Metadata_Compartment": [compartment] * n,
    }
    own = {k: _repeated(v[t] if isinstance(v, list) else v, n)
           for k, v in keys.items() if k not in required}
    return required | own


def _repeated(value: Any, n: int) -> Any:
    """A constant column; its type is the value's even where there is no row."""
    return pa.array([value] * n, type=pa.scalar(value).type)


def objects_table(
    read: ReadWindow, shape: tuple[int, ...], keys: dict[str, Any], t: int, compartment: str
) -> pa.Table:
    """Table `objects` of one label image, ordered by label, read in windows.

    `read(y, x)` gives the labels (Z,h,w) of a window of the image of `shape` (Z,Y,X).
    """
    found = scan(read, shape)
    height, width = shape[-2:]
    y0, x0, y1, x1 = found.boxes.T
    columns = key_columns(keys, t, compartment, found.labels) | {
        "y": found.sums[:, 0] / found.area, "x": found.sums[:, 1] / found.area,
        "y0": y0, "x0": x0, "y1": y1, "x1": x1, "area_px": found.area,
        "touches_border": (y0 == 0) | (x0 == 0) | (y1 == height) | (x1 == width),
    }
    return tables.from_columns("objects", columns)


class Scan(NamedTuple):
    """labels (n,) int64 ascending; area (n,) int64 px; sums (n,2) int64 of y and x;
    boxes (n,4) int64: y0, x0, y1, x1, the end exclusive."""

    labels: np.ndarray
    area: np.ndarray
    sums: np.ndarray
    boxes: np.ndarray


def scan(read: ReadWindow, shape: tuple[int, ...]) -> Scan:
    """Where every object of a label image is; holds one window of it at a time."""
    parts = [
        _scan_window(read(slice(y, y + WINDOW), slice(x, x + WINDOW)), y, x)
        for y in range(0, shape[-2], WINDOW) for x in range(0, shape[-1], WINDOW)
    ]
    every = np.concatenate([p.labels for p in parts])
    labels, place = np.unique(every, return_inverse=True)
    area = np.zeros(len(labels), np.int64)
    sums = np.zeros((len(labels), 2), np.int64)
    low = np.full((len(labels), 2), np.iinfo(np.int64).max)
    high = np.zeros((len(labels), 2), np.int64)
    np.add.at(area, place, np.concatenate([p.area for p in parts]))
    np.add.at(sums, place, np.concatenate([p.sums for p in parts]))
    boxes = np.concatenate([p.boxes for p in parts])
    np.minimum.at(low, place, boxes[:, :2])
    np.maximum.at(high, place, boxes[:, 2:])
    return Scan(labels, area, sums, np.hstack([low, high]))


def _scan_window(window: np.ndarray, y0: int, x0: int) -> Scan:
    """The same of one window (Z,h,w) that lies at (y0, x0); sums are of integers, hence exact."""
    pixels = np.flatnonzero(window)
    labels, place = np.unique(window.ravel()[pixels], return_inverse=True)
    height, width = window.shape[-2:]
    y, x = (pixels // width) % height + y0, pixels % width + x0
    n = len(labels)
    low = np.full((n, 2), np.iinfo(np.int64).max)
    high = np.zeros((n, 2), np.int64)
    for axis, values in enumerate((y, x)):
        np.minimum.at(low[:, axis], place, values)
        np.maximum.at(high[:, axis], place, values + 1)
    sums = [np.bincount(place, weights=v, minlength=n).astype(np.int64) for v in (y, x)]
    return Scan(labels.astype(np.int64), np.bincount(place, minlength=n),
                np.column_stack(sums), np.hstack([low, high]))
