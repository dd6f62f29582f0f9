"""Which masks of a challenge folder become which label images and tracks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from libcell.data.image import About
from libcell.errors import DataError, MissingInput, UsageFault
from libcell.extract.challenge import stack
from libcell.extract.challenge.folder import SOURCES, Part, Sequence

MARKERS = "markers"  # TRA's masks where the cells' own are others
PREDICTED = "predicted"  # a result's masks beside the truth's


@dataclass(frozen=True)
class Layer:
    """One label image: its compartment, whence its masks are, and the track store it is for."""

    compartment: str
    source: str
    tracks: str | None


def choose(
    root: Path, sequences: list[Sequence], labels: str, compartment: str, results: bool
) -> list[Layer]:
    """The label images that all sequences have; none where there are no masks.

    Tracks lead to the masks that they were drawn on. So TRA's masks are always there, as
    `markers` where others are the cells; those of `results`, where wanted, as `predicted`.
    """
    there = [s for s in SOURCES if all(s in q.masks for q in sequences)]
    if labels != "auto" and labels not in there:
        lacking = next(q for q in sequences if labels not in q.masks)
        raise MissingInput(f"{root / lacking.name}{SOURCES[labels][0]}: holds no masks; "
                           f"there are {', '.join(there) or 'none'} (see --labels)")
    if not there:
        return []
    chosen = there[0] if labels == "auto" else labels
    text = all(q.masks[chosen].text for q in sequences)
    tracks = {"tra": "true.tracks", "res": "predicted.tracks" if text else None}
    made = [Layer(compartment, chosen, tracks.get(chosen))]
    if chosen != "tra" and "tra" in there:
        if compartment == MARKERS:
            raise UsageFault(f"--compartment: {MARKERS} are the masks of TRA; name another")
        made.append(Layer(MARKERS, "tra", tracks["tra"]))
    return made + (_results(root, sequences, made) if results else [])


def _results(root: Path, sequences: list[Sequence], made: list[Layer]) -> list[Layer]:
    """The layer of a tracker's result, unless it is there already."""
    if any(k.source == "res" for k in made):
        return []
    for one in sequences:
        if "res" not in one.masks or not one.masks["res"].text:
            what = "res_track.txt" if "res" in one.masks else "masks"
            raise MissingInput(f"{root / one.name}{SOURCES['res'][0]}: holds no {what} (--results)")
    if any(k.compartment == PREDICTED for k in made):
        raise UsageFault(f"--compartment: {PREDICTED} are the masks of the result; name another")
    return [Layer(PREDICTED, "res", "predicted.tracks")]


def describe(
    sequence: Sequence, layers: list[Layer], group: str,
    pixel_size_um: tuple[float, float, float] | None,
) -> About:
    """What the sequence's image will be; the headers of all its files are read.

    DataError names a file of another size or dtype than the first frame.
    """
    first = sequence.images[sequence.first]
    shape, dtype = stack.measure(first)
    if dtype.kind not in "uif":
        raise DataError(f"{first}: is {dtype}; images hold numbers")
    for path in sequence.images.values():
        found = stack.measure(path)
        if found != (shape, dtype):
            raise DataError(f"{path}: is {_size(found[0])} {found[1]}, but {first} is "
                            f"{_size(shape)} {dtype}")
    for layer in layers:
        for parts in sequence.masks[layer.source].files.values():
            _require_fit(parts, shape, first)
    frames = len(sequence.images)
    return About(where=str(first.parent), group=group, name=sequence.name,
                 shape=(frames, 1, *shape), dtype=dtype, channels=("1",),
                 pixel_size_um=pixel_size_um)


def _require_fit(parts: list[Part], shape: stack.Shape, image: Path) -> None:
    """DataError unless the masks of a frame are whole numbers of the image's size."""
    for plane, path in parts:
        found, dtype = stack.measure(path)
        wanted = shape if plane is None else (1, *shape[1:])
        if found != wanted:
            raise DataError(f"{path}: is {_size(found)}, but {image} is {_size(shape)}")
        if plane is not None and plane >= shape[0]:
            raise DataError(f"{path}: is of plane {plane}, but {image} has {shape[0]}")
        if np.dtype(dtype).kind not in "ui":
            raise DataError(f"{path}: is {dtype}; labels are whole numbers")


def _size(shape: stack.Shape) -> str:
    z, y, x = shape
    return f"{z} x {y} x {x}" if z > 1 else f"{y} x {x}"
