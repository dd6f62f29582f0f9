"""A simulated film of dividing cells with tracks, lineage and cell-cycle stages as truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from libcell.errors import UsageFault
from libcell.simulate.cells import Cell
from libcell.simulate.field import PIXEL_SIZE_UM, Columns
from libcell.simulate.labels import relabel
from libcell.simulate.lineage import Culture, Track
from libcell.simulate.optics import Optics
from libcell.simulate.render import channels_of, render
from libcell.simulate.seeds import Key, generator

FILM = {"fluorescence": ("DNA",), "phase": ("Phase",)}
TRACK_TYPES = {"track_id": np.int64, "parent_track_id": np.int64, "t": np.int32, "y": float,
               "x": float, "label": np.uint32, "stage": str}
DIVISION_TYPES = {"parent_track_id": np.int64, "daughter1_track_id": np.int64,
                  "daughter2_track_id": np.int64, "t": np.int32}


@dataclass(frozen=True)
class Timelapse:
    """A simulated film: image (T,C,Y,X) uint16; nuclei and cells (T,Y,X) uint32, the same ids.

    Labels are 1..n in each frame, in an order of their own: they say nothing about the next.

    tracks, one row per cell and frame, by track and time: track_id, parent_track_id (0:
    none), t (frame), y, x (px, the nucleus' centre), label, stage. divisions:
    parent_track_id, daughter1_track_id, daughter2_track_id, t (the daughters' first frame,
    one after the parent's last).

    In anaphase the two masses still are one nucleus, whose label holds the gap between them;
    the daughters' tracks begin with telophase.
    """

    image: np.ndarray
    channels: tuple[str, ...]
    nuclei: np.ndarray
    cells: np.ndarray
    tracks: Columns
    divisions: Columns
    minutes_per_frame: float
    pixel_size_um: float = PIXEL_SIZE_UM


def simulate_timelapse(
    seed: int,
    frames: int = 24,
    shape: tuple[int, int] = (256, 256),
    n_cells: int = 12,
    contrast: str = "fluorescence",
    *,
    channels: Sequence[str] | None = None,
    cycle_frames: int = 36,
    speed_px: float = 1.3,
    minutes_per_frame: float = 10.0,
    optics: Optics | None = None,
    key: Key = (),
) -> Timelapse:
    """A film (simulated) that begins with `n_cells` cells, evenly spread over the cell cycle.

    contrast: `fluorescence` (DNA, as of a tagged histone) or `phase` (Phase); `channels` may
    ask for both. cycle_frames: mean frames from birth to division, of which mitosis takes 9.
    speed_px: r.m.s. step per frame and axis. key: names this film among others.
    UsageFault if the cells outgrow the field.
    """
    names = channels_of(contrast, channels if channels is not None else FILM.get(contrast))
    if frames < 1:
        raise UsageFault(f"frames: one or more, not {frames}")
    here: Key = (seed, "timelapse", *key)
    image = np.empty((frames, len(names), *shape), np.uint16)
    nuclei, bodies = np.empty((2, frames, *shape), np.uint32)
    rows: list[tuple[object, ...]] = []
    culture = Culture(here, shape, n_cells, cycle_frames, speed_px)
    for t, living in enumerate(culture.frames(frames)):
        looks = [track.look() for track in living]
        ids = generator((*here, "ids", t)).permutation(len(living)) + 1
        image[t], *labels = render(looks, shape, names, optics or Optics(), (*here, t))
        _check_room(labels[0], len(living), t)
        nuclei[t], bodies[t] = (relabel(x, ids) for x in labels)
        rows += [_row(track, cell, t, int(label)) for track, cell, label in
                 zip(living, looks, ids)]
    rows.sort(key=lambda row: (row[0], row[2]))
    tracks = _columns(rows, TRACK_TYPES)
    return Timelapse(image, names, nuclei, bodies, tracks, divisions_of(tracks),
                     minutes_per_frame)


def _row(track: Track, cell: Cell, t: int, label: int) -> tuple[object, ...]:
    return track.id, track.parent, t, cell.y, cell.x, label, track.now.stage


def _check_room(nuclei: np.ndarray, n: int, t: int) -> None:
    if (np.bincount(nuclei.ravel(), minlength=n + 1)[1:] == 0).any():
        height, width = nuclei.shape
        raise UsageFault(f"frame {t}: {n} cells do not fit into {height} x {width} px; ask for "
                         "fewer cells, fewer frames or a larger field")


def _columns(rows: Sequence[tuple[object, ...]], types: Mapping[str, type]) -> Columns:
    values = list(zip(*rows)) or [()] * len(types)
    return {name: np.array(v, dtype=kind) for (name, kind), v in zip(types.items(), values)}


def divisions_of(tracks: Columns) -> Columns:
    """The table of divisions that belongs to a table of tracks."""
    first: dict[int, tuple[int, int]] = {}
    for track, parent, t in zip(tracks["track_id"], tracks["parent_track_id"], tracks["t"]):
        first.setdefault(int(track), (int(parent), int(t)))
    pairs: dict[tuple[int, int], list[int]] = {}
    for track, (parent, t) in first.items():
        if parent:
            pairs.setdefault((parent, t), []).append(track)
    rows = [(parent, *daughters, t) for (parent, t), daughters in sorted(pairs.items())]
    return _columns(rows, DIVISION_TYPES)
