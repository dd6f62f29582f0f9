"""How objects of one label image lie in those of another: nuclei in cells, cells with nuclei.

For every other label image that is measured in the same run, under its name: the object there
that shares the most pixels (Parent, its label, 0 for none; of equals the smaller label), the
number of objects there whose own parent this one is (Children), as CellProfiler's RelateObjects
counts them; the distance to the parent's centroid; and the area over the parent's area, which is
the nuclear part of a cell for a nucleus.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from libcell.feat.families import Column, ObjectIndex
from libcell.feat.relations._scene import Scene

NAME = "compartments"
WINDOW = 4096  # px, side of the windows that are read at once


class Overlaps(NamedTuple):
    """Pairs of labels (m,) of two label images that share pixels, and how many."""

    own: np.ndarray
    other: np.ndarray
    shared: np.ndarray


class Objects(NamedTuple):
    """labels (n,) ascending, area (n,) px² and centroid (n,2) px."""

    labels: np.ndarray
    area: np.ndarray
    centroid: np.ndarray


def columns(channels: Sequence[str], others: Sequence[str]) -> list[Column]:
    """Every feature with its unit and meaning."""
    return [c for other in others for c in (
        Column(f"Parent_{_title(other)}", "label", "object that shares the most pixels; 0: none"),
        Column(f"Children_{_title(other)}_Count", "objects", "objects whose parent this one is"),
        Column(f"Distance_Centroid_{_title(other)}", "px", "to the parent's centroid"),
        Column(f"Relation_AreaRatio_{_title(other)}", "1", "area / the parent's area"))]


def _title(compartment: str) -> str:
    return compartment[0].upper() + compartment[1:]


def measure(scene: Scene) -> dict[str, np.ndarray]:
    """Features of every object of the scene for every other compartment."""
    found: dict[str, np.ndarray] = {}
    own = _objects(scene, scene.compartment) if scene.others else None
    for other in scene.others:
        assert own
        there = _objects(scene, other)
        shared = _overlaps(scene, other)
        parent = _largest(own.labels, shared)
        theirs = _largest(there.labels, Overlaps(shared.other, shared.own, shared.shared))
        children = np.searchsorted(np.sort(theirs), np.stack([own.labels, own.labels + 1]))
        area, away = _beside(own, there, parent)
        name = _title(other)
        found |= {f"Parent_{name}": parent.astype(np.float64),
                  f"Children_{name}_Count": (children[1] - children[0]).astype(np.float64),
                  f"Distance_Centroid_{name}": away, f"Relation_AreaRatio_{name}": area}
    return found


def _beside(own: Objects, there: Objects, parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area over the parent's, and distance of the centroids; NaN without a parent."""
    area, away = np.full(len(parent), np.nan), np.full(len(parent), np.nan)
    some = parent > 0
    at = np.searchsorted(there.labels, parent[some])
    area[some] = own.area[some] / there.area[at]
    away[some] = np.hypot(*(own.centroid[some] - there.centroid[at]).T)
    return area, away


def _largest(labels: np.ndarray, shared: Overlaps) -> np.ndarray:
    """Of each label (n,) the other one that it shares the most with, 0 where there is none."""
    order = np.lexsort((shared.other, -shared.shared, shared.own))
    own, first = np.unique(shared.own[order], return_index=True)
    found = np.zeros(len(labels), np.int64)
    found[np.searchsorted(labels, own)] = shared.other[order][first]
    return found


def _windows(shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    for y in range(0, shape[0], WINDOW):
        for x in range(0, shape[1], WINDOW):
            yield slice(y, min(y + WINDOW, shape[0])), slice(x, min(x + WINDOW, shape[1]))


def _objects(scene: Scene, compartment: str) -> Objects:
    """Area and centroid of every object of a compartment, from sums over the windows."""
    labels, sums = [np.zeros(0, np.int64)], [np.zeros((0, 3))]
    for window in _windows(scene.shape):
        index = ObjectIndex.of(scene.labels(compartment, *window))
        each = index.each
        labels.append(index.labels)
        sums.append(np.column_stack([each.counts, each.sum(index.y + window[0].start),
                                     each.sum(index.x + window[1].start)]))
    every, place = np.unique(np.concatenate(labels), return_inverse=True)
    total = np.zeros((len(every), 3))
    np.add.at(total, place, np.concatenate(sums))
    return Objects(every, total[:, 0], total[:, 1:] / total[:, :1])


def _overlaps(scene: Scene, other: str) -> Overlaps:
    """The shared pixels of every pair, window by window and added up."""
    pairs, counts = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)]
    for window in _windows(scene.shape):
        index = ObjectIndex.of(scene.labels(scene.compartment, *window))
        beneath = scene.labels(other, *window).ravel()[index.pixels].astype(np.int64)
        own = index.each.spread(index.labels)
        both = np.column_stack([own, beneath])[beneath > 0]
        # most pixels have the pair of the pixel before them: runs first, then what differs
        new = np.flatnonzero((np.diff(both, axis=0, prepend=-1) != 0).any(axis=1))
        pairs.append(both[new])
        counts.append(np.diff(new, append=len(both)))
    every, place = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    shared = np.bincount(place.ravel(), np.concatenate(counts), minlength=len(every))
    return Overlaps(every[:, 0], every[:, 1], shared)
