"""Where the objects of a label image are: the keys and boxes that every table shares."""

from typing import Any

import numpy as np
import pyarrow as pa
from scipy import ndimage

from libcell.data import labels, tables
from libcell.data.image import object_ids
from libcell.data.images import Source


def image_keys(source: Source) -> dict[str, Any]:
    """Plate, well, site, image and the user's own columns of a label store's field of view."""
    metadata, name = labels.field_keys(source)
    base: dict[str, Any] = dict.fromkeys(("Metadata_Plate", "Metadata_Well", "Metadata_Site"))
    return base | {"Metadata_Image": source.group or name} | metadata


def key_columns(
    keys: dict[str, Any], t: int, compartment: str, found: np.ndarray
) -> dict[str, Any]:
    """Key columns for the labels `found` (n,) of one frame; the user's own columns last."""
    n = len(found)
    required = {
        "object_id": object_ids(keys["Metadata_Image"], t, compartment, found.tolist()),
        **{k: [keys[k]] * n for k in ("Metadata_Plate", "Metadata_Well", "Metadata_Site",
                                      "Metadata_Image")},
        "Metadata_T": np.full(n, t, np.int32),
        "Metadata_Label": found.astype(np.uint32),
        "Metadata_Compartment": [compartment] * n,
    }
    own = {k: _repeated(v, n) for k, v in keys.items() if k not in required}
    return required | own


def _repeated(value: Any, n: int) -> Any:
    """A constant column; its type is the value's even where there is no row."""
    return pa.array([value] * n, type=pa.scalar(value).type)


def objects_table(
    stack: np.ndarray, keys: dict[str, Any], t: int, compartment: str
) -> pa.Table:
    """Table `objects` of one label image (Y,X) or (Z,Y,X), ordered by label."""
    flat = stack.max(axis=0) if stack.ndim == 3 else stack
    boxes = ndimage.find_objects(flat)
    found = np.array([i + 1 for i, box in enumerate(boxes) if box], np.int64)
    spans = [boxes[i - 1] for i in found]
    area, y, x = _centroids(stack, found)
    height, width = flat.shape
    corners = np.array([(s[0].start, s[1].start, s[0].stop, s[1].stop) for s in spans],
                       np.int32).reshape(-1, 4)
    y0, x0, y1, x1 = corners.T
    columns = key_columns(keys, t, compartment, found) | {
        "y": y, "x": x, "y0": y0, "x0": x0, "y1": y1, "x1": x1, "area_px": area,
        "touches_border": (y0 == 0) | (x0 == 0) | (y1 == height) | (x1 == width),
    }
    return tables.from_columns("objects", columns)


def _centroids(
    stack: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, y and x of the labels `found`; sums are of integers, hence exact."""
    pixels = np.flatnonzero(stack)
    values = stack.ravel()[pixels]
    height, width = stack.shape[-2:]
    size = int(found.max(initial=0)) + 1
    area = np.bincount(values, minlength=size)
    total_x = np.bincount(values, weights=pixels % width, minlength=size)
    total_y = np.bincount(values, weights=(pixels // width) % height, minlength=size)
    return area[found], total_y[found] / area[found], total_x[found] / area[found]
