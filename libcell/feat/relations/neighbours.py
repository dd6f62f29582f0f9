"""Who is beside each object: CellProfiler's MeasureObjectNeighbors, objects of one kind.

`Adjacent`: neighbours share an edge of a pixel; `5`: a pixel of theirs is within 5 px.
PercentTouching is the part of the object's outline (8-connected, the rim of the image included)
that has a pixel of another object within half a pixel more than that distance. The closest
objects are those with the closest centroids, named by their label.

Where there is no such object, closest objects, distances and angle are NaN (CellProfiler: 0).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial import cKDTree

from libcell.feat.families import Column
from libcell.feat.relations import by_label
from libcell.feat.relations._contacts import contacts
from libcell.feat.relations._scene import Scene

NAME = "neighbours"
WINDOW = 2048  # px, side of the windows in which neighbours are looked for
DISTANCES = {"Adjacent": 1, "5": 5}
KINDS = (
    ("NumberOfNeighbors", "objects", "objects so near"),
    ("PercentTouching", "%", "part of the outline with another object so near"),
    ("FirstClosestObjectNumber", "label", "object with the closest centroid"),
    ("FirstClosestDistance", "px", "to its centroid"),
    ("SecondClosestObjectNumber", "label", "object with the second closest centroid"),
    ("SecondClosestDistance", "px", "to its centroid"),
    ("AngleBetweenNeighbors", "degrees", "between the directions to these two"),
)


def columns(channels: Sequence[str], others: Sequence[str]) -> list[Column]:
    """Every feature with its unit and meaning."""
    return [Column(f"Neighbors_{kind}_{scale}", unit, meaning)
            for scale in DISTANCES for kind, unit, meaning in KINDS]


def measure(scene: Scene) -> dict[str, np.ndarray]:
    """Features of every object of the scene."""
    labels, places = _centroids(scene)
    closest = _closest(labels, places)
    found: dict[str, np.ndarray] = {}
    for scale, distance in DISTANCES.items():
        number, touching = _near(scene, labels, distance)
        values = {"NumberOfNeighbors": number, "PercentTouching": touching} | closest
        found |= {f"Neighbors_{kind}_{scale}": values[kind] for kind, _, _ in KINDS}
    return found


def _centroids(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,), ascending, and centroids (n,2), px."""
    labels, places = [], []
    for part in scene.parts():
        index = part.index
        labels.append(index.labels)
        places.append(np.column_stack([index.each.mean(index.y) + part.window[0].start,
                                       index.each.mean(index.x) + part.window[1].start]))
    return np.sort(np.concatenate(labels)), by_label(labels, places)


def _closest(labels: np.ndarray, places: np.ndarray) -> dict[str, np.ndarray]:
    """The two closest centroids (n,): whose, how far, and the angle between them."""
    n = len(labels)
    near = np.full((n, 2), -1)
    if n > 1:
        _, order = cKDTree(places).query(places, k=min(n, 3))
        near[:, : min(n, 3) - 1] = _without_own(order)
    away = np.where(near[:, :, None] >= 0, places[near] - places[:, None], np.nan)
    distance = np.hypot(away[..., 0], away[..., 1])
    product = distance[:, 0] * distance[:, 1]
    cosine = np.divide((away[:, 0] * away[:, 1]).sum(axis=1), product, where=product > 0,
                       out=np.full(n, np.nan))
    number = np.where(near >= 0, labels[near] if n else near, np.nan)
    return {"FirstClosestObjectNumber": number[:, 0], "FirstClosestDistance": distance[:, 0],
            "SecondClosestObjectNumber": number[:, 1], "SecondClosestDistance": distance[:, 1],
            "AngleBetweenNeighbors": np.degrees(np.arccos(np.clip(cosine, -1, 1)))}


def _without_own(order: np.ndarray) -> np.ndarray:
    """Of each row (n,k) what is not its own number (n,k-1); objects may share a centroid."""
    own = order == np.arange(len(order))[:, None]
    own[~own.any(axis=1), -1] = True
    return order[~own].reshape(len(order), -1)


def _near(scene: Scene, labels: np.ndarray, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """NumberOfNeighbors and PercentTouching (n,)."""
    pairs = [np.zeros((0, 2), np.int64)]
    outline, touching = np.zeros(len(labels)), np.zeros(len(labels))
    for window, core in _windows(scene.shape, distance):
        numbers = _numbered(scene.labels(scene.compartment, *window), labels)
        origin = window[0].start, window[1].start
        found, drawn, near = contacts(
            numbers, len(labels), distance, core, origin, scene.shape)
        pairs.append(found)
        outline += drawn
        touching += near
    once = np.unique(np.concatenate(pairs), axis=0)
    number = np.bincount(once[:, 0], minlength=len(labels)).astype(np.float64)
    return number, touching * 100 / np.maximum(outline, 1)


def _windows(
    shape: tuple[int, int], distance: int
) -> Iterator[tuple[tuple[slice, slice], tuple[int, ...]]]:
    """Windows with a rim as wide as the distance, and their own part y0, x0, y1, x1 in them."""
    for y in range(0, shape[0], WINDOW):
        for x in range(0, shape[1], WINDOW):
            top, left = max(y - distance, 0), max(x - distance, 0)
            stop = min(y + WINDOW, shape[0]), min(x + WINDOW, shape[1])
            window = (slice(top, min(stop[0] + distance, shape[0])),
                      slice(left, min(stop[1] + distance, shape[1])))
            yield window, (y - top, x - left, stop[0] - top, stop[1] - left)


def _numbered(window: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """int32 (h,w): 0 for background, else 1 + the place of the label in `labels`, ascending."""
    found = np.zeros(window.shape, np.int32)
    some = window > 0
    found[some] = np.searchsorted(labels, window[some]) + 1
    return found
