"""The movie with outlines, tails and divisions drawn on it, frame by frame."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from libcell.track.pictures.colours import PLAIN, WHITE

FLASH = 2  # frames, from the mother's last on, in which a division is marked
DIM = 0.75  # of white: the brightest grey of the image, so that lines stand out
EVEN = 2  # video wants even numbers of rows and columns


@dataclass(frozen=True)
class Scene:
    """What is drawn; rows are those of a table `links` of one field of view.

    t, label  (n,) int64
    places    (n, 2) float64: y, x in px of the movie
    before    (n,) int64: the row that each comes from, -1 for none
    splits    (n,) bool: it divides before the next frame
    index     (n,) uint8: colours
    shape     frames, rows, columns of the movie
    picture   (frame) -> (Y, X) 0..1, or None without images
    outlines  (frame) -> (Y, X) labels, or None without masks
    """

    t: np.ndarray
    label: np.ndarray
    places: np.ndarray
    before: np.ndarray
    splits: np.ndarray
    index: np.ndarray
    shape: tuple[int, int, int]
    picture: Callable[[int], np.ndarray] | None = None
    outlines: Callable[[int], np.ndarray] | None = None


def size_of(shape: tuple[int, int, int], longest: int) -> tuple[int, int]:
    """Rows and columns of the film: small movies are magnified up to four times."""
    _, height, width = shape
    scale = min(longest / max(height, width), 4.0)
    return (max(EVEN, round(height * scale / EVEN) * EVEN),
            max(EVEN, round(width * scale / EVEN) * EVEN))


def frames(scene: Scene, size: tuple[int, int], tail: int) -> Iterator[np.ndarray]:
    """(rows, columns) uint8 of every frame, places in the palette; holds one frame."""
    scale = size[0] / scene.shape[1], size[1] / scene.shape[2]
    places = (scene.places + 0.5) * scale
    order = np.argsort(scene.t, kind="stable")
    ends = np.searchsorted(scene.t[order], np.arange(scene.shape[0] + 1))
    for t in range(scene.shape[0]):
        rows = order[ends[t] : ends[t + 1]]
        canvas = _background(scene, t, size)
        if scene.outlines:
            _outline(canvas, scene, rows, _resized(scene.outlines(t), size))
        picture = Image.fromarray(canvas)
        draw = ImageDraw.Draw(picture)
        _tails(draw, scene, rows, places, tail)
        if not scene.outlines:
            _dots(draw, scene, rows, places)
        _divisions(draw, scene, order[ends[max(0, t - FLASH + 1)] : ends[t + 1]], places, t)
        draw.text((6, 4), f"{t}", fill=WHITE)
        yield np.asarray(picture)


def _background(scene: Scene, t: int, size: tuple[int, int]) -> np.ndarray:
    if not scene.picture:
        return np.zeros(size, np.uint8)
    grey = Image.fromarray(scene.picture(t).astype(np.float32)).resize(
        size[::-1], Image.Resampling.BOX if size[0] < scene.shape[1] else
        Image.Resampling.BILINEAR)
    return np.asarray(np.clip(np.asarray(grey), 0, 1) * WHITE * DIM).astype(np.uint8)


def _resized(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Nearest label for every pixel of the film, whatever their size."""
    y, x = (np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(np.int64)
            for n, m in zip(size, labels.shape))
    return labels[y[:, None], x]


def _outline(canvas: np.ndarray, scene: Scene, rows: np.ndarray, labels: np.ndarray) -> None:
    edge = np.zeros(labels.shape, bool)
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differ = labels[here] != labels[there]
        edge[here] |= differ
        edge[there] |= differ
    edge &= labels > 0
    known = rows[np.argsort(scene.label[rows])]
    names, colours = scene.label[known], scene.index[known]
    found = labels[edge].astype(np.int64)
    spot = np.minimum(np.searchsorted(names, found), max(0, names.size - 1))
    told = names[spot] == found if names.size else np.zeros(found.size, bool)
    canvas[edge] = np.where(told, colours[spot] if names.size else PLAIN, PLAIN)


def _tails(
    draw: ImageDraw.ImageDraw, scene: Scene, rows: np.ndarray, places: np.ndarray, tail: int
) -> None:
    now = rows
    for _ in range(tail):
        back = scene.before[now]
        now, back = now[back >= 0], back[back >= 0]
        for a, b in zip(now.tolist(), back.tolist()):
            draw.line([*places[a, ::-1], *places[b, ::-1]], fill=int(scene.index[a]), width=1)
        now = back


def _dots(
    draw: ImageDraw.ImageDraw, scene: Scene, rows: np.ndarray, places: np.ndarray
) -> None:
    for row in rows.tolist():
        y, x = places[row]
        draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=int(scene.index[row]))


def _divisions(
    draw: ImageDraw.ImageDraw, scene: Scene, rows: np.ndarray, places: np.ndarray, t: int
) -> None:
    """A ring around the mother in her last frame, a line between her daughters afterwards."""
    for row in rows[scene.splits[rows]].tolist():
        if scene.t[row] == t:
            y, x = places[row]
            draw.ellipse([x - 9, y - 9, x + 9, y + 9], outline=WHITE, width=2)
    born = rows[(scene.t[rows] == t) & (scene.before[rows] >= 0)]
    born = born[scene.splits[scene.before[born]]]
    sisters: dict[int, list[int]] = {}
    for row in born.tolist():
        sisters.setdefault(int(scene.before[row]), []).append(row)
    for daughters in sisters.values():
        draw.line([tuple(places[d, ::-1]) for d in daughters], fill=WHITE, width=3)
