"""Cells that wander, grow, push each other aside and divide: truth, no pixels yet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import cos, pi, sin

import numpy as np

from libcell.simulate.cells import GAP_PX, Cell, draw_cell, place_cells, radii
from libcell.simulate.classes import CellClass
from libcell.simulate.cycle import PARTED, Moment, appear, moment, nuclear_radius
from libcell.simulate.seeds import Key, generator

CYCLING = CellClass("cycling", nucleus_px=7.0, cell_ratio=2.1, dna=0.7)
PERSISTENCE = 0.8  # share of the velocity that lasts to the next frame
PUSHES = 30        # rounds of mutual pushing per frame


@dataclass
class Track:
    """A cell from birth to division. `cell` is how it is at birth, without a place."""

    id: int
    parent: int            # 0: none
    cell: Cell
    rng: np.random.Generator
    cycle: int             # frames from birth to division
    age: int               # frames since birth
    angle: float           # of the nucleus, radians
    place: np.ndarray      # (2,) y, x in px
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))  # px per frame

    @property
    def now(self) -> Moment:
        """Its moment in the cell cycle."""
        return moment(self.age, self.cycle, born=self.parent > 0)

    def look(self) -> Cell:
        """The cell as it looks now, where it is now."""
        here = replace(self.cell, y=float(self.place[0]), x=float(self.place[1]))
        return appear(here, self.now, self.angle)


class Culture:
    """All living tracks of a field; `frames` steps through time."""

    def __init__(
        self, key: Key, shape: tuple[int, int], n_cells: int, cycle_frames: int, speed_px: float
    ):
        self._key, self._shape = key, shape
        self._cycle, self._speed = cycle_frames, speed_px
        self._born = 0
        self.tracks = [self._new(0, np.zeros(2)) for _ in range(n_cells)]
        self._settle(n_cells)

    def _new(self, parent: int, place: np.ndarray) -> Track:
        self._born += 1
        rng = generator((*self._key, "track", self._born))
        cycle = max(round(self._cycle * float(rng.normal(1, 0.1))), 12)
        cell = draw_cell(rng, CYCLING)
        return Track(self._born, parent, cell, rng, cycle, 0, cell.nucleus.angle, place)

    def _settle(self, n_cells: int) -> None:
        """Ages of the founders, spread evenly over the cycle, and their places."""
        rng = generator((*self._key, "founders"))
        ages = rng.permutation(n_cells) + rng.uniform(size=n_cells)
        for track, age in zip(self.tracks, ages):
            track.age = int(age / n_cells * track.cycle)
        looks = [t.look() for t in self.tracks]
        nuclei, _ = radii(looks)
        margin = float(nuclei.max(initial=0)) + 2
        for track, place in zip(self.tracks, place_cells(rng, looks, self._shape, margin)):
            track.place = place

    def frames(self, count: int) -> Iterator[list[Track]]:
        """The living tracks of each of `count` frames, by track id; step by step, in place."""
        for t in range(count):
            if t:
                self._step()
            yield sorted(self.tracks, key=lambda track: track.id)

    def _step(self) -> None:
        living: list[Track] = []
        for track in self.tracks:
            track.age += 1
            living += self._divide(track) if track.age >= track.cycle else [track]
        for track in living:
            self._wander(track)
        self.tracks = living
        self._push()

    def _divide(self, mother: Track) -> list[Track]:
        """Two daughters where the masses of anaphase were, with their mother's staining."""
        radius = nuclear_radius(mother.cell, 1.0)
        away = (PARTED + 0.15) * radius * np.array([cos(mother.angle), -sin(mother.angle)])
        pair = [self._new(mother.id, mother.place + sign * away) for sign in (-1, 1)]
        for daughter in pair:
            daughter.cell = replace(daughter.cell, levels=mother.cell.levels)
            daughter.angle = mother.angle + float(daughter.rng.normal(0, 0.15))
            daughter.velocity = 0.06 * (daughter.place - mother.place)
        return pair

    def _wander(self, track: Track) -> None:
        """A persistent random walk; a cell in mitosis stays where it is."""
        calm = 1.0 if track.now.stage == "interphase" else 0.25
        kick = track.rng.normal(0, self._speed * (1 - PERSISTENCE**2) ** 0.5, 2)
        track.velocity = PERSISTENCE * track.velocity + kick
        track.place = track.place + calm * track.velocity
        track.angle = (track.angle + calm * float(track.rng.normal(0, 0.08))) % (2 * pi)

    def _push(self) -> None:
        """Cells shove each other aside, nuclei never overlap, all stay in view."""
        looks = [t.look() for t in self.tracks]
        places = np.array([t.place for t in self.tracks]).reshape(-1, 2)
        places = push_apart(places, looks, self._shape)
        for track, place in zip(self.tracks, places):
            track.place = place


def push_apart(
    places: np.ndarray, looks: Sequence[Cell], shape: tuple[int, int]
) -> np.ndarray:
    """Places (n, 2) y, x px after mutual pushing: gently between bodies, fully between nuclei."""
    nuclei, bodies = radii(looks)
    near = np.add.outer(bodies, bodies) * 0.8
    least = np.add.outer(nuclei, nuclei) + GAP_PX
    low = nuclei[:, None] + 2
    high = np.array(shape) - 1 - low
    for _ in range(PUSHES):
        gap = places[:, None] - places[None]
        distance = np.hypot(gap[..., 0], gap[..., 1]) + np.eye(len(looks))
        apart = 0.01 * np.clip(near - distance, 0, None) + 0.45 * np.clip(least - distance, 0, None)
        np.fill_diagonal(apart, 0)
        places = places + (gap / distance[..., None] * apart[..., None]).sum(axis=1)
        places = np.clip(places, low, high)
    return places
