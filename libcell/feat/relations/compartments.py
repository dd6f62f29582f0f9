"""How objects of one label image lie in those of another: nuclei in cells, cells with nuclei.

For every other label image that is measured in the same run, under its name: the object there
that shares the most pixels (Parent, its label, 0 for none; of equals the smaller label), the
number of objects there whose own parent this one is (Children), as CellProfiler's RelateObjects
counts them; the distance to the parent's centroid; and, over the parent's, the area and the mean
of each channel, which is how much of a stain is in the nucleus where the other is the cytoplasm.

Two label images that share no pixel, as nuclei and cytoplasm, are related by a third one: by the
cell in which both lie.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from libcell.feat.families import Column, ObjectIndex
from libcell.feat.relations._scene import Scene

NAME = "compartments"
WINDOW = 2048  # px, side of the windows that are read at once


class Overlaps(NamedTuple):
    """Pairs of labels (m,) of two label images that share pixels, ascending, and how many."""

    own: np.ndarray
    other: np.ndarray
    shared: np.ndarray

    def turned(self) -> "Overlaps":
        return Overlaps(self.other, self.own, self.shared)


class Objects(NamedTuple):
    """labels (n,) ascending, area (n,) px², centroid (n,2) px, mean of each channel (n,c)."""

    labels: np.ndarray
    area: np.ndarray
    centroid: np.ndarray
    means: np.ndarray


def columns(channels: Sequence[str], others: Sequence[str]) -> list[Column]:
    """Every feature with its unit and meaning."""
    return [c for other in map(_title, others) for c in (
        Column(f"Parent_{other}", "label", "object that shares the most pixels; 0: none"),
        Column(f"Children_{other}_Count", "objects", "objects whose parent this one is"),
        Column(f"Distance_Centroid_{other}", "px", "to the parent's centroid"),
        Column(f"Relation_AreaRatio_{other}", "1", "area / the parent's area"),
        *(Column(f"Relation_MeanIntensityRatio_{other}_{channel}", "1", "mean / the parent's mean")
          for channel in channels))]


def _title(compartment: str) -> str:
    return compartment[0].upper() + compartment[1:]


def measure(scene: Scene) -> dict[str, np.ndarray]:
    """Features of every object of the scene for every other compartment."""
    found: dict[str, np.ndarray] = {}
    own = _objects(scene, scene.compartment) if scene.others else None
    for other in scene.others:
        assert own
        there, name = _objects(scene, other), _title(other)
        shared = _related(scene, other)
        parent = _largest(own.labels, shared)
        theirs = np.sort(_largest(there.labels, shared.turned()))
        children = np.diff(np.searchsorted(theirs, np.stack([own.labels, own.labels + 1])), axis=0)
        found |= {f"Parent_{name}": parent.astype(np.float64),
                  f"Children_{name}_Count": children[0].astype(np.float64)}
        found |= _beside(own, there, parent, scene.channels, name)
    return found


def _beside(
    own: Objects, there: Objects, parent: np.ndarray, channels: Sequence[str], name: str
) -> dict[str, np.ndarray]:
    """Distance of the centroids, area and means over the parent's; NaN without a parent."""
    some = parent > 0
    at = np.searchsorted(there.labels, parent[some])
    away = np.hypot(*(own.centroid[some] - there.centroid[at]).T)
    found = {f"Distance_Centroid_{name}": away,
             f"Relation_AreaRatio_{name}": own.area[some] / there.area[at]}
    for c, channel in enumerate(channels):
        whole = there.means[at, c]
        found[f"Relation_MeanIntensityRatio_{name}_{channel}"] = np.divide(
            own.means[some, c], whole, where=whole != 0, out=np.full(len(whole), np.nan))
    spread = {key: np.full(len(parent), np.nan) for key in found}
    for key, values in found.items():
        spread[key][some] = values
    return spread


def _largest(labels: np.ndarray, shared: Overlaps) -> np.ndarray:
    """Of each label (n,) the other one that it shares the most with, 0 where there is none."""
    order = np.lexsort((shared.other, -shared.shared, shared.own))
    own, first = np.unique(shared.own[order], return_index=True)
    found = np.zeros(len(labels), np.int64)
    found[np.searchsorted(labels, own)] = shared.other[order][first]
    return found


def _related(scene: Scene, other: str) -> Overlaps:
    """Overlaps with another compartment; where there is none at all, by way of a third one."""
    found = _overlaps(scene, scene.compartment, other)
    for third in scene.others:
        if third == other or len(found.own):
            continue
        ours, theirs = (_overlaps(scene, c, third) for c in (scene.compartment, other))
        found = _by_way_of(ours, theirs)
    return found


def _by_way_of(ours: Overlaps, theirs: Overlaps) -> Overlaps:
    """Pairs of which both share most with the same third object; sizes are those of the smaller
    share with it."""
    own, other = np.unique(ours.own), np.unique(theirs.own)
    ours_in, theirs_in = _largest(own, ours), _largest(other, theirs)
    order = np.argsort(theirs_in, kind="stable")
    first, stop = (np.searchsorted(theirs_in[order], ours_in, side) for side in ("left", "right"))
    count = stop - first
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
    ours_most, theirs_most = (np.maximum.reduceat(s.shared, np.searchsorted(s.own, keys))
                              if len(keys) else s.shared
                              for s, keys in ((ours, own), (theirs, other)))
    return Overlaps(np.repeat(own, count), other[order][place],
                    np.minimum(np.repeat(ours_most, count), theirs_most[order][place]))


def _windows(shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    for y in range(0, shape[0], WINDOW):
        for x in range(0, shape[1], WINDOW):
            yield slice(y, min(y + WINDOW, shape[0])), slice(x, min(x + WINDOW, shape[1]))


def _objects(scene: Scene, compartment: str) -> Objects:
    """What each object of a compartment is, from sums over the windows."""
    labels, sums = [np.zeros(0, np.int64)], [np.zeros((0, 3 + len(scene.channels)))]
    for window in _windows(scene.shape):
        index = ObjectIndex.of(scene.labels(compartment, *window))
        each = index.each
        labels.append(index.labels)
        sums.append(np.column_stack([
            each.counts, each.sum(index.y + window[0].start), each.sum(index.x + window[1].start),
            *(each.sum(index.values(scene.pixels(c, *window))) for c in scene.channels)]))
    every, place = np.unique(np.concatenate(labels), return_inverse=True)
    total = np.zeros((len(every), sums[0].shape[1]))
    np.add.at(total, place, np.concatenate(sums))
    mean = total[:, 1:] / total[:, :1]
    return Objects(every, total[:, 0], mean[:, :2], mean[:, 2:])


def _overlaps(scene: Scene, compartment: str, other: str) -> Overlaps:
    """The shared pixels of every pair, window by window and added up."""
    pairs, counts = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)]
    for window in _windows(scene.shape):
        index = ObjectIndex.of(scene.labels(compartment, *window))
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
