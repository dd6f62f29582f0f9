"""The pixels of annotated pictures, brought to one kind."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from libcell.data import readers
from libcell.data.readers.samples import LUMA, sample_names
from libcell.errors import DataError

Kind = tuple[int, str]  # channels, dtype


def decode_picture(path: Path) -> np.ndarray:
    """All pixels (C,Y,X) of a flat picture, native dtype. DataError if it has frames or planes."""
    found = readers.open_file(path)
    if len(found) != 1 or found[0].about.shape[0] > 1 or found[0].about.shape[2] > 1:
        raise DataError(f"image of several frames, planes or scenes: {path.name}")
    planes = [found[0].read(c=c) for c in range(found[0].about.shape[1])]
    return planes[0] if len(planes) == 1 else np.concatenate(planes)


def common_kind(kinds: Iterable[Kind], grey: bool) -> Kind:
    """Channels and dtype that hold every picture: grey ones among RGB are repeated.

    DataError where channels are of different stains, which nothing makes equal.
    """
    listed = sorted(set(kinds))
    channels = {c for c, _ in listed} or {1}
    dtype = str(np.result_type(*(np.dtype(d) for _, d in listed))) if listed else "uint8"
    if grey and channels <= {1, 3}:
        return 1, dtype
    if len(channels) > 1 and channels != {1, 3}:
        text = " and ".join(map(str, sorted(channels)))
        raise DataError(f"images of {text} channels do not go into one store; bring them in apart")
    return max(channels), dtype


def as_kind(pixels: np.ndarray, kind: Kind) -> np.ndarray:
    """Pixels (C,Y,X) with the channels and dtype of `kind`; values stay as they are."""
    channels, dtype = kind
    if pixels.shape[0] == 3 and channels == 1:
        luma = np.tensordot(LUMA, pixels.astype(np.float64), 1)[None]
        pixels = luma if np.dtype(dtype).kind == "f" else np.rint(luma)
    elif pixels.shape[0] == 1 and channels == 3:
        pixels = np.repeat(pixels, 3, axis=0)
    return pixels.astype(dtype, copy=False)


def channel_names(kind: Kind) -> list[str]:
    """R, G, B, or numbers from 1."""
    return list(sample_names(kind[0]))
