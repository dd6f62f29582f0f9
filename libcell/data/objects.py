"""Where the objects of a label image are: the keys and boxes that every table shares."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from libcell.compiled import compiled
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
    labels, rows = _numbered(window)
    area = np.zeros(len(labels), np.int64)
    sums = np.zeros((len(labels), 2), np.int64)
    boxes = np.tile(np.array([2**62, 2**62, 0, 0], np.int64), (len(labels), 1))
    _add_pixels(window, rows, labels, y0, x0, area, sums, boxes)
    return Scan(labels, area, sums, boxes)


def _numbered(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels (n,) int64 of a window, ascending, and the row of each label value, or an empty
    array where the largest value is far above their number."""
    most = int(window.max(initial=0))
    if most > 2 * window.size + 2**20:
        found = np.unique(window)
        return found[found > 0].astype(np.int64), np.empty(0, np.int64)
    there = np.zeros(most + 1, np.bool_)
    there[window.ravel()] = True
    there[0] = False
    return np.flatnonzero(there), np.cumsum(there) - 1


@compiled
def _add_pixels(window, rows, labels, y0, x0, area, sums, boxes):  # type: ignore[no-untyped-def]
    for z in range(window.shape[0]):
        for y in range(window.shape[1]):
            for x in range(window.shape[2]):
                label = window[z, y, x]
                if label == 0:
                    continue
                row = rows[label] if len(rows) else np.searchsorted(labels, label)
                area[row] += 1
                sums[row, 0] += y0 + y
                sums[row, 1] += x0 + x
                boxes[row, 0] = min(boxes[row, 0], y0 + y)
                boxes[row, 1] = min(boxes[row, 1], x0 + x)
                boxes[row, 2] = max(boxes[row, 2], y0 + y + 1)
                boxes[row, 3] = max(boxes[row, 3], x0 + x + 1)
