"""Sequences read frame by frame, and laid into a crop store."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import crops, readers, tables
from libcell.data.image import object_ids
from libcell.errors import DataError
from libcell.extract.kernels.centre import centred
from libcell.extract.series import folders
from libcell.extract.series.stages import LAYOUTS, Layout, read_stages, returned


def read_sequence(
    folder: Path, name: str, columns: dict[str, Any], layout: str, unlabelled: bool,
    stages: tuple[str, ...], after: int | None, compartment: str, target: Path,
) -> dict[str, Any]:
    """Check and read one sequence; leave its rows, pictures and masks as part files.

    Returns the number of frames, kind and size of the pictures, and how many masks are empty.
    DataError where frames, masks and stages do not belong together.
    """
    told = folders.stages_of(folder, layout)
    if told is None and not unlabelled:
        raise DataError(folders.missing(folder, layout))
    asked = told[0] if told else LAYOUTS.get(layout)
    listed = folders.frames(folder, asked)
    labels: list[str | None] = [None] * len(listed)
    if told:
        labels = _labels(folder, told, len(listed), stages, after)
    pixels, masks = _read(listed)
    tables.write_part(target, _rows(name, columns, compartment, masks, labels))
    np.save(target.with_suffix(".pixels.npy"), pixels)
    np.save(target.with_suffix(".masks.npy"), masks)
    return {"n": len(listed), "name": name, "part": target.name, "dtype": str(pixels.dtype),
            "shape": list(pixels.shape[1:]), "layout": told[0].name if told else None,
            "shared": bool(told and not told[1].name.startswith(folder.name)),
            "empty": int((~masks.any((1, 2))).sum())}


def _labels(
    folder: Path, told: tuple[Layout, Path], n: int, stages: tuple[str, ...], after: int | None,
) -> list[str | None]:
    """Name of each frame's stage. DataError unless there are `n`, and a name for each kind."""
    layout, path = told
    if after is not None and layout.name != "livecellminer":
        raise DataError(f"{folder}: --return-to-interphase is for LiveCellMiner's three stages; "
                        f"{path.name} is {layout.name}'s, whose six return by themselves")
    numbers = returned(read_stages(path, layout), after)
    if len(numbers) != n:
        raise DataError(f"{folder}: {n} frames, but {len(numbers)} stages in {path.name}")
    names = stages or layout.stages
    if len(names) != len(layout.stages):
        raise DataError(f"{folder}: --stages has {len(names)} names, {layout.name} "
                        f"{len(layout.stages)} stages")
    return [names[number - 1] for number in numbers]


def _read(listed: list[tuple[Path, Path]]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (T,C,Y,X) in their own dtype and masks (T,Y,X) bool of one sequence."""
    pictures = [_picture(p) for p, _ in listed]
    first = pictures[0]
    for made, (path, _) in zip(pictures, listed):
        if (made.shape, made.dtype) != (first.shape, first.dtype):
            raise DataError(f"{path}: {_kind(made)}, but {listed[0][0].name} is {_kind(first)}")
    masks = [_mask(p, first.shape[1:]) for _, p in listed]
    return np.stack(pictures), np.stack(masks)


def _picture(path: Path) -> np.ndarray:
    found = readers.open_file(path)[0]
    if found.about.shape[0] * found.about.shape[2] > 1:
        raise DataError(f"{path}: holds {found.about.shape[0]} frames and {found.about.shape[2]} "
                        "planes; a frame of a sequence is one picture")
    return np.stack([found.read(c=c)[0] for c in range(found.about.shape[1])])


def _mask(path: Path, size: tuple[int, ...]) -> np.ndarray:
    """(Y,X) bool, True where the mask is its one value above 0."""
    found = _picture(path)
    if found.shape[1:] != size:
        raise DataError(f"{path}: mask is {found.shape[1]} x {found.shape[2]} px, its picture "
                        f"{size[0]} x {size[1]}")
    flat = found.max(axis=0)
    values = np.unique(flat)
    if len(values[values != 0]) > 1:
        raise DataError(f"{path}: mask holds {len(values)} values, {values.min()} to "
                        f"{values.max()}; expected 0 and one other, the center cell")
    return flat != 0


def _kind(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[2]} px, {pixels.shape[0]} channels, {pixels.dtype}"


def _rows(
    name: str, columns: dict[str, Any], compartment: str, masks: np.ndarray,
    labels: list[str | None],
) -> pa.Table:
    """Table `objects`: frame k of a sequence is object 1 of frame k of the image `name`."""
    n, height, width = masks.shape
    y0, y1 = _extent(masks.any(axis=2))
    x0, x1 = _extent(masks.any(axis=1))
    area = masks.sum((1, 2))
    own = dict(columns)
    keys = {k: pa.array([own.pop(k)] * n, pa.string())
            for k in ("Metadata_Plate", "Metadata_Well", "Metadata_Site")}
    return tables.from_columns("objects", {
        "object_id": [object_ids(name, t, compartment, [1])[0] for t in range(n)],
        **keys,
        "Metadata_Image": [name] * n,
        "Metadata_T": np.arange(n, dtype=np.int32),
        "Metadata_Label": np.ones(n, np.uint32),
        "Metadata_Compartment": [compartment] * n,
        "y": _centre(masks.sum(2), area), "x": _centre(masks.sum(1), area),
        "y0": y0, "x0": x0, "y1": y1, "x1": x1, "area_px": area,
        "touches_border": (area > 0) & ((y0 == 0) | (x0 == 0) | (y1 == height) | (x1 == width)),
        "Metadata_Sequence": [name] * n,
        "Metadata_Stage": pa.array(labels, pa.string()),
        **{k: [v] * n for k, v in own.items()},
    })


def _extent(inside: Any) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last True of each row (n,L), int32; the whole where none is."""
    length = inside.shape[1]
    some = inside.any(1)
    first = np.where(some, inside.argmax(1), 0)
    last = np.where(some, length - inside[:, ::-1].argmax(1), length)
    return first.astype(np.int32), last.astype(np.int32)


def _centre(counts: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Mean position of counts (n,L); the middle where there are none."""
    length = counts.shape[1]
    total = counts @ np.arange(length)
    return np.where(area > 0, total / np.maximum(area, 1), (length - 1) / 2)


def fill_shard(
    root: Path, start: int, pieces: list[tuple[Path, int, int]], size: tuple[int, int]
) -> dict[str, int]:
    """Rows of part files (file, first row, one past the last) as one whole shard."""
    pixels, masks = [], []
    for part, first, last in pieces:
        some = (np.load(part.with_suffix(f".{kind}.npy"), mmap_mode="r")[first:last]
                for kind in ("pixels", "masks"))
        for picture, mask in zip(*some):
            pixels.append(centred(picture, size))
            masks.append(centred(mask[None], size)[0])
    crops.write_shard(root, start, np.stack(pixels), np.stack(masks))
    return {"n": len(pixels)}
