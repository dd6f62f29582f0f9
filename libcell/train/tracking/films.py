"""Fields of view with tracks: which image, which labels, which frames of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import labels, objects
from libcell.data import open as opening
from libcell.data.images import Source
from libcell.errors import DataError, UsageFault
from libcell.train.segmentation import pairs
from libcell.train.tracking.movies import Movie


@dataclass(frozen=True)
class Film:
    """One field of view: its image, its labels if there are any, its annotated tracks.

    frames   which of them; z_step x pixels from plane to plane; ndim 2 or 3
    """

    name: str
    image: Source
    truth: Source | None
    compartment: str
    tracks: Path
    frames: range
    z_step: float
    ndim: int

    @property
    def spacing(self) -> np.ndarray:
        """(ndim,) size of a voxel in x pixels."""
        return np.array([self.z_step, 1.0, 1.0])[3 - self.ndim :]


def of(paths: list[Path], options: Any) -> list[Film]:
    """Every field of view of the stores. DataError where image and labels do not fit, or some
    have planes and others not."""
    stores = [p for p in paths if pairs.is_labels(p)]
    found: list[tuple[Source, Source | None]] = []
    if stores:
        seen = set()
        for e in pairs.examples(paths):
            if e.truth not in seen:
                seen.add(e.truth)
                found.append((e.image, e.truth))
    else:
        found = [(Source(p, g), None) for p in paths for g in opening.groups(p)]
    if not found:
        raise DataError(f"{paths[0]}: holds no field of view")
    made = [_film(image, truth, options) for image, truth in found]
    if len({f.ndim for f in made}) > 1:
        raise DataError(f"{made[0].image.where}: some fields of view have planes and others not; "
                        "train on stacks or on planes (cell-extract images --project max)")
    return made


def _film(image: Source, truth: Source | None, options: Any) -> Film:
    about = opening.image(image).about
    compartment, name = "", str(about.keys["Metadata_Image"])
    if truth is not None:
        there = labels.compartments_at(truth)
        if options.compartment is None and len(there) > 1:
            raise DataError(f"{truth.where}: has {', '.join(there)}; say which (--compartment)")
        compartment = options.compartment or there[0]
        labels.require_fit(labels.open_labels(truth, compartment).about, about)
        name = str(objects.image_keys(truth)["Metadata_Image"])
    size = about.pixel_size_um or (1.0, 1.0, 1.0)
    z_step = options.z_step or (size[0] / size[2] if size[0] > 0 and size[2] > 0 else 1.0)
    return Film(name, image, truth, compartment, Path(options.tracks),
                frames_of(options.frames, about.shape[0], about.where), z_step,
                3 if about.shape[2] > 1 else 2)


def frames_of(text: str | None, count: int, where: str) -> range:
    """`first:end` of `count` frames, either of which may be left out. UsageFault unless there are
    two at least."""
    first, end = 0, count
    if text is not None:
        begin, colon, stop = text.partition(":")
        if not colon or not all(p == "" or p.isdigit() for p in (begin, stop)):
            raise UsageFault(f"--frames {text}: expected FIRST:END, e.g. 0:26")
        first, end = int(begin or 0), int(stop or count)
    if end > count or end - first < 2:
        raise UsageFault(f"--frames {first}:{end}: {where} has frames 0:{count}; two or more of "
                         "them are needed")
    return range(first, end)


def held_out(movies: list[Movie], share: float) -> list[tuple[int, int]]:
    """Steps (movie, row of the frame before) that judge: evenly spread, at least one stays."""
    found = []
    for number, movie in enumerate(movies):
        steps = len(movie.frames) - 1
        count = min(round(share * steps), steps - 1)
        found += [(number, int(t)) for t in np.linspace(0, steps - 1, count + 2)[1:-1].astype(int)]
    return found
