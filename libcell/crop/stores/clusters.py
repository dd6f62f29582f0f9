"""Cell clusters of one field of view, as a part of the store's index."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.crop.kernels.boxes import Sums, propose
from libcell.crop.kernels.similarity import descriptors, eight_bits, similarities, thinned
from libcell.crop.stores.source import Cutting, compartment_of, describe
from libcell.data import grey, labels, objects, tables
from libcell.data.images import Source
from libcell.errors import DataError

NAME = "clusters"


@dataclass(frozen=True)
class Selection:
    """How boxes of `size` px are chosen: see `kernels.boxes` and `kernels.similarity`."""

    size: int
    regions: int
    top: int
    least: float
    thin: bool
    channel: str


def index_field(
    source: Source, compartment: str | None, cutting: Cutting, selection: Selection, target: Path
) -> dict[str, Any]:
    """Clusters of one field of view, left at `target`; what its image looks like.

    DataError for an image with depth.
    """
    name = compartment_of(source, compartment)
    about = describe(source, name, cutting)
    image = cutting.image(source)
    if image.about.shape[2] > 1:
        raise DataError(f"{source.where}: has {image.about.shape[2]} planes; project them first "
                        "(cell-extract images --project)")
    grey.require(image.about, selection.channel)
    keys = objects.image_keys(source)
    found = []
    for t in range(image.about.shape[0]):
        mask = labels.read_frame(source, name, t)[0] > 0
        plane = grey.read(image, selection.channel, t)[0]
        found.append(_rows(keys, t, selection.size, mask, *select(mask, plane, selection)))
    table = pa.concat_tables(found)
    tables.write_part(target, table)
    return {"part": target.name, "image": keys["Metadata_Image"], "n": table.num_rows, **about}


def select(
    mask: np.ndarray, plane: np.ndarray, selection: Selection
) -> tuple[np.ndarray, np.ndarray]:
    """The best boxes (n,2) of a mask (Y,X) and its plane, and the mask's pixels in each (n,),
    most first."""
    sums = Sums(mask)
    boxes = propose(mask, selection.size, selection.regions, sums)
    covered = sums.over(boxes, boxes + selection.size)[:, 0]
    enough = covered >= max(1, selection.least * selection.size**2)
    boxes, covered = boxes[enough], covered[enough]
    if selection.thin and len(boxes) > 1:
        described = descriptors(eight_bits(plane), boxes, selection.size)
        stays = thinned(*similarities(boxes, described, selection.size), covered)
        boxes, covered = boxes[stays], covered[stays]
    best = np.argsort(-covered, kind="stable")[: selection.top]
    return boxes[best], covered[best]


def _rows(
    keys: dict[str, Any], t: int, size: int, mask: np.ndarray, boxes: np.ndarray,
    covered: np.ndarray,
) -> pa.Table:
    """Table `objects` of one frame: clusters numbered from 1, the most confluent first."""
    columns = objects.key_columns(keys, t, NAME, np.arange(1, len(boxes) + 1))
    (y0, x0), (y1, x1) = (np.clip(c, 0, mask.shape).T for c in (boxes, boxes + size))
    height, width = mask.shape
    return tables.from_columns("objects", columns | {
        "y": boxes[:, 0] + size // 2, "x": boxes[:, 1] + size // 2,
        "y0": y0, "x0": x0, "y1": y1, "x1": x1, "area_px": covered,
        "touches_border": (y0 == 0) | (x0 == 0) | (y1 == height) | (x1 == width),
        "confluency": covered / size**2,
    })
