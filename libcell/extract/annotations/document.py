"""COCO files, read so that 200 MB of outlines cost a second and no more memory than themselves.

Outlines and boxes stay JSON text in the file: `Entries` says where each lies, and whoever needs
them reads them there (`gather`). Format: https://cocodataset.org/#format-data
"""

import json
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from libcell.errors import DataError, MissingInput

Id = int | str
NONE = msgspec.Raw(b"null")
SCATTERED = 4  # bytes read, of those wanted, before each is fetched alone


class ImageEntry(msgspec.Struct):
    """One image: its name, and its size in px where the file tells it."""

    id: Id
    file_name: str
    height: int | None = None
    width: int | None = None


class CategoryEntry(msgspec.Struct):
    id: Id
    name: str


class _Annotation(msgspec.Struct, gc=False):
    image_id: Id
    id: Id | None = None
    category_id: Id | None = None
    bbox: msgspec.Raw = NONE
    segmentation: msgspec.Raw = NONE
    iscrowd: bool | int | None = 0


class _Whole(msgspec.Struct):
    images: list[ImageEntry]
    annotations: list[_Annotation] | dict[str, _Annotation]  # LIVECell's subsets have a dict
    categories: list[CategoryEntry] = []


@dataclass(frozen=True)
class Entries:
    """The annotations of a document, one row each, in the file's order.

    `image` and `category` (n,) int32 are positions in the document's lists, -1 where there is no
    such image or category; `outlines` and `boxes` (n,2) int64: first byte and length of each in
    the document's `text`, 0 where there is none; `ids` (n,) int64, or objects that are text.
    """

    ids: np.ndarray
    image: np.ndarray
    category: np.ndarray
    crowd: np.ndarray
    outlines: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True)
class Document:
    """A COCO file. `text` holds the outlines: the file itself, or a mended copy of its outlines.

    `odd` are entries that are no annotations: (item, reason).
    """

    path: Path
    text: Path | bytes
    images: list[ImageEntry]
    categories: list[CategoryEntry]
    entries: Entries
    odd: list[tuple[str, str]]


def load(path: Path) -> Document:
    """Read a COCO file. MissingInput, or DataError where it is no COCO or no JSON at all."""
    if not path.is_file():
        raise MissingInput(f"{path}: not found")
    if not path.stat().st_size:
        raise DataError(f"{path}: is empty (0 bytes); expected COCO annotations (JSON)")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        try:
            with memoryview(text) as view:
                return _quick(path, view)
        except (msgspec.MsgspecError, RecursionError):
            content = text[:]
    return _patient(path, content)


def _quick(path: Path, text: memoryview) -> Document:
    """A file in which every entry is as it should be."""
    whole = msgspec.json.decode(text, type=_Whole, strict=False)
    base = _address(text)
    entries = _entries(path, whole, lambda raw: _address(raw) - base)
    return Document(path, path, whole.images, whole.categories, entries, [])


def _address(buffer: Any) -> int:
    """Where a buffer's first byte is in memory (numpy tells, too, ten times as slowly)."""
    return int(pa.py_buffer(buffer).address)


def _entries(path: Path, whole: _Whole, place: Callable[[Any], int]) -> Entries:
    listed = whole.annotations
    found = list(listed.values()) if isinstance(listed, dict) else listed
    images = _positions(path, "image", [i.id for i in whole.images])
    categories = _positions(path, "category", [c.id for c in whole.categories])
    n = len(found)
    every = [i if a.id is None else a.id for i, a in enumerate(found)]
    whole_numbers = all(type(one) is int for one in every)

    def spans(raws: Iterator[Any]) -> np.ndarray:
        flat = (value for raw in raws for value in _span(raw, place))
        return np.fromiter(flat, np.int64, 2 * n).reshape(n, 2)

    return Entries(
        ids=np.array(every, np.int64) if whole_numbers else np.array(list(map(str, every)), object),
        image=np.fromiter((images.get(a.image_id, -1) for a in found), np.int32, n),
        category=np.fromiter((categories.get(a.category_id, -1) for a in found), np.int32, n),
        crowd=np.fromiter((bool(a.iscrowd) for a in found), bool, n),
        outlines=spans(a.segmentation for a in found),
        boxes=spans(a.bbox for a in found),
    )


def _span(raw: Any, place: Callable[[Any], int]) -> tuple[int, int]:
    view = memoryview(raw)
    return (0, 0) if view == b"null" else (place(raw), len(view))


def _positions(path: Path, what: str, ids: list[Id]) -> dict[Id | None, int]:
    positions: dict[Id | None, int] = {}
    for i, one in enumerate(ids):
        if positions.setdefault(one, i) != i:
            raise DataError(f"{path}: {what} id {one} stands in it twice; give each its own id")
    return positions


def _patient(path: Path, content: bytes) -> Document:
    """Entry by entry, for a file that holds NaN, or entries that are no annotations."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON, or cut short ({error})") from error
    parts = found if isinstance(found, dict) else {}
    listed = [parts.get("images"), parts.get("annotations"), parts.get("categories") or []]
    if not all(isinstance(part, list | dict) for part in listed):
        raise DataError(f"{path}: not a COCO file; it needs lists `images` and `annotations`, and "
                        "`categories` must be one, too")
    images = [_convert(i, ImageEntry, f"{path}: image {k}") for k, i in _items(listed[0])]
    categories = [_convert(c, CategoryEntry, f"{path}: category {k}")
                  for k, c in _items(listed[2])]
    good: list[_Annotation] = []
    odd: list[tuple[str, str]] = []
    for key, entry in _items(listed[1]):
        try:
            one = _annotation(entry)
        except (DataError, TypeError) as error:
            odd.append((_name(entry, key), str(error)))
            continue
        one.id = key if one.id is None else one.id
        good.append(one)
    text = bytearray()

    def place(raw: Any) -> int:
        text.extend(memoryview(raw))
        return len(text) - len(memoryview(raw))

    entries = _entries(path, _Whole(images, good, categories), place)
    return Document(path, bytes(text), images, categories, entries, odd)


def _items(listed: Any) -> Iterator[tuple[str, Any]]:
    pairs = listed.items() if isinstance(listed, dict) else enumerate(listed)
    yield from ((str(key), value) for key, value in pairs)


def _annotation(entry: Any) -> _Annotation:
    if not isinstance(entry, dict):
        raise DataError("is not an annotation")
    rest = {k: v for k, v in entry.items() if k not in ("segmentation", "bbox")}
    made: _Annotation = _convert(rest, _Annotation, "is not an annotation")
    for name in ("segmentation", "bbox"):  # NaN becomes null inside
        setattr(made, name, msgspec.Raw(msgspec.json.encode(entry.get(name))))
    return made


def _convert(value: Any, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise DataError(f"{where}: {error}") from error


def _name(entry: Any, key: str) -> str:
    return str(entry.get("id", key)) if isinstance(entry, dict) else key


def gather(
    text: Path, outlines: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bytes (m,) uint8 that hold outlines and boxes, and where in them each lies (n,2).

    One read where they stand together in the file, as those of a picture mostly do.
    """
    spans = np.concatenate([outlines, boxes])
    starts, lengths = spans[:, 0], spans[:, 1]
    there = lengths > 0
    places, content = np.zeros_like(starts), b""
    if there.any():
        first, stop = int(starts[there].min()), int((starts + lengths)[there].max())
        with text.open("rb") as file:
            if stop - first <= SCATTERED * lengths.sum():
                file.seek(first)
                content, places = file.read(stop - first), np.where(there, starts - first, 0)
            else:
                content, places = b"".join(_parts(file, spans)), np.cumsum(lengths) - lengths
    moved = np.column_stack([places, lengths])
    return np.frombuffer(content, np.uint8), moved[: len(outlines)], moved[len(outlines) :]


def _parts(file: BinaryIO, spans: np.ndarray) -> Iterator[bytes]:
    for start, length in spans.tolist():
        file.seek(start)
        yield file.read(length)
