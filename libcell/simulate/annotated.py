"""Cell lines in phase contrast with an outline around every cell, laid out as LIVECell is."""

import json
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np
from scipy import ndimage
from skimage import measure

from libcell.errors import UsageFault
from libcell.simulate.field import Field
from libcell.simulate.folder import new_folder
from libcell.simulate.lines import Flask, Lines
from libcell.simulate.write import NOTE, write_tiff

TOLERANCE_PX = 0.4  # by which an outline may be simpler than the pixels' own
Document = dict[str, list[dict[str, Any]]]


def write_annotated(folder: str | Path, lines: Lines) -> Path:
    """`images/{line}_Phase_{well}_{site}_{time}_1.tif` and `livecell_coco_{split}.json`.

    A batch is a row of wells. The last row is the test, the one before it (of three or more) the
    validation part, so that no well is in two. A well's number is the position, a site there is.
    OutputExists if the folder does; UsageFault for a single batch.
    """
    if lines.batches < 2:
        raise UsageFault("one batch; training and test take one each")
    documents = {split: _document() for split in ("train", "val", "test")}
    with new_folder(Path(folder)) as root:
        for flask in lines.flasks():
            document = documents[_split(flask.batch, lines.batches)]
            for hour, field in zip(lines.hours, lines.series(flask)):
                name = _name(flask, hour)
                write_tiff(root / "images" / name, field.image[0], field.pixel_size_um)
                _annotate(document, name, field)
        for split, document in documents.items():
            if document["images"]:
                text = json.dumps(document, separators=(",", ":"))
                (root / f"livecell_coco_{split}.json").write_text(text, encoding="utf-8")
    return Path(folder)


def _document() -> Document:
    return {"info": [{"description": NOTE}], "categories": [{"id": 1, "name": "cell"}],
            "images": [], "annotations": []}


def _split(batch: int, batches: int) -> str:
    """Of a batch, counted from 1."""
    return {batches: "test", batches - 1: "val"}.get(batch, "train") if batches > 2 else (
        "train", "test")[batch - 1]


def _name(flask: Flask, hour: float) -> str:
    minutes = round(60 * hour)
    time = f"{minutes // 1440:02d}d{minutes // 60 % 24:02d}h{minutes % 60:02d}m"
    well = f"{ascii_uppercase[flask.batch - 1]}{flask.position}"
    return f"{flask.line}_Phase_{well}_1_{time}_1.tif"


def _annotate(document: Document, name: str, field: Field) -> None:
    """Add an image and its cells; ids count from 1 within a document."""
    height, width = field.cells.shape
    image = {"id": len(document["images"]) + 1, "file_name": name, "height": height,
             "width": width}
    document["images"].append(image)
    for label, box in enumerate(ndimage.find_objects(field.cells), start=1):
        mask = field.cells[box] == label
        y, x = (s.start for s in box)
        document["annotations"].append({
            "id": len(document["annotations"]) + 1, "image_id": image["id"], "category_id": 1,
            "iscrowd": 0, "area": int(mask.sum()),
            "bbox": [x, y, mask.shape[1], mask.shape[0]],
            "segmentation": [outline(mask, y, x).ravel().tolist()]})


def outline(mask: np.ndarray, y: int, x: int) -> np.ndarray:
    """Vertices (n, 2) x, y of the one piece in mask (Y,X) bool, whose corner lies at (y, x).

    In COCO's coordinates a pixel's centre lies half a pixel from its corner.
    """
    contours = measure.find_contours(np.pad(mask, 1).astype(float), 0.5)
    longest = measure.approximate_polygon(max(contours, key=len), TOLERANCE_PX)[:-1]
    moved: np.ndarray = np.round(longest[:, ::-1] - 0.5 + (x, y), 2)
    return moved
