"""Small COCO files and their pictures, and what pycocotools says that their masks are."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from pycocotools.coco import COCO

SQUARE = [4.0, 3.0, 12.5, 3.0, 12.5, 9.25, 4.0, 9.25]


def annotation(
    number: int, outline: Any = (SQUARE,), image: int = 1, **more: Any
) -> dict[str, Any]:
    """One object of image 1, a square unless told."""
    outline = list(outline) if isinstance(outline, tuple) else outline
    return {"id": number, "image_id": image, "category_id": 1, "bbox": [4.0, 3.0, 8.5, 6.25],
            "segmentation": outline, "iscrowd": 0, "area": 1.0} | more


def document(
    annotations: list[Any], images: list[str] | None = None, **more: Any
) -> dict[str, Any]:
    """A COCO file about images of 30 x 40 px."""
    listed = [{"id": i + 1, "file_name": name, "height": 30, "width": 40}
              for i, name in enumerate(images or ["a.png"])]
    return {"images": listed, "annotations": annotations,
            "categories": [{"id": 1, "name": "cell"}]} | more


def write(folder: Path, found: dict[str, Any], name: str = "coco.json", **kinds: Any) -> Path:
    """The document, and a random picture for each of its images; `kinds` are their modes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(found))
    for image in found["images"]:
        picture(folder / image["file_name"], kinds.get(Path(image["file_name"]).stem, "L"))
    return folder / name


def picture(path: Path, mode: str = "L", shape: tuple[int, int] = (30, 40)) -> np.ndarray:
    """A random picture: L, RGB, RGBA, P or I;16; returns what is in it."""
    random = np.random.default_rng(len(path.name))
    if mode == "I;16":
        pixels = random.integers(0, 60_000, shape).astype(np.uint16)
    else:
        depth = {"RGB": (3,), "RGBA": (4,)}.get(mode, ())
        pixels = random.integers(1, 255, (*shape, *depth)).astype(np.uint8)
    made = Pillow.fromarray(pixels)
    if mode == "P":
        made.putpalette([v for i in range(256) for v in (i, 255 - i, 7)])
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(path)
    return pixels


def truth(path: Path) -> COCO:
    """The document as pycocotools reads it."""
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))
