"""From label images to run-length codes, the ones that pycocotools makes of each mask."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco

AT_ONCE = 200  # codes made in one call
BAND = 1024  # columns read at once
ReadColumns = Callable[[slice], np.ndarray]


@dataclass(frozen=True)
class Outline:
    """One object: its label, compressed run lengths, box x, y, width, height and area, in px."""

    label: int
    counts: str
    box: tuple[int, int, int, int]
    area: int


def outlines(read: ReadColumns, height: int, width: int) -> Iterator[Outline]:
    """Every object of a label image, by label; `read(x)` gives its columns (height, w)."""
    labels, starts, lengths = _runs(read, height, width)
    order = np.argsort(labels, kind="stable")  # runs of one object stay in their order
    labels, starts, lengths = labels[order], starts[order], lengths[order]
    labels, starts, lengths = _joined(labels, starts, lengths)
    first = np.flatnonzero(np.diff(labels, prepend=0))
    spans = list(zip(first.tolist(), [*first[1:].tolist(), len(labels)]))
    for k in range(0, len(spans), AT_ONCE):
        some = spans[k : k + AT_ONCE]
        counts = [_counts(starts[a:b], lengths[a:b], height * width) for a, b in some]
        codes = coco.frPyObjects([{"size": [height, width], "counts": c} for c in counts],
                                 height, width)
        for (a, b), code in zip(some, codes):
            yield Outline(int(labels[a]), code["counts"].decode(),
                          _box(starts[a:b], lengths[a:b], height), int(lengths[a:b].sum()))


def _runs(read: ReadColumns, height: int, width: int) -> tuple[np.ndarray, ...]:
    """Label, first pixel and length of every stretch of one label, columns first."""
    parts = []
    for x in range(0, width, BAND):
        flat = read(slice(x, min(x + BAND, width))).T.ravel()
        begins = np.flatnonzero(np.diff(flat, prepend=flat[:1])) if len(flat) else flat[:0]
        begins = np.concatenate([[0], begins[begins > 0]]).astype(np.int64)
        ends = np.append(begins[1:], len(flat))
        inside = flat[begins] > 0
        parts.append((flat[begins][inside].astype(np.int64), begins[inside] + x * height,
                      (ends - begins)[inside]))
    return tuple(np.concatenate([p[i] for p in parts]) for i in range(3))


def _joined(
    labels: np.ndarray, starts: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs that touch across two bands made one."""
    if not len(labels):
        return labels, starts, lengths
    touch = (labels[1:] == labels[:-1]) & (starts[1:] == (starts + lengths)[:-1])
    first = np.flatnonzero(np.concatenate([[True], ~touch]))
    return labels[first], starts[first], np.add.reduceat(lengths, first)


def _counts(starts: np.ndarray, lengths: np.ndarray, total: int) -> list[int]:
    """Background, object, background, ... as COCO counts; none at the end where nothing is."""
    ends = starts + lengths
    counts = np.empty(2 * len(starts) + 1, np.int64)
    counts[0:-1:2] = starts - np.concatenate([[0], ends[:-1]])
    counts[1::2] = lengths
    counts[-1] = total - ends[-1]
    whole: list[int] = counts.tolist()
    return whole if whole[-1] else whole[:-1]


def _box(starts: np.ndarray, lengths: np.ndarray, height: int) -> tuple[int, int, int, int]:
    """x, y, width, height. A run that goes on in the next column touches top and bottom."""
    y, x = starts % height, starts // height
    last = (starts + lengths - 1) // height
    leaves = bool((last > x).any())
    low, high = (0, height) if leaves else (int(y.min()), int((y + lengths).max()))
    return int(x.min()), low, int(last.max() - x.min() + 1), high - low
