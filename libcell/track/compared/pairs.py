"""Which objects of two trackings are the same: by their masks, by their labels or by place."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from libcell.data import labels
from libcell.data.images import Source
from libcell.errors import DataError
from libcell.track.kernels.frame import describe
from libcell.track.kernels.overlap import count_shared
from libcell.track.kernels.tracks import Tracks

SAME = 1.0  # px: objects of one label and frame that lie further apart are not the same


@dataclass(frozen=True)
class Found:
    """One field of view of both trackings, and which objects are the same.

    matches  (m, 3) int64: t, true label, found label
    seg      sum over true objects of the overlap (Jaccard) with the one that is it; None without
             masks
    """

    truth: Tracks
    result: Tracks
    matches: np.ndarray
    seg: float | None = None


def tracks_of(table: pa.Table) -> Tracks:
    """A table `links` of one field of view."""
    names = ("Metadata_T", "Metadata_Label", "track_id", "parent_track_id")
    return Tracks(*(table.column(n).to_numpy().astype(np.int64) for n in names))


def by_label(truth: pa.Table, result: pa.Table, where: str) -> np.ndarray:
    """Matches of trackings of one label image. DataError where the places do not agree."""
    ours, theirs = _places(truth), _places(result)
    shared = sorted(set(ours) & set(theirs))
    far = [k for k in shared if np.abs(ours[k] - theirs[k]).max() > SAME]
    if far or (not shared and ours and theirs):
        said = f"label {far[0][1]} of frame {far[0][0]} lies elsewhere" if far else (
            "no label is in both")
        raise DataError(f"{where}: not tracks of one label image ({said}); give --labels and "
                        "--truth-labels, or --max-distance")
    return np.array([(t, k, k) for t, k in shared], np.int64).reshape(-1, 3)


def _places(table: pa.Table) -> dict[tuple[int, int], np.ndarray]:
    """Place (y, x) by frame and label."""
    keys = zip(table.column("Metadata_T").to_pylist(), table.column("Metadata_Label").to_pylist())
    return dict(zip(keys, np.stack([table.column(a).to_numpy() for a in "yx"], axis=1)))


def by_place(truth: pa.Table, result: pa.Table, most: float) -> np.ndarray:
    """One-to-one matches within `most` px, frame by frame, the sum of distances least."""
    axes = [a for a in "zyx" if a in truth.column_names and a in result.column_names]
    sides = [(t.column("Metadata_T").to_numpy(), t.column("Metadata_Label").to_numpy(),
              np.stack([t.column(a).to_numpy() for a in axes], axis=1)) for t in (truth, result)]
    found = [np.zeros((0, 3), np.int64)]
    for t in np.intersect1d(sides[0][0], sides[1][0]):
        (ours, here), (theirs, there) = ((s[1][s[0] == t], s[2][s[0] == t]) for s in sides)
        far = cdist(here, there)
        i, j = linear_sum_assignment(np.where(far <= most, far - 2 * most, 0))
        near = far[i, j] <= most
        found.append(np.stack([np.full(near.sum(), t), ours[i[near]], theirs[j[near]]], axis=1))
    return np.concatenate(found)


def by_masks(
    truth: Path, result: Path, image: str, compartments: tuple[str | None, str | None]
) -> tuple[np.ndarray, float]:
    """Matches where a found mask covers more than half of a true one, and the sum for SEG.

    Holds two frames at a time.
    """
    sources = [Source(p, group_of(p, image)) for p in (truth, result)]
    names = [c or labels.compartments_at(s)[0] for c, s in zip(compartments, sources)]
    abouts = [labels.open_labels(s, n).about for s, n in zip(sources, names)]
    if abouts[0].shape != abouts[1].shape:
        raise DataError(f"{result}: labels are {abouts[1].shape} (T,C,Z,Y,X), the truth {truth} "
                        f"is {abouts[0].shape}; they must be the same field of view")
    found, seg = [np.zeros((0, 3), np.int64)], 0.0
    for t in range(abouts[0].shape[0]):
        a, b = (describe(labels.read_frame(s, n, t)) for s, n in zip(sources, names))
        i, j, shared = count_shared(a, b)
        most = 2 * shared > a.areas[i]
        i, j, shared = i[most], j[most], shared[most]
        found.append(np.stack([np.full(i.size, t), a.labels[i], b.labels[j]], axis=1))
        seg += float((shared / (a.areas[i] + b.areas[j] - shared)).sum())
    return np.concatenate(found), seg


def group_of(store: Path, image: str) -> str:
    """The group of a field of view: its name, or the one group that there is."""
    groups = labels.fields(store)[0]
    if image not in groups and len(groups) != 1:
        raise DataError(f"{store}: has no field of view {image!r}; it has {', '.join(groups[:3])}")
    return image if image in groups else groups[0]
