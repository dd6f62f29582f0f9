"""The pixels of a field of view, and of the labels on it."""

from pathlib import Path

import numpy as np

from libcell.data import labels
from libcell.data import open as opening
from libcell.data.image import Image
from libcell.data.images import Source
from libcell.errors import DataError

COLOURED = 4  # channels that are drawn, each in a colour of its own


def field_of(path: Path, image: str) -> Source:
    """The field of view that tables call `image`; DataError, naming some, if there is none."""
    groups = opening.groups(path)
    if image in groups:
        return Source(path, image)
    if len(groups) == 1 and not groups[0]:
        return Source(path, groups[0])
    raise DataError(f"{path}: holds no field of view {image!r}; it has "
                    f"{', '.join(groups[:4])}{' ...' if len(groups) > 4 else ''}")


def pixels(source: Source, t: int, channels: tuple[str, ...]) -> tuple[np.ndarray, list[str]]:
    """(C,Y,X) of one frame, the brightest of all planes, and the channels' names; the first four
    where none is asked for. DataError for a frame or channel that there is not."""
    image: Image = opening.image(source)
    about = image.about
    if t >= about.shape[0]:
        raise DataError(f"{source.where}: has {about.shape[0]} frames; frame {t} is asked for")
    wanted = [about.channel(c) for c in channels] or range(min(COLOURED, about.shape[1]))
    made = np.stack([image.read(t=t, c=c).max(axis=0) for c in wanted])
    return made, [about.channels[c] for c in wanted]


def mask(path: Path, image: str, t: int, compartment: str, label: int) -> np.ndarray:
    """(Y,X) bool of one object, of all planes together; DataError if it is not there."""
    groups, there = labels.fields(path)
    if image not in groups and groups != [""]:
        raise DataError(f"{path}: holds no field of view {image!r}; it has {', '.join(groups[:4])}")
    if compartment not in there:
        raise DataError(f"{path}: holds no {compartment}; it has {', '.join(there)}")
    source = Source(path, image if image in groups else "")
    found = np.asarray((labels.read_frame(source, compartment, t) == label).any(axis=0))
    if not found.any():
        raise DataError(f"{source.where}: label {label} is not in frame {t} of {compartment}")
    return found


def box_of(found: np.ndarray) -> tuple[int, int, int, int]:
    """First row, first column, one past the last row and column of a mask that is not empty."""
    rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
