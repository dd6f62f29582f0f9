"""Label sequences with known tracks: moving, dividing disks and the bacteria colony."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tifffile

from libcell.track.kernels.builder import track_frames
from libcell.track.kernels.tracks import Tracks

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("LIBCELL_TEST_DATA", ROOT.parent / "shared" / "data"))


@cache
def bacteria(folder="01_GT/TRA", first=0, last=40):
    """Label frames and tracks of the colony, in the Cell Tracking Challenge's layout."""
    place = DATA / "bacteria_trpL" / folder
    if not place.exists():
        pytest.skip(f"{place} is absent; set LIBCELL_TEST_DATA")
    table = np.loadtxt(next(place.glob("*track.txt")), dtype=np.int64)
    frames = [tifffile.imread(p) for p in sorted(place.glob("*.tif"))[first : last + 1]]
    return frames, as_tracks(frames, dict(zip(table[:, 0].tolist(), table[:, 3].tolist())))


def as_tracks(frames, parents):
    """Tracks of frames in which the label is the track id."""
    ids = [np.unique(f[f > 0]).astype(np.int64) for f in frames]
    t = np.repeat(np.arange(len(frames)), [i.size for i in ids])
    labels = np.concatenate([np.zeros(0, np.int64), *ids])
    seen = set(labels.tolist())
    up = [parents.get(k, 0) for k in labels.tolist()]
    return Tracks(t, labels, labels, np.array([p if p in seen else 0 for p in up], np.int64))


def shuffled(frames, seed=0):
    """The same masks under ids that mean nothing."""
    rng = np.random.default_rng(seed)
    out = []
    for frame in frames:
        ids = np.unique(frame[frame > 0])
        table = np.zeros(int(frame.max()) + 1, np.int64)
        table[ids] = rng.choice(np.arange(1, 3 * ids.size + 1), ids.size, replace=False)
        out.append(table[frame])
    return out


def tracked(frames, **options):
    rows = list(track_frames(frames, **options))
    columns = ("t", "label", "track_id", "parent_track_id")
    return Tracks(*(np.concatenate([r[c] for r in rows]) for c in columns))


def disks(n=12, size=400, division_every=6, seed=0, drift=(0.0, 0.0)):
    """Label frames (labels are track ids) and tracks: disks that wander and divide in two."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(60, size - 50, 90)] * 2), -1).reshape(-1, 2)
    # track id -> centre, half axis (y, x) of an ellipse
    cells = {k + 1: (c.astype(float), np.array([14.0, 14.0])) for k, c in enumerate(grid)}
    frames, parents = [], {}
    for t in range(n):
        frames.append(_draw(cells, size))
        moved = {k: (c + rng.normal(0, 1, 2) + drift, r) for k, (c, r) in cells.items()}
        cells = {}
        for k, (centre, radius) in moved.items():
            if radius[0] > 10 and (t + k) % division_every == 0:
                for side in (-1, 1):
                    new = len(parents) + grid.shape[0] + 1
                    parents[new] = k
                    cells[new] = (centre + np.array([0, 10 * side]), np.array([9.5, 9.5]))
            else:
                cells[k] = (centre, radius)
    return frames, as_tracks(frames, parents)


def _draw(cells, size):
    y, x = np.mgrid[:size, :size]
    frame = np.zeros((size, size), np.uint16)
    for k, (centre, radius) in cells.items():
        inside = ((y - centre[0]) / radius[0]) ** 2 + ((x - centre[1]) / radius[1]) ** 2 < 1
        frame[inside] = k
    return frame
